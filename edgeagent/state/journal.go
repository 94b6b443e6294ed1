package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
)

// stage is where a command stands in the journal. Numbers are stored and never change.
type stage uint8

const (
	stageAccepted stage = 1 // durable, not started
	stageStarted  stage = 2 // may have had its effect
	stageFinished stage = 3 // the result is in the outbox
	stageAcked    stage = 4 // the hub has the result; kept so that the command is known when it comes again
)

// command is one line of the journal.
type command struct {
	Command protocol.Command `cbor:"1,keyasint"`
	Stage   stage            `cbor:"2,keyasint"`
	// Started in Unix milliseconds. Absent: it never started.
	Started int64                   `cbor:"3,keyasint,omitempty"`
	Result  *protocol.CommandResult `cbor:"4,keyasint,omitempty"`
}

// journalKept is how many finished commands are remembered beyond those that could still be repeated; journalGrace is
// how long after its expiry a command is remembered.
const (
	journalKept  = 4096
	journalGrace = 24 * time.Hour
)

// OrderState is what the device was last ordered.
type OrderState struct {
	Mark protocol.OrderMark
	// Settings the device goes by; nil: none were ordered, it goes by its defaults.
	Settings *protocol.Settings
	// Desired set, sorted by key.
	Desired []protocol.Entry
}

// Accept is an order that was verified. Absent parts change nothing.
type Accept struct {
	Mark     protocol.OrderMark
	Settings *protocol.Settings
	// Desired is the whole resulting set; nil: unchanged.
	Desired  *[]protocol.Entry
	Commands []protocol.Command
	Repeal   []protocol.CommandID
}

// Orders returns what the device was last ordered.
func (s *Store) Orders() OrderState {
	return view(s, func(d *data) OrderState {
		return OrderState{Mark: d.mark, Settings: d.settings, Desired: slices.Clone(d.desired)}
	})
}

// Desired returns the desired set, sorted by key.
func (s *Store) Desired() []protocol.Entry {
	return view(s, func(d *data) []protocol.Entry { return slices.Clone(d.desired) })
}

// AcceptOrders makes an order durable, whole or not at all. An order that is not newer than the last one is refused
// with protocol.ErrReplayed. A command that is in the journal already is not queued again; when the hub had
// acknowledged its result, the result is sent once more, because the hub has lost it. A repealed command that has not
// started is finished as withdrawn. An order of a later epoch than the last comes from a hub that was restored from a
// backup: the status of each stack is sent once more.
func (s *Store) AcceptOrders(a Accept) error {
	return s.update("accept orders", func(t *txn) error {
		if !t.d.mark.Before(a.Mark) {
			return protocol.ErrReplayed
		}
		restored := t.d.mark.Epoch != 0 && t.d.mark.Epoch < a.Mark.Epoch
		set(t, &t.d.mark, a.Mark)
		t.put(keyMark, a.Mark)
		if a.Settings != nil {
			settings := *a.Settings
			set(t, &t.d.settings, &settings)
			t.put(keySettings, settings)
		}
		if a.Desired != nil {
			t.setDesired(*a.Desired)
			if t.d.jobsLost == lostJustNow {
				t.setJobsLost(t.s.clock().Unix()) // the hub has just told the time
			}
		}
		for _, c := range a.Commands {
			t.acceptCommand(c)
		}
		for _, id := range a.Repeal {
			t.repeal(id)
		}
		if restored {
			for _, st := range sortedValues(t.d.statuses, compareIDs) {
				t.putStatus(st)
			}
		}
		t.pruneJournal()
		return nil
	})
}

func (t *txn) setDesired(next []protocol.Entry) {
	next = slices.Clone(next)
	slices.SortFunc(next, func(a, b protocol.Entry) int { return protocol.CompareKeys(a.EntryKey, b.EntryKey) })
	old := make(map[protocol.EntryKey]protocol.Entry, len(t.d.desired))
	for _, e := range t.d.desired {
		old[e.EntryKey] = e
	}
	for _, e := range next {
		before, was := old[e.EntryKey]
		delete(old, e.EntryKey)
		if !was || before.Hash() != e.Hash() {
			t.put(desiredKey(e.EntryKey), e)
		}
	}
	for key, e := range old {
		t.remove(desiredKey(key))
		if _, begun := t.d.applied[key]; !begun && key.Kind == protocol.EntryStack {
			// The reconciler never saw it, so nobody else would say that it is gone.
			t.putStatus(protocol.StackStatus{Stack: key.ID, Version: e.Version, State: protocol.StackRemoved, Nonce: e.Nonce})
		}
	}
	set(t, &t.d.desired, next)
}

