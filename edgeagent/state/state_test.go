package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// device opens the same device again and again, as a reboot does.
type device struct {
	open func(t *testing.T) *Store
}

// backings runs one test on both backings.
func backings(t *testing.T, test func(t *testing.T, d device)) {
	t.Run("disk", func(t *testing.T) {
		dir := t.TempDir()
		var last *Store
		closeLast := func() {
			if last != nil {
				if err := last.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		t.Cleanup(closeLast)
		test(t, device{open: func(t *testing.T) *Store {
			closeLast()
			s, err := OpenDisk(dir)
			if err != nil {
				t.Fatal(err)
			}
			last = s
			return s
		}})
	})
	t.Run("memory", func(t *testing.T) {
		var last *Store
		test(t, device{open: func(*testing.T) *Store {
			if last == nil {
				last = NewMemory(7)
			} else {
				last = last.Reboot()
			}
			return last
		}})
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entry(id, version uint64, content string) protocol.Entry {
	return protocol.Entry{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: id}, Version: version, Name: fmt.Sprintf("stack%d", id),
		Files: []protocol.File{{Path: "compose.yml", Hash: protocol.HashOf([]byte(content)), Size: int64(len(content))}},
	}
}

func give(id uint64) protocol.Command {
	return protocol.Command{ID: protocol.CommandID(id), Kind: protocol.CommandContainerStop, NotAfter: 1 << 40, Target: "web"}
}

func mark(n uint64) protocol.OrderMark { return protocol.OrderMark{Epoch: 1, Seq: n} }

// sent decodes what waits in the outbox, as text, in the order in which it is sent.
func sent(t *testing.T, s *Store) (out []string) {
	t.Helper()
	for _, it := range s.Outbox(1 << 30) {
		var err error
		switch it.Kind {
		case protocol.KindResult:
			var r protocol.CommandResult
			err = protocol.Unmarshal(it.Body, &r)
			out = append(out, fmt.Sprintf("result %d %s", r.ID, r.State))
		case protocol.KindStatus:
			var st protocol.StackStatus
			err = protocol.Unmarshal(it.Body, &st)
			out = append(out, fmt.Sprintf("status %d %s", st.Stack, st.State))
		case protocol.KindEvent:
			var e protocol.DeviceEvent
			err = protocol.Unmarshal(it.Body, &e)
			out = append(out, "event "+e.Kind)
		case protocol.KindOutput:
			var o protocol.Output
			err = protocol.Unmarshal(it.Body, &o)
			out = append(out, fmt.Sprintf("output %d at %d len %d dropped %v", o.Command, o.Offset, len(o.Data), o.Dropped))
		}
		must(t, err)
		if it.Class != it.Kind.Class() {
			t.Errorf("%s has class %s", it.Kind, it.Class)
		}
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("outbox:\n got %q\nwant %q", got, want)
	}
}

func ackAll(t *testing.T, s *Store) {
	t.Helper()
	var ids []uint64
	for _, it := range s.Outbox(1 << 30) {
		ids = append(ids, it.ID)
	}
	must(t, s.AckOutbox(ids))
}

func TestIdentityAndOrdersSurviveAReboot(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		first := s.Identity()
		if first.Boot.Counter != 1 || s.Approved() || s.EdgeKey() != "" {
			t.Errorf("a fresh device: boot %d, approved %v, edge key %q", first.Boot.Counter, s.Approved(), s.EdgeKey())
		}
		must(t, s.SetEdgeKey("fsk1_x"))
		must(t, s.SetApproved(Approved))
		must(t, s.SetAckedSnapshot([]byte("canonical")))
		settings := protocol.Settings{Ping: 60, Profile: "satellite"}
		desired := []protocol.Entry{entry(2, 1, "b"), entry(1, 3, "a")}
		must(t, s.AcceptOrders(Accept{Mark: mark(10), Settings: &settings, Desired: &desired}))
		must(t, s.PutApplied(Applied{Entry: entry(1, 3, "a"), Phase: reconciler.PhaseApplied}))

		s = d.open(t)
		again := s.Identity()
		if again.ID != first.ID || !again.Key.Equal(first.Key) || again.Boot.Counter != 2 || again.Boot.ID == first.Boot.ID {
			t.Errorf("identity after a reboot: %v, was %v", again, first)
		}
		o := s.Orders()
		if o.Mark != mark(10) || o.Settings == nil || *o.Settings != settings || protocol.DesiredHash(o.Desired) != protocol.DesiredHash(desired) || o.Desired[0].ID != 1 {
			t.Errorf("orders after a reboot: %+v", o)
		}
		canonical, hash := s.AckedSnapshot()
		if string(canonical) != "canonical" || hash != protocol.HashOf([]byte("canonical")).Short() || !s.Approved() || s.EdgeKey() != "fsk1_x" {
			t.Error("edge key, approval or snapshot were lost")
		}
		if a := s.Applied(); len(a) != 1 || a[0].Entry.Version != 3 || a[0].Phase != reconciler.PhaseApplied {
			t.Errorf("reconciler journal after a reboot: %+v", a)
		}
		for _, old := range []protocol.OrderMark{mark(10), mark(9), {Seq: 99}} {
			if err := s.AcceptOrders(Accept{Mark: old, Commands: []protocol.Command{give(1)}}); !errors.Is(err, protocol.ErrReplayed) {
				t.Errorf("order %v: %v, want it refused as replayed", old, err)
			}
		}
		if s.PendingCommands() != nil {
			t.Error("a replayed order queued its command")
		}
	})
}

func TestCommandHasItsEffectAtMostOnceAndAlwaysAResult(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		urgent := give(5)
		urgent.Urgent = true
		must(t, s.AcceptOrders(Accept{Mark: mark(1), Commands: []protocol.Command{give(3), give(1), give(2), urgent}}))
		var order []protocol.CommandID
		for _, c := range s.PendingCommands() {
			order = append(order, c.ID)
		}
		if !slices.Equal(order, []protocol.CommandID{5, 1, 2, 3}) {
			t.Errorf("commands run in the order %v, want urgent ones first, then by age", order)
		}
		must(t, s.StartCommand(1))
		must(t, s.FinishCommand(protocol.CommandResult{ID: 1, State: protocol.CommandDone}, nil))
		must(t, s.StartCommand(5))
		// 2 is withdrawn in time, 1 and 5 too late, 9 was never given.
		must(t, s.AcceptOrders(Accept{Mark: mark(2), Commands: []protocol.Command{give(1), urgent}, Repeal: []protocol.CommandID{1, 2, 5, 9}}))

		s = d.open(t) // the power fails while 5 runs
		expect(t, sent(t, s), "result 1 done", "result 2 withdrawn", "result 9 withdrawn", "result 5 interrupted")
		if p := s.PendingCommands(); len(p) != 1 || p[0].ID != 3 {
			t.Errorf("pending after the reboot: %v, want only 3", p)
		}
		if err := s.StartCommand(5); !errors.Is(err, ErrNotPending) {
			t.Errorf("a command that was started could be started again: %v", err)
		}
		if err := s.StartCommand(77); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown command could be started: %v", err)
		}
		ackAll(t, s)
		expect(t, sent(t, s))
		// The hub was restored from a backup and asks again.
		must(t, s.AcceptOrders(Accept{Mark: mark(3), Commands: []protocol.Command{give(1), urgent, give(9)}}))
		expect(t, sent(t, s), "result 1 done", "result 5 interrupted", "result 9 withdrawn")
		if p := s.PendingCommands(); len(p) != 1 {
			t.Errorf("a finished command is pending again: %v", p)
		}
	})
}

