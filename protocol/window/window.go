// Package window numbers, acknowledges and repeats the frames of one session, the same way on both sides and on
// every carrier. It makes an unreliable, duplicating, reordering exchange of frames into one where each numbered
// frame is processed once and in order for as long as the session lives.
//
// It never sends, waits or encodes anything itself, and it keeps nothing through a restart: what must survive is
// kept by its users, under ids of its own, and sent again in the next session.
//
// A Window belongs to one goroutine or is guarded by its user's lock.
package window

import (
	"slices"

	"github.com/farshore/farshore/protocol"
)

// MaxUnacked is how many numbered frames may be under way; Full tells when no more should be sent.
const MaxUnacked = 32

// Window is one side's end of a session.
type Window struct {
	session  uint64
	sent     uint64            // number of the last frame sent
	acked    uint64            // highest number the other side has processed
	received uint64            // highest number processed here
	unacked  []*protocol.Frame // frames acked+1 … sent
}

// New returns the end of a session in which nothing was sent or received yet.
func New(session uint64) *Window { return &Window{session: session} }

// Session is the number the agent gave this session.
func (w *Window) Session() uint64 { return w.session }

// Received is the highest frame number processed here.
func (w *Window) Received() uint64 { return w.received }

// Sent is the number of the last frame sent.
func (w *Window) Sent() uint64 { return w.sent }

// Full reports that no further frame should be sent before one is acknowledged.
func (w *Window) Full() bool { return len(w.unacked) >= MaxUnacked }

// Idle reports that everything sent was acknowledged.
func (w *Window) Idle() bool { return len(w.unacked) == 0 }

// Next makes the next numbered frame of messages and remembers it until it is acknowledged.
func (w *Window) Next(messages []protocol.Message) *protocol.Frame {
	w.sent++
	f := &protocol.Frame{Session: w.session, Seq: w.sent, Ack: w.received, Messages: messages}
	w.unacked = append(w.unacked, f)
	return f
}

// Ack makes a frame that only acknowledges.
func (w *Window) Ack() *protocol.Frame { return &protocol.Frame{Session: w.session, Ack: w.received} }

// Missing makes a frame that acknowledges and asks for what is missing after that.
func (w *Window) Missing() *protocol.Frame {
	return &protocol.Frame{Session: w.session, Ack: w.received, Repeat: true}
}

// Repeat returns the frames that were not acknowledged, oldest first, with the present acknowledgement.
func (w *Window) Repeat() []*protocol.Frame {
	for _, f := range w.unacked {
		f.Ack = w.received
	}
	return slices.Clone(w.unacked)
}

// Verdict is what is to be done with a received frame.
type Verdict int

// Verdicts.
const (
	// Deliver: process the messages, make durable what must be, then call Done; or do not, and it will come again.
	Deliver Verdict = iota
	// Bare: the frame has no number; process its messages (Error), nothing to acknowledge.
	Bare
	// Duplicate: it was processed before; send Ack.
	Duplicate
	// Gap: an earlier frame is missing; send Missing.
	Gap
	// Foreign: it belongs to another session, or acknowledges what was never sent; drop it.
	Foreign
)

// Receive judges a frame and takes over its acknowledgement. It returns the frames that are acknowledged by it for
// the first time, oldest first.
func (w *Window) Receive(f *protocol.Frame) (Verdict, []*protocol.Frame) {
	if f.Session != w.session || f.Ack > w.sent {
		return Foreign, nil
	}
	var acked []*protocol.Frame
	if f.Ack > w.acked {
		n := int(f.Ack - w.acked)
		acked = slices.Clone(w.unacked[:n])
		w.unacked = slices.Delete(w.unacked, 0, n)
		w.acked = f.Ack
	}
	switch {
	case f.Seq == 0:
		return Bare, acked
	case f.Seq <= w.received:
		return Duplicate, acked
	case f.Seq > w.received+1:
		return Gap, acked
	}
	return Deliver, acked
}

// Done says that the frame of this number was processed; Receive must have said Deliver.
func (w *Window) Done(f *protocol.Frame) {
	if f.Seq == w.received+1 {
		w.received++
	}
}
