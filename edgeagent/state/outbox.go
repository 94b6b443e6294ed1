package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/farshore/farshore/protocol"
)

// Bounds of the outbox. Results and statuses are bounded by the commands and stacks there are, and never dropped.
const (
	// MaxOutboxOutput is the most bytes of command output kept for the hub; the oldest command's goes first.
	MaxOutboxOutput = 4 << 20
	// MaxOutboxEvents is the most events kept for the hub; the oldest goes first.
	MaxOutboxEvents = 512
	// outputPiece is the most bytes of output in one item.
	outputPiece = 8 << 10
)

// Item is something that the hub has not acknowledged yet.
type Item struct {
	// ID grows from item to item, through restarts.
	ID    uint64
	Class protocol.Class
	Kind  protocol.Kind
	// Body is the encoded message body.
	Body []byte
	// Urgent: it came of an urgent command.
	Urgent bool
}

// item is an Item with what it belongs to.
type item struct {
	Kind protocol.Kind `cbor:"1,keyasint"`
	Body []byte        `cbor:"2,keyasint"`
	// Stack of a status, Command of a result or output.
	Stack   uint64             `cbor:"3,keyasint,omitempty"`
	Command protocol.CommandID `cbor:"4,keyasint,omitempty"`
	// Size is how many bytes of output are in the body.
	Size int `cbor:"5,keyasint,omitempty"`
	// Drops marks the one event that stands for dropped ones.
	Drops bool `cbor:"6,keyasint,omitempty"`
	// Urgent marks output of an urgent command.
	Urgent bool `cbor:"7,keyasint,omitempty"`
	// Run of a job, of what is said of it or of its output.
	Run uint64 `cbor:"8,keyasint,omitempty"`
}

// Outbox returns the items to send next, at most limit bytes of bodies but at least one item: in the order of classes,
// urgent ones first, then of age.
func (s *Store) Outbox(limit int) []Item {
	return view(s, func(d *data) []Item {
		out := make([]Item, 0, len(d.outbox))
		for id, it := range d.outbox {
			out = append(out, Item{ID: id, Class: it.Kind.Class(), Kind: it.Kind, Body: it.Body, Urgent: it.Urgent})
		}
		slices.SortFunc(out, func(a, b Item) int {
			return cmp.Or(cmp.Compare(a.Class, b.Class), latter(a)-latter(b), cmp.Compare(a.ID, b.ID))
		})
		size := 0
		for i := range out {
			size += len(out[i].Body)
			if i > 0 && size > limit {
				return out[:i]
			}
		}
		return out
	})
}

func latter(it Item) int {
	if it.Urgent {
		return 0
	}
	return 1
}

// Pending returns how much waits in the outbox.
func (s *Store) Pending() (items int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.data.outbox {
		bytes += int64(len(it.Body))
	}
	return len(s.data.outbox), bytes
}

// OnOutbox makes the store call fn after something was put into the outbox. fn must return soon; it may be called from
// several goroutines at once.
func (s *Store) OnOutbox(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onOutbox = append(slices.Clip(s.onOutbox), fn)
}

// AckOutbox removes items that the hub has acknowledged. Items that are not there any more are passed over.
func (s *Store) AckOutbox(ids []uint64) error {
	return s.update("acknowledge outbox", func(t *txn) error {
		for _, id := range ids {
			it, ok := t.d.outbox[id]
			if !ok {
				continue
			}
			t.removeItem(id)
			switch it.Kind {
			case protocol.KindResult:
				if c, ok := t.d.commands[it.Command]; ok && c.Stage == stageFinished {
					c.Stage = stageAcked
					t.setCommand(c)
				}
			case protocol.KindStatus:
				if t.d.statuses[it.Stack].State == protocol.StackRemoved {
					deleteIn(t, &t.d.statuses, it.Stack)
					t.remove(statusKey(it.Stack))
				}
			}
		}
		return nil
	})
}

// PutStatus stores what the device says of one stack and queues it, in place of an older status of the same stack that
// still waits. Rev is assigned here, At where it is 0.
func (s *Store) PutStatus(st protocol.StackStatus) error {
	return s.update(fmt.Sprintf("store status of stack %d", st.Stack), func(t *txn) error {
		t.putStatus(st)
		return nil
	})
}

func (t *txn) putStatus(st protocol.StackStatus) {
	st.Rev = t.count(&t.d.counters.Rev)
	if st.At == 0 {
		st.At = t.s.clock().Unix()
	}
	st.Detail = clip(st.Detail)
	for id, it := range t.d.outbox {
		if it.Kind == protocol.KindStatus && it.Stack == st.Stack {
			t.removeItem(id)
		}
	}
	setIn(t, &t.d.statuses, st.Stack, st)
	t.put(statusKey(st.Stack), st)
	t.putItem(item{Stack: st.Stack}, protocol.KindStatus, st)
}

// Statuses returns the latest status of each stack, in the order of stack ids. The status of a removed stack is
// forgotten once the hub has it.
func (s *Store) Statuses() []protocol.StackStatus {
	return view(s, func(d *data) []protocol.StackStatus { return sortedValues(d.statuses, compareIDs) })
}