func TestForgottenCommandIsRefusedNotRepeated(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		const many = journalKept + 10
		for from := uint64(1); from <= many; from += 512 {
			var batch []protocol.Command
			for id := from; id < min(from+512, many+1); id++ {
				batch = append(batch, give(id))
			}
			must(t, s.AcceptOrders(Accept{Mark: mark(from), Commands: batch}))
			var repeal []protocol.CommandID
			for _, c := range batch {
				repeal = append(repeal, c.ID)
			}
			must(t, s.AcceptOrders(Accept{Mark: mark(from + 1), Repeal: repeal}))
			ackAll(t, s)
		}
		must(t, s.AcceptOrders(Accept{Mark: mark(many)}))
		must(t, s.AcceptOrders(Accept{Mark: mark(many + 1), Commands: []protocol.Command{give(1)}}))
		expect(t, sent(t, s), "result 1 refused")
		// By the hub's clock all have expired for long: nothing needs to be remembered.
		ackAll(t, s)
		must(t, s.AcceptOrders(Accept{Mark: mark(1 << 62)}))
		if n := len(s.data.commands); n != 0 {
			t.Errorf("%d expired commands are still remembered", n)
		}
	})
}

func TestOutputIsCutAndTheOldestDroppedFirst(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		const n = MaxOutboxOutput/protocol.MaxOutput + 1
		for id := uint64(1); id <= n; id++ {
			must(t, s.AcceptOrders(Accept{Mark: mark(id), Commands: []protocol.Command{give(id)}}))
			must(t, s.StartCommand(protocol.CommandID(id)))
			output := bytes.Repeat([]byte("x"), protocol.MaxOutput+100)
			copy(output, "old")
			must(t, s.FinishCommand(protocol.CommandResult{ID: protocol.CommandID(id), State: protocol.CommandDone}, output))
		}
		s = d.open(t)
		var results, dropped, told int
		got := map[protocol.CommandID][]byte{}
		for _, it := range s.Outbox(1 << 30) {
			switch it.Kind {
			case protocol.KindResult:
				var r protocol.CommandResult
				must(t, protocol.Unmarshal(it.Body, &r))
				if r.OutputSize != protocol.MaxOutput || r.OutputDropped != 100 {
					t.Errorf("result of %d: output %d, dropped %d", r.ID, r.OutputSize, r.OutputDropped)
				}
				results++
			case protocol.KindOutput:
				var o protocol.Output
				must(t, protocol.Unmarshal(it.Body, &o))
				if o.Dropped {
					dropped++
					if o.Command != 1 || o.Offset != 0 {
						t.Errorf("output of command %d at %d was dropped, want the oldest", o.Command, o.Offset)
					}
				}
				if o.Offset != uint64(len(got[o.Command])) {
					t.Errorf("output of %d continues at %d, want %d", o.Command, o.Offset, len(got[o.Command]))
				}
				got[o.Command] = append(got[o.Command], o.Data...)
			case protocol.KindEvent:
				told++
			}
		}
		if results != n || dropped != 1 || told != 1 || len(got[2]) != protocol.MaxOutput || len(got[n]) != protocol.MaxOutput {
			t.Errorf("%d results of %d, %d outputs dropped, %d events, last output %d", results, n, dropped, told, len(got[n]))
		}
	})
}