func (t *txn) acceptCommand(c protocol.Command) {
	known, ok := t.d.commands[c.ID]
	switch {
	case !ok && c.ID <= t.d.floor:
		t.setCommand(command{Command: c, Stage: stageAccepted})
		t.finish(c.ID, protocol.CommandResult{
			ID: c.ID, State: protocol.CommandRefused,
			Text: "the device no longer knows whether it ran this command before; give it again as a new command",
		})
	case !ok:
		t.setCommand(command{Command: c, Stage: stageAccepted})
	case known.Stage == stageAcked && known.Result != nil:
		known.Stage = stageFinished
		t.setCommand(known)
		t.putResult(*known.Result)
		if known.Result.OutputSize > 0 {
			t.putItem(item{Command: c.ID}, protocol.KindOutput, protocol.Output{Command: c.ID, Dropped: true})
		}
	}
}

func (t *txn) repeal(id protocol.CommandID) {
	c, ok := t.d.commands[id]
	if ok && c.Stage != stageAccepted {
		return
	}
	if !ok { // it never came here, and must not run if it still does
		if id <= t.d.floor {
			return
		}
		t.setCommand(command{Command: protocol.Command{ID: id}, Stage: stageAccepted})
	}
	t.finish(id, protocol.CommandResult{ID: id, State: protocol.CommandWithdrawn})
}

// pruneJournal forgets commands that cannot come again: finished, acknowledged, and expired for long by the hub's own
// clock, which is in the order's number. When there are very many, the oldest go earlier, and the floor remembers
// that they may have been there.
func (t *txn) pruneJournal() {
	hubNow := int64(t.d.mark.Seq / uint64(time.Second/time.Microsecond))
	var kept []protocol.CommandID
	for id, c := range t.d.commands {
		if c.Stage != stageAcked {
			continue
		}
		if c.Command.NotAfter != 0 && c.Command.NotAfter+int64(journalGrace/time.Second) < hubNow {
			t.forget(id)
			continue
		}
		kept = append(kept, id)
	}
	if len(kept) <= journalKept {
		return
	}
	slices.Sort(kept)
	drop := kept[:len(kept)-journalKept]
	for _, id := range drop {
		t.forget(id)
	}
	if last := drop[len(drop)-1]; last > t.d.floor {
		set(t, &t.d.floor, last)
		t.put(keyFloor, last)
	}
}

func (t *txn) forget(id protocol.CommandID) {
	deleteIn(t, &t.d.commands, id)
	t.remove(commandKey(id))
}

func (t *txn) setCommand(c command) {
	if c.Command.ID > t.d.taken {
		set(t, &t.d.taken, c.Command.ID)
	}
	setIn(t, &t.d.commands, c.Command.ID, c)
	t.put(commandKey(c.Command.ID), c)
}

// PendingCommands returns the commands that were accepted and not started: urgent ones first, then in the order in
// which they were given.
func (s *Store) PendingCommands() []protocol.Command {
	return view(s, func(d *data) []protocol.Command {
		var out []protocol.Command
		for _, c := range d.commands {
			if c.Stage == stageAccepted {
				out = append(out, c.Command)
			}
		}
		slices.SortFunc(out, func(a, b protocol.Command) int {
			if a.Urgent != b.Urgent {
				if a.Urgent {
					return -1
				}
				return 1
			}
			return cmp.Compare(a.ID, b.ID)
		})
		return out
	})
}

