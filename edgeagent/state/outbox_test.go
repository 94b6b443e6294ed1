package state

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

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
