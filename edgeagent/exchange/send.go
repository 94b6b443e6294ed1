package exchange

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
)

// frameRoom is how many bytes of outbox items are put into one frame, so that a thin link is not held by one frame
// for long, and something more urgent can go between two.
const frameRoom = 32 << 10

// bulkRoom is how many bytes of output are put into one frame, and maxBulk how many are under way at most: what is
// handed to a carrier cannot be overtaken any more.
const (
	bulkRoom = 16 << 10
	maxBulk  = 2 * bulkRoom
)

// largeSnapshot is from which size a snapshot has a frame of its own.
const largeSnapshot = 64 << 10

// open begins a new session: everything that was not acknowledged is said again in it.
func (c *connection) open(ctx context.Context) error {
	id := c.cfg.State.Identity()
	c.sessions++
	c.win = window.New(id.Boot.Counter<<8 + c.sessions)
	c.onAck, c.inFlight = map[uint64]func() error{}, map[uint64]bool{}
	c.sending, c.overdue, c.reopen, c.repeats, c.bulk, c.telling = false, false, false, 0, 0, false
	c.blobs.restart()

	orders := c.cfg.State.Orders()
	_, acked := c.cfg.State.AckedSnapshot()
	hello := protocol.Hello{
		Capability:  protocol.Capability,
		BootID:      id.Boot.ID[:],
		BootCounter: id.Boot.Counter,
		Desired:     protocol.DesiredHash(orders.Desired),
		OrderEpoch:  orders.Mark.Epoch,
		OrderSeq:    orders.Mark.Seq,
		Snapshot:    acked,
		Version:     c.cfg.Version,
		Mode:        c.cfg.Mode,
		Clock:       time.Now().UnixMilli(),
		Arch:        c.cfg.Arch,
		Wishes:      c.cfg.Wishes,
	}
	if c.cfg.Programs != nil {
		hello.Programs, hello.NoUpdate = c.cfg.Programs()
	}
	if orders.Settings != nil {
		hello.Settings = orders.Settings.Hash()
	}
	m, err := protocol.NewMessage(protocol.KindHello, hello)
	if err != nil {
		return err
	}
	messages := []protocol.Message{m}
	u, onAck, ok := c.usage() // of a hub that was met before, and said what it understands
	if ok {
		messages = append(messages, u)
	}
	return c.sendMessages(ctx, messages, onAck)
}

// flush sends what is due, most urgent first: results and status, then the snapshot, then wanted blobs, then output.
func (c *connection) flush(ctx context.Context) error {
	if c.win == nil || c.sessionUnanswered() {
		return nil
	}
	for c.canSend() && (c.tr.Push() || len(c.in) == 0) { // what has come is taken over first, or the hub would say it again
		messages, done, err := c.compose()
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			break
		}
		if err := c.sendMessages(ctx, messages, done); err != nil {
			return err
		}
	}
	return c.acknowledge(ctx)
}

// sessionUnanswered reports that the hub has not processed our Hello yet. Nothing is sent on top of it: if the hub
// does not let the session come up, nothing was wasted.
func (c *connection) sessionUnanswered() bool { return c.win.Sent() == 1 && !c.win.Idle() }

// canSend reports whether a numbered frame may be sent now.
func (c *connection) canSend() bool {
	return c.win != nil && !c.sessionUnanswered() && !c.win.Full() && !c.leaving
}

// oweAck notes that a frame is to be acknowledged. What the frame led to (a want, a result) often follows within
// milliseconds and carries the acknowledgement, so a bare one waits as long as ticks that share a frame.
func (c *connection) oweAck() {
	if !c.ackDue {
		c.ackDue, c.ackAt = true, time.Now().Add(protocol.TickJoin)
	}
}

// acknowledge sends a bare acknowledgement where one is due, and nothing else has carried it. A carrier that cannot
// push lets it wait for its next exchange, unless the hub may have more to say.
func (c *connection) acknowledge(ctx context.Context) error {
	if !c.ackDue || c.win == nil {
		return nil
	}
	if c.tr.Push() && time.Now().Before(c.ackAt) || !c.tr.Push() && !c.askAgain {
		return nil
	}
	return c.sendFrame(ctx, c.win.Ack())
}