// StartCommand notes that a command is about to have its effect. Only when it returns nil may the command be run.
// The error is ErrNotFound for an unknown command, ErrNotPending for one that was started or finished before.
func (s *Store) StartCommand(id protocol.CommandID) error {
	return s.update("start command", func(t *txn) error {
		c, ok := t.d.commands[id]
		if !ok {
			return fmt.Errorf("%s: %w", id, ErrNotFound)
		}
		if c.Stage != stageAccepted {
			return fmt.Errorf("%s: %w", id, ErrNotPending)
		}
		c.Stage, c.Started = stageStarted, s.clock().UnixMilli()
		t.setCommand(c)
		return nil
	})
}

// DelayCommand queues word for the hub that a command waits on this device, for what code says. The command stays as it is.
// Errors are as those of StartCommand.
func (s *Store) DelayCommand(id protocol.CommandID, code string) error {
	return s.update("delay command", func(t *txn) error {
		c, ok := t.d.commands[id]
		if !ok {
			return fmt.Errorf("%s: %w", id, ErrNotFound)
		}
		if c.Stage != stageAccepted {
			return fmt.Errorf("%s: %w", id, ErrNotPending)
		}
		t.putResult(protocol.CommandResult{ID: id, State: protocol.CommandWaiting, Code: code})
		return nil
	})
}

// FinishCommand journals a command's result and queues it for the hub with its output, in one transaction. Output
// beyond protocol.MaxOutput is cut from the front. When the disk has room for the result alone, the output is left
// out and the result says so. Missing times are filled in. Errors are as those of StartCommand.
func (s *Store) FinishCommand(r protocol.CommandResult, output []byte) error {
	if over := len(output) - protocol.MaxOutput; over > 0 {
		output = output[over:]
		r.OutputDropped += uint64(over)
	}
	err := s.finishCommand(r, output)
	if isDiskFull(err) && len(output) > 0 {
		r.OutputDropped += uint64(len(output))
		r.Text = strings.TrimPrefix(r.Text+"; the output was dropped, the device's disk is full", "; ")
		err = s.finishCommand(r, nil)
	}
	return err
}

func (s *Store) finishCommand(r protocol.CommandResult, output []byte) error {
	return s.update("finish command", func(t *txn) error {
		c, ok := t.d.commands[r.ID]
		if !ok {
			return fmt.Errorf("%s: %w", r.ID, ErrNotFound)
		}
		if c.Stage != stageAccepted && c.Stage != stageStarted {
			return fmt.Errorf("%s: %w", r.ID, ErrNotPending)
		}
		r.OutputSize = uint64(len(output))
		t.finish(r.ID, r)
		t.putOutput(r.ID, output)
		return nil
	})
}

// finish journals the result of a command that is in the journal, and queues it.
func (t *txn) finish(id protocol.CommandID, r protocol.CommandResult) {
	c := t.d.commands[id]
	if c.Started != 0 {
		if r.Started == 0 {
			r.Started = c.Started
		}
		if r.Ended == 0 {
			r.Ended = t.s.clock().UnixMilli()
		}
	}
	r.Text = clip(r.Text)
	c.Stage, c.Result = stageFinished, &r
	t.setCommand(c)
	t.putResult(r)
}

// StartedCommands returns the commands that were started and go on after a restart of the agent: its updates.
func (s *Store) StartedCommands() []protocol.Command {
	return view(s, func(d *data) []protocol.Command {
		var out []protocol.Command
		for _, c := range sortedValues(d.commands, compareIDs) {
			if c.Stage == stageStarted && goesOn(c.Command) {
				out = append(out, c.Command)
			}
		}
		return out
	})
}

// goesOn reports whether a command outlives the process that has started it.
func goesOn(c protocol.Command) bool { return c.Kind == protocol.CommandUpdate }

// interruptStarted gives a result to every command that was started when the agent stopped, and does not go on.
func (t *txn) interruptStarted() {
	for _, c := range sortedValues(t.d.commands, compareIDs) {
		if c.Stage == stageStarted && !goesOn(c.Command) {
			t.finish(c.Command.ID, protocol.CommandResult{
				ID: c.Command.ID, State: protocol.CommandInterrupted,
				Text: "the agent stopped while the command ran: it may or may not have had its effect",
			})
		}
	}
}

// clip bounds a text for people to what the protocol allows, on a character's boundary.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= protocol.MaxText {
		return s
	}
	return strings.ToValidUTF8(s[:protocol.MaxText-3], "") + "…"
}
