package state

import (
	"errors"
	"slices"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

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

// That a command waits is said once, and not any more when there is a result.
func TestCommandThatWaits(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		must(t, s.AcceptOrders(Accept{Mark: mark(1), Commands: []protocol.Command{give(1), give(2)}}))
		must(t, s.DelayCommand(1, protocol.WaitsForBudget))
		must(t, s.DelayCommand(2, protocol.WaitsForBudget))
		s = d.open(t)
		expect(t, sent(t, s), "result 1 waiting", "result 2 waiting")
		if p := s.PendingCommands(); len(p) != 2 {
			t.Errorf("pending are %v", p)
		}
		items := s.Outbox(1 << 20)
		must(t, s.StartCommand(1))
		must(t, s.FinishCommand(protocol.CommandResult{ID: 1, State: protocol.CommandDone}, nil))
		must(t, s.AckOutbox([]uint64{items[0].ID, items[1].ID}))
		expect(t, sent(t, s), "result 1 done")
		ackAll(t, s)
		must(t, s.AcceptOrders(Accept{Mark: mark(2), Commands: []protocol.Command{give(1)}, Repeal: []protocol.CommandID{2}}))
		expect(t, sent(t, s), "result 1 done", "result 2 withdrawn")
		if err := s.DelayCommand(1, protocol.WaitsForBudget); !errors.Is(err, ErrNotPending) {
			t.Errorf("a command that has ended waits: %v", err)
		}
	})
}

// Output of an urgent command goes before that of others, and is known as such.
func TestUrgentOutputFirst(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		urgent := give(2)
		urgent.Urgent = true
		must(t, s.AcceptOrders(Accept{Mark: mark(1), Commands: []protocol.Command{give(1), urgent}}))
		for _, id := range []protocol.CommandID{1, 2} {
			must(t, s.StartCommand(id))
			must(t, s.FinishCommand(protocol.CommandResult{ID: id, State: protocol.CommandDone}, []byte("out")))
		}
		var order []bool
		for _, it := range d.open(t).Outbox(1 << 20) {
			if it.Kind == protocol.KindOutput {
				order = append(order, it.Urgent)
			}
		}
		if !slices.Equal(order, []bool{true, false}) {
			t.Errorf("urgent are, in the order sent: %v", order)
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