// compose gathers the messages of the next frame, and what is to be done when it was acknowledged.
func (c *connection) compose() ([]protocol.Message, func() error, error) {
	var (
		messages []protocol.Message
		acked    []func() error
	)
	add := func(kind protocol.Kind, body any) error {
		m, err := protocol.NewMessage(kind, body)
		if err == nil {
			messages = append(messages, m)
		}
		return err
	}
	if c.outboxDue {
		items, more := c.outboxItems()
		messages = append(messages, items.messages...)
		c.bulk += items.bulk
		if len(items.ids) > 0 {
			acked = append(acked, func() error { return c.outboxAcked(items) })
		}
		c.outboxDue = more
	}
	if (c.fullDue || c.snapDue && !c.tooSoon()) && c.may(protocol.ClassSnapshot, 1, usual) {
		c.snapDue = false
		onAck, err := c.addSnapshot(add, len(messages))
		if err != nil {
			return nil, nil, err
		}
		if onAck != nil {
			acked = append(acked, onAck)
		}
	}
	if c.mayAsk() {
		if want := c.blobs.next(c.asking()); len(want.Items) > 0 {
			if err := add(protocol.KindWant, want); err != nil {
				return nil, nil, err
			}
		}
	}
	if len(messages) > 0 {
		if m, onAck, ok := c.usage(); ok {
			messages, acked = append(messages, m), append(acked, onAck)
		}
	}
	return messages, func() error {
		for _, fn := range acked {
			if err := fn(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

type outboxBatch struct {
	messages []protocol.Message
	ids      []uint64
	bulk     int // bytes of output
}

// outboxAcked forgets items that the hub has.
func (c *connection) outboxAcked(batch outboxBatch) error {
	c.bulk -= batch.bulk
	if err := c.cfg.State.AckOutbox(batch.ids); err != nil {
		return err
	}
	for _, id := range batch.ids {
		delete(c.inFlight, id)
	}
	return nil
}

// outboxItems takes the next items of the outbox that are not under way already. more reports that some were left.
func (c *connection) outboxItems() (batch outboxBatch, more bool) {
	room := frameRoom
	for _, it := range c.cfg.State.Outbox(frameRoom*window.MaxUnacked + frameRoom) {
		if c.inFlight[it.ID] || !c.may(it.Class, uint64(len(it.Body)), urgency(it.Urgent)) {
			continue
		}
		if len(batch.ids) > 0 && (room < len(it.Body) || len(batch.ids) >= protocol.MaxMessages-4) {
			return batch, true
		}
		if it.Class == protocol.ClassOutput {
			n := len(it.Body)
			if batch.bulk > 0 && batch.bulk+n > bulkRoom || c.bulk+batch.bulk > 0 && c.bulk+batch.bulk+n > maxBulk {
				return batch, true
			}
			batch.bulk += n
		}
		room -= len(it.Body)
		batch.messages = append(batch.messages, protocol.Message{Kind: it.Kind, Body: it.Body})
		batch.ids = append(batch.ids, it.ID)
		c.inFlight[it.ID] = true
	}
	return batch, false
}

func (e *Exchange) snapshotChanged() bool {
	latest := e.cfg.Latest()
	_, acked := e.cfg.State.AckedSnapshot()
	return latest.OK && latest.Hash != acked || e.overdueChanged()
}

// overdueChanged reports that captures have fallen behind or caught up since the hub was told.
func (e *Exchange) overdueChanged() bool { return e.overdue == e.cfg.Latest().OverdueSince.IsZero() }

// tooSoon reports that the last snapshot on change was sent less than pushEvery ago, and sees to it that this one goes
// in time.
func (c *connection) tooSoon() bool {
	if c.settings.Snapshot != protocol.FrequencyPush {
		return false
	}
	earliest := c.lastPush.Add(pushEvery)
	if !time.Now().Before(earliest) {
		return false
	}
	if c.snapshotChanged() {
		c.gatherUntil(earliest)
	}
	return true
}

// addSnapshot adds the latest capture where the hub does not have it, and says when captures fell behind or caught up.
// A large one waits for a frame of its own; before is how many messages the frame has already.
func (c *connection) addSnapshot(add func(protocol.Kind, any) error, before int) (onAck func() error, err error) {
	latest := c.cfg.Latest()
	if late := !latest.OverdueSince.IsZero(); late != c.overdue {
		o := protocol.Overdue{Reason: latest.Reason}
		if late {
			o.Since = latest.OverdueSince.Unix()
		}
		if err := add(protocol.KindOverdue, o); err != nil {
			return nil, err
		}
		c.overdue = late
		before++
	}
	base, acked := c.cfg.State.AckedSnapshot()
	if !latest.OK {
		c.snapDue = true // as soon as there is one
		return nil, nil
	}
	if c.sending || latest.Hash == acked && !c.fullDue {
		return nil, nil
	}
	update := protocol.SnapshotUpdate{Hash: latest.Hash}
	if !latest.OverdueSince.IsZero() {
		update.At = latest.OverdueSince.Unix()
	}
	if len(base) > 0 && !c.fullDue {
		update.Patch = c.cfg.Patcher.Patch(base, latest.Canonical)
	}
	if update.Patch == nil || len(update.Patch) >= len(latest.Canonical) {
		update.Patch, update.Full = nil, latest.Canonical
	}
	n := len(update.Full) + len(update.Patch)
	if c.until.bounded && c.heavy.waits(n, c.timeLeft(), c.until.end) {
		return nil, nil
	}
	if n > largeSnapshot {
		if before > 0 {
			c.snapDue = true // the next frame is its own
			return nil, nil
		}
		if !c.fits(update) {
			return nil, c.snapshotTooLarge(latest.Hash)
		}
	}
	if err := add(protocol.KindSnapshot, update); err != nil {
		return nil, err
	}
	c.sending, c.fullDue, c.lastPush = true, false, time.Now()
	c.snapSize, c.snapLeft = n, c.timeLeft()
	return func() error {
		c.sending, c.heavy = false, heavy{}
		if c.fullDue {
			return nil // the hub could not use it
		}
		if err := c.cfg.State.SetAckedSnapshot(latest.Canonical); err != nil {
			return err
		}
		if c.snapshotChanged() && c.settings.Snapshot == protocol.FrequencyPush {
			c.Wake()
		}
		return nil
	}, nil
}

// fits reports whether a snapshot can travel in a frame of its own.
func (c *connection) fits(update protocol.SnapshotUpdate) bool {
	m, err := protocol.NewMessage(protocol.KindSnapshot, update)
	if err != nil {
		return false
	}
	_, err = c.cfg.Codec.Encode(&protocol.Frame{Session: c.win.Session(), Seq: math.MaxUint32, Messages: []protocol.Message{m}})
	return err == nil
}

// snapshotTooLarge says once for each state that it cannot be sent.
func (c *connection) snapshotTooLarge(hash protocol.ShortHash) error {
	c.fullDue = false
	if c.unsendable == hash {
		return nil
	}
	c.unsendable = hash
	return c.cfg.State.PutEvent("snapshot-too-large",
		fmt.Sprintf("The snapshot does not fit a frame of %d bytes and was not sent: remove containers, images or volumes that are not needed.", protocol.MaxFrame))
}

// sendMessages sends a numbered frame; onAck is called when the hub has processed it.
func (c *connection) sendMessages(ctx context.Context, messages []protocol.Message, onAck func() error) error {
	f := c.win.Next(messages)
	if onAck != nil {
		c.onAck[f.Seq] = onAck
	}
	c.lastSent = time.Now()
	return c.sendFrame(ctx, f)
}

func (c *connection) sendFrame(ctx context.Context, f *protocol.Frame) error {
	b, err := c.cfg.Codec.Encode(f)
	if err != nil {
		return err
	}
	c.ackDue, c.askAgain = false, false
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout(c.settings))
	defer cancel()
	if err := c.tr.Send(ctx, b); err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	c.blobs.charge(f.Messages, c.sent(protocol.ClassOf(f.Messages)))
	c.quiet = time.Now()
	if !c.tr.Push() {
		c.received(protocol.ClassSession) // what came without a frame
		c.contacted()                     // the answer was handed over, or there was nothing to say
	}
	c.log.Debug("frame sent", "seq", f.Seq, "bytes", len(b), "messages", len(f.Messages), "carrier", c.tr.Name())
	return nil
}

// repeat sends everything again that was not acknowledged.
func (c *connection) repeat(ctx context.Context) error {
	c.lastSent = time.Now()
	for _, f := range c.win.Repeat() {
		err := c.sendFrame(ctx, f)
		if errors.Is(err, protocol.ErrTooLarge) { // it never will be sent: say everything anew, in other frames
			c.win = nil
			return fmt.Errorf("%w: %w", errNotKept, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