// PutEvent queues an event for the hub. kind is a stable word, text a sentence for people.
func (s *Store) PutEvent(kind, text string) error {
	return s.update("store event "+kind, func(t *txn) error {
		t.putEvent(kind, text)
		return nil
	})
}

// PutTunnelRefusal queues word that no tunnel is opened, in place of any earlier one.
func (s *Store) PutTunnelRefusal(r protocol.TunnelRefusal) error {
	return s.update("store refusal of a tunnel", func(t *txn) error {
		for id, it := range t.d.outbox {
			if it.Kind == protocol.KindTunnel {
				t.removeItem(id)
			}
		}
		t.putItem(item{}, protocol.KindTunnel, r)
		return nil
	})
}

func (t *txn) putEvent(kind, text string) {
	t.dropEvents()
	t.putEventItem(item{}, kind, text)
}

func (t *txn) putEventItem(it item, kind, text string) {
	t.putItem(it, protocol.KindEvent, protocol.DeviceEvent{
		ID: t.count(&t.d.counters.Event), Kind: kind, Text: clip(text), At: t.s.clock().Unix(),
	})
}

// dropEvents makes room for one more event: the oldest goes, and one event says that some are missing.
func (t *txn) dropEvents() {
	var ids []uint64
	marked := false
	for id, it := range t.d.outbox {
		switch {
		case it.Kind != protocol.KindEvent:
		case it.Drops:
			marked = true
		default:
			ids = append(ids, id)
		}
	}
	if len(ids) < MaxOutboxEvents {
		return
	}
	t.removeItem(slices.Min(ids))
	if !marked {
		t.putEventItem(item{Drops: true}, "events-dropped",
			fmt.Sprintf("more than %d events waited for the hub: the oldest were dropped", MaxOutboxEvents))
	}
}

// putResult queues what there is to say of a command, in place of what was to be said before and was not sent.
func (t *txn) putResult(r protocol.CommandResult) {
	for id, it := range t.d.outbox {
		if it.Kind == protocol.KindResult && it.Command == r.ID {
			t.removeItem(id)
		}
	}
	t.putItem(item{Command: r.ID}, protocol.KindResult, r)
}

// putOutput queues a command's output in pieces, and drops the output of the oldest commands where it is too much.
func (t *txn) putOutput(id protocol.CommandID, output []byte) {
	if len(output) == 0 {
		return
	}
	t.makeRoomForOutput(len(output))
	for offset := 0; offset < len(output); offset += outputPiece {
		piece := output[offset:min(offset+outputPiece, len(output))]
		t.putItem(item{Command: id, Size: len(piece), Urgent: t.d.commands[id].Command.Urgent}, protocol.KindOutput,
			protocol.Output{Command: id, Offset: uint64(offset), Data: piece})
	}
}

func (t *txn) makeRoomForOutput(size int) {
	var ids []uint64
	for id, it := range t.d.outbox {
		if it.Kind.Class() == protocol.ClassOutput && it.Size > 0 {
			ids = append(ids, id)
			size += it.Size
		}
	}
	slices.Sort(ids)
	for len(ids) > 0 && size > MaxOutboxOutput {
		oldest := t.d.outbox[ids[0]]
		ids = slices.DeleteFunc(ids, func(id uint64) bool {
			it := t.d.outbox[id]
			if it.Command != oldest.Command || it.Run != oldest.Run {
				return false
			}
			size -= it.Size
			t.removeItem(id)
			return true
		})
		t.putDropped(oldest)
	}
}

// putDropped says that output was dropped, from where its first piece would have begun.
func (t *txn) putDropped(first item) {
	if first.Kind == protocol.KindJobOutput {
		var piece protocol.JobOutput
		if t.err = errors.Join(t.err, protocol.Unmarshal(first.Body, &piece)); t.err != nil {
			return // this store encoded it itself
		}
		piece.Data, piece.Dropped = nil, true
		t.putItem(item{Run: first.Run}, protocol.KindJobOutput, piece)
		t.putEvent("output-dropped", fmt.Sprintf("the outbox is full: output of run %d of a job was dropped", first.Run))
		return
	}
	var piece protocol.Output
	if t.err = errors.Join(t.err, protocol.Unmarshal(first.Body, &piece)); t.err != nil {
		return
	}
	t.putItem(item{Command: first.Command}, protocol.KindOutput, protocol.Output{Command: first.Command, Offset: piece.Offset, Dropped: true})
	t.putEvent("output-dropped", fmt.Sprintf("the outbox is full: output of command %s was dropped", first.Command))
}

func (t *txn) putItem(it item, kind protocol.Kind, body any) {
	b, err := protocol.Marshal(body)
	if err != nil {
		t.err = fmt.Errorf("encode %s: %w", kind, err)
		return
	}
	it.Kind, it.Body = kind, b
	id := t.count(&t.d.counters.Outbox)
	setIn(t, &t.d.outbox, id, it)
	t.put(outboxKey(id), it)
	t.notify = true
}

func (t *txn) removeItem(id uint64) {
	deleteIn(t, &t.d.outbox, id)
	t.remove(outboxKey(id))
}