func TestStatusReplacesTheOneThatWaits(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		must(t, s.PutEvent("engine-absent", "gone"))
		must(t, s.PutStatus(protocol.StackStatus{Stack: 1, State: protocol.StackFetching}))
		must(t, s.PutStatus(protocol.StackStatus{Stack: 2, State: protocol.StackRunning}))
		must(t, s.PutStatus(protocol.StackStatus{Stack: 1, State: protocol.StackRunning, Detail: strings.Repeat("ä", protocol.MaxText)}))
		expect(t, sent(t, s), "event engine-absent", "status 2 running", "status 1 running")
		last := s.Statuses()[0].Rev
		s = d.open(t)
		must(t, s.PutStatus(protocol.StackStatus{Stack: 1, State: protocol.StackRemoved}))
		st := s.Statuses()
		if len(st) != 2 || st[0].Rev <= last || st[0].At == 0 {
			t.Errorf("statuses after a reboot: %+v, want a Rev above %d", st, last)
		}
		ackAll(t, s)
		s = d.open(t)
		if st := s.Statuses(); len(st) != 1 || st[0].Stack != 2 {
			t.Errorf("statuses: %+v, want that of the removed stack forgotten once the hub has it", st)
		}
	})
}

func TestEventsAreBounded(t *testing.T) {
	s := NewMemory(1)
	for range MaxOutboxEvents + 50 {
		must(t, s.PutEvent("engine-back", "again"))
	}
	items, size := s.Pending()
	if items != MaxOutboxEvents+1 || size > 64<<10 {
		t.Errorf("%d items of %d bytes wait", items, size)
	}
	if !slices.Contains(sent(t, s), "event events-dropped") {
		t.Error("nothing says that events were dropped")
	}
}

func TestOutboxComesInClassesAndPortions(t *testing.T) {
	s := NewMemory(1)
	calls := 0
	s.OnOutbox(func() { calls++ })
	must(t, s.AcceptOrders(Accept{Mark: mark(1), Commands: []protocol.Command{give(1), give(2)}}))
	must(t, s.FinishCommand(protocol.CommandResult{ID: 1, State: protocol.CommandDone}, make([]byte, 20_000)))
	must(t, s.FinishCommand(protocol.CommandResult{ID: 2, State: protocol.CommandDone}, nil))
	expect(t, sent(t, s), "result 1 done", "result 2 done",
		"output 1 at 0 len 8192 dropped false", "output 1 at 8192 len 8192 dropped false", "output 1 at 16384 len 3616 dropped false")
	if n := len(s.Outbox(1)); n != 1 {
		t.Errorf("a limit of 1 byte gives %d items, want one", n)
	}
	if n := len(s.Outbox(9000)); n != 3 {
		t.Errorf("a limit of 9000 bytes gives %d items, want 3", n)
	}
	if calls != 2 {
		t.Errorf("told %d times that there is something to send, want 2", calls)
	}
}

func TestStackThatWasNeverBegunIsReportedAsRemoved(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		both := []protocol.Entry{entry(1, 1, "a"), entry(2, 1, "b")}
		must(t, s.AcceptOrders(Accept{Mark: mark(1), Desired: &both}))
		must(t, s.PutApplied(Applied{Entry: entry(2, 1, "b"), Phase: reconciler.PhaseApplied}))
		must(t, s.AcceptOrders(Accept{Mark: mark(2), Desired: &[]protocol.Entry{}}))
		expect(t, sent(t, s), "status 1 removed") // 2 is the reconciler's to take down first
		if s = d.open(t); len(s.Desired()) != 0 {
			t.Error("removed entries came back with a reboot")
		}
	})
}

