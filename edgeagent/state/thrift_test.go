package state

import (
	"runtime"
	"testing"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// An idle device does not wear its flash: what changes nothing writes nothing.
func TestIdleDeviceWritesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenDisk(dir)
	must(t, err)
	defer s.Close()
	wanted := []protocol.Entry{entry(1, 1, "a")}
	must(t, s.SetEdgeKey("k"))
	must(t, s.SetApproved(Approved))
	must(t, s.SetAckedSnapshot([]byte("s")))
	must(t, s.AcceptOrders(Accept{Mark: mark(1), Desired: &wanted}))
	must(t, s.PutJobs(journal()))
	ackAll(t, s)
	before := s.disk.lastTxn(t)
	for range 100 {
		must(t, s.SetEdgeKey("k"))
		must(t, s.SetApproved(Approved))
		must(t, s.SetAckedSnapshot([]byte("s")))
		must(t, s.AckOutbox([]uint64{1, 2, 3}))
		must(t, s.RemoveApplied(entry(9, 1, "").EntryKey))
		must(t, s.CollectBlobs())
		must(t, s.PutJobs(runner.Change{}))
		s.Jobs()
		s.Outbox(1000)
		s.Orders()
		s.PendingCommands()
		s.Statuses()
		s.Pending()
	}
	if after := s.disk.lastTxn(t); after != before {
		t.Errorf("%d transactions were written by an idle device", after-before)
	}
	must(t, s.PutEvent("x", ""))
	if after := s.disk.lastTxn(t); after != before+1 {
		t.Errorf("an event took %d transactions, want one", after-before)
	}
}

func TestMemoryIsLight(t *testing.T) {
	const n = 500
	measure := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := measure()
	all := make([]*Store, n)
	for i := range all {
		s := NewMemory(uint64(i))
		wanted := []protocol.Entry{entry(1, 1, "a")}
		must(t, s.AcceptOrders(Accept{Mark: mark(1), Desired: &wanted}))
		must(t, s.PutApplied(Applied{Entry: wanted[0], Phase: reconciler.PhaseApplied}))
		must(t, s.PutStatus(protocol.StackStatus{Stack: 1, State: protocol.StackRunning}))
		ackAll(t, s)
		all[i] = s
	}
	each := (measure() - before) / n
	t.Logf("%d B a device with one stack", each)
	if each > 6<<10 {
		t.Errorf("%d B a device, want 6 kB at most", each)
	}
	runtime.KeepAlive(all)
}