func TestBlobsAreVerifiedResumedAndCollected(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		content := []byte("services: {}")
		h := protocol.HashOf(content)
		if _, err := s.Blob(h); s.HasBlob(h) || !errors.Is(err, ErrNotFound) {
			t.Errorf("a blob that is not there: %v", err)
		}
		if err := s.PutBlob(h, []byte("other")); !errors.Is(err, ErrDamaged) {
			t.Errorf("wrong content: %v, want it refused", err)
		}
		p := Partial{Stream: protocol.ShortHash{1}, Base: protocol.ShortHash{2}, Size: 10}
		must(t, s.AppendPartial(h, p, []byte("0123")))
		s = d.open(t) // a reboot in the middle of the transfer
		got, ok := s.Partial(h)
		if want := (Partial{p.Stream, p.Base, 10, 4}); !ok || got != want {
			t.Fatalf("part after a reboot: %+v, want %+v", got, want)
		}
		must(t, s.AppendPartial(h, got, []byte("456")))
		data, err := s.PartialData(h)
		must(t, err)
		if string(data) != "0123456" {
			t.Errorf("part holds %q", data)
		}
		if err := s.AppendPartial(h, got, []byte("456")); !errors.Is(err, ErrOffset) {
			t.Errorf("data that is there already: %v, want ErrOffset", err)
		}
		if err := s.AppendPartial(h, Partial{Stream: p.Stream, Base: p.Base, Size: 10, Offset: 7}, []byte("7890")); !errors.Is(err, protocol.ErrTooLarge) {
			t.Errorf("data beyond the end: %v", err)
		}
		must(t, s.AppendPartial(h, Partial{Stream: protocol.ShortHash{9}, Size: 3}, []byte("a"))) // the hub compressed anew
		if got, _ := s.Partial(h); got.Offset != 1 || got.Stream != (protocol.ShortHash{9}) {
			t.Errorf("a transfer that begins anew: %+v", got)
		}
		must(t, s.PutBlob(h, content))
		if _, ok := s.Partial(h); ok {
			t.Error("the part outlived the blob")
		}

		wanted := entry(1, 2, "new")
		must(t, s.PutBlob(protocol.HashOf([]byte("new")), []byte("new")))
		must(t, s.PutBlob(protocol.HashOf([]byte("rubbish")), []byte("rubbish")))
		must(t, s.AppendPartial(protocol.HashOf([]byte("old wish")), p, []byte("x")))
		must(t, s.AcceptOrders(Accept{Mark: mark(1), Desired: &[]protocol.Entry{wanted}}))
		must(t, s.PutApplied(Applied{Entry: entry(1, 1, string(content)), Next: &wanted, Phase: reconciler.PhaseApplying}))
		must(t, s.CollectBlobs())
		s = d.open(t)
		if b, err := s.Blob(h); err != nil || !bytes.Equal(b, content) {
			t.Errorf("the blob of the applied version is gone: %v", err)
		}
		if !s.HasBlob(protocol.HashOf([]byte("new"))) || s.HasBlob(protocol.HashOf([]byte("rubbish"))) {
			t.Error("the wrong blobs were removed")
		}
		if _, ok := s.Partial(protocol.HashOf([]byte("old wish"))); ok {
			t.Error("a transfer that nobody wants any more was kept")
		}
	})
}

func TestSpoiltBlobIsNoticedAndFetchedAgain(t *testing.T) {
	s, err := OpenDisk(t.TempDir())
	must(t, err)
	defer s.Close()
	h := protocol.HashOf([]byte("good"))
	must(t, s.PutBlob(h, []byte("good")))
	must(t, os.WriteFile(s.blobs.(*fileBlobs).path(h), []byte("bad!"), 0o600))
	if _, err := s.Blob(h); !errors.Is(err, ErrDamaged) {
		t.Errorf("a spoilt blob: %v, want ErrDamaged", err)
	}
	if s.HasBlob(h) {
		t.Error("a spoilt blob is still offered")
	}
}

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
	before := s.disk.lastTxn(t)
	for range 100 {
		must(t, s.SetEdgeKey("k"))
		must(t, s.SetApproved(Approved))
		must(t, s.SetAckedSnapshot([]byte("s")))
		must(t, s.AckOutbox([]uint64{1, 2, 3}))
		must(t, s.RemoveApplied(entry(9, 1, "").EntryKey))
		must(t, s.CollectBlobs())
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

func TestTheFilesAreForTheAgentAlone(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenDisk(filepath.Join(dir, "agent"))
	must(t, err)
	defer s.Close()
	must(t, s.PutBlob(protocol.HashOf(nil), nil))
	must(t, filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if p != dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", p, info.Mode())
		}
		return err
	}))
}
