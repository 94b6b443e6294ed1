package session

import (
	"errors"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
)

// arrival is one frame as it came in.
type arrival struct {
	raw     []byte
	boot    protocol.Boot // of the connection it came on, as authenticated
	carrier protocol.Carrier
	at      time.Time
}

// answer is what is to be sent after a frame was processed.
type answer struct {
	refusal *protocol.Frame   // unnumbered, with an Error; goes first
	fresh   []*protocol.Frame // numbered, or an acknowledgement alone
	repeat  bool              // everything unacknowledged goes again, before fresh
	up      protocol.Class    // what the received frame was for
}

// receive processes one frame. It needs d.mu.
func (d *device) receive(a arrival) answer {
	if !d.allow(a.at) {
		if a.at.Sub(d.scolded) < time.Second {
			return answer{}
		}
		d.scolded = a.at
		d.m.c.Log.Warn("device sends more frames than it may", "device", d.id, "carrier", a.carrier)
		e := refused(protocol.CodeBusy, "more than %d frames a second: slow down", d.m.c.Rate)
		e.RetryAfter = 5
		return answer{refusal: d.refusal(0, e)}
	}
	f, err := d.m.c.Codec.Decode(a.raw)
	if err != nil {
		d.m.c.Log.Warn("frame refused", "device", d.id, "carrier", a.carrier, "bytes", len(a.raw), "error", err)
		return answer{refusal: d.refusal(0, refused(protocol.CodeOf(err), "%v", err))}
	}
	ans := d.accept(f, a)
	ans.up = protocol.ClassOf(f.Messages)
	return ans
}

func (d *device) accept(f *protocol.Frame, a arrival) answer {
	if d.opens(f, a.boot) {
		if e := d.begin(f, a); e != nil {
			return answer{refusal: d.refusal(f.Session, e)}
		}
	}
	if d.win == nil || d.boot != a.boot || f.Session != d.win.Session() {
		return answer{refusal: d.refusal(f.Session, helloWanted())}
	}
	verdict, acked := d.win.Receive(f)
	d.acknowledged(acked, a.at)
	ans := answer{repeat: f.Repeat && d.mayRepeat(a.at)}
	switch verdict {
	case window.Foreign: // acknowledges what was never sent: the two sides do not speak of the same session
		d.drop()
		ans.refusal = d.refusal(f.Session, helloWanted())
		return ans
	case window.Gap:
		ans.fresh = append(ans.fresh, d.win.Missing())
		return ans
	case window.Bare:
		d.heed(f)
	case window.Deliver:
		if e := d.deliver(f, a); e != nil {
			ans.refusal = d.refusal(f.Session, e)
		}
	case window.Duplicate:
	}
	ans.fresh = append(ans.fresh, d.build(a.at)...)
	if verdict != window.Bare && len(ans.fresh) == 0 && ans.refusal == nil {
		ans.fresh = append(ans.fresh, d.win.Ack())
	}
	return ans
}

// mayRepeat reports whether the device may ask again for what it has not acknowledged: a few bytes that call for a
// megabyte. What it asks for too soon goes with the next time it asks, or when the acknowledgement is overdue.
func (d *device) mayRepeat(now time.Time) bool {
	if now.Sub(d.repeated) < repeatEvery {
		return false
	}
	d.repeated = now
	return true
}

// opens reports whether f begins a new session.
func (d *device) opens(f *protocol.Frame, boot protocol.Boot) bool {
	if f.Seq != 1 || len(f.Messages) == 0 || f.Messages[0].Kind != protocol.KindHello {
		return false
	}
	return d.win == nil || d.win.Session() != f.Session || d.boot != boot
}

// begin opens the session that f's hello asks for.
func (d *device) begin(f *protocol.Frame, a arrival) *protocol.Error {
	var h protocol.Hello
	if err := f.Messages[0].Decode(&h); err != nil {
		return refused(protocol.CodeOf(err), "%v", err)
	}
	if h.Capability < protocol.OldestCapability {
		return refused(protocol.CodeTooOld, "this agent speaks version %d of the protocol, this hub needs %d or newer: update farshore-agent on the device",
			h.Capability, protocol.OldestCapability)
	}
	if string(h.BootID) != string(a.boot.ID[:]) || h.BootCounter != a.boot.Counter {
		return refused(protocol.CodeMalformed, "hello names another run of the agent than the connection it came on")
	}
	if len(h.Wishes) > protocol.MaxLabels {
		return refused(protocol.CodeTooLarge, "hello wishes for %d labels, at most %d: give the agent fewer", len(h.Wishes), protocol.MaxLabels)
	}
	d.judgeBoot(a.boot)
	if err := d.m.c.Devices.Hello(d.id, &h); err != nil {
		d.m.c.Log.Error("hello could not be kept", "device", d.id, "error", err)
		e := refused(protocol.CodeBusy, "the hub could not store the hello: it is tried again")
		e.RetryAfter = 30
		return e
	}
	d.drop()
	d.win, d.boot, d.hello, d.started = window.New(f.Session), a.boot, h, a.at
	d.m.c.Orders.Begin(d.id, &h)
	s := d.settings()
	d.slot = slotOf(d.id, min(shortest(s), 10*time.Minute))
	d.greet(h)
	d.opening, d.goesBy, d.polled = true, 0, a.at
	d.p.Lock()
	d.dirty = a.at
	d.p.Unlock()
	if a.carrier == protocol.CarrierHTTPS {
		d.back(a.at)
	}
	d.m.c.Log.Info("session begins", "device", d.id, "carrier", a.carrier, "boot", a.boot.Counter,
		"version", protocol.Printable(h.Version, protocol.MaxName))
	return nil
}

// greet queues what answers a hello, orders apart.
func (d *device) greet(h protocol.Hello) {
	d.say(protocol.KindWelcome, protocol.Welcome{
		Capability: protocol.Capability,
		Time:       time.Now().UnixMilli(),
		Spread:     spread(d.m.c.Fleet()),
		Slot:       uint32(d.slot.Milliseconds()),
		Version:    d.m.c.Version,
	})
	if have := d.m.c.Snapshot(d.id); !h.Snapshot.IsZero() && h.Snapshot != have {
		d.say(protocol.KindFullWanted, struct{}{})
	}
}

// judgeBoot raises what a new run of the agent tells about the device's identity. It needs d.mu.
func (d *device) judgeBoot(boot protocol.Boot) {
	last := d.boot
	if boot == last || last == (protocol.Boot{}) {
		return
	}
	switch {
	case slices.Contains(d.earlier, boot.ID):
		d.raise(EventCopy, "an earlier run of this device's agent came back after a later one: two agents use one identity. Revoke the device, and let each machine join by itself")
	case boot.Counter <= last.Counter:
		d.raise(EventBootWentBack, "the device counts fewer starts of its agent than before: it was restored from an image, or its data folder was copied")
	}
	d.earlier = append(d.earlier, last.ID)
	if len(d.earlier) > 4 {
		d.earlier = d.earlier[1:]
	}
}

func (d *device) raise(kind, text string) {
	d.m.c.Log.Warn(text, "device", d.id, "kind", kind)
	d.m.c.Event(d.id, kind, text)
}

// deliver hands the messages of the next frame to their handlers, and counts the frame as processed unless a handler
// failed on this side.
func (d *device) deliver(f *protocol.Frame, a arrival) (refusal *protocol.Error) {
	from := &Peer{ID: d.id, Hello: d.hello, Carrier: a.carrier, At: a.at}
	for i, msg := range f.Messages {
		if msg.Kind == protocol.KindHello && f.Seq == 1 && i == 0 {
			continue
		}
		replies, err := d.handle(from, msg)
		var e *protocol.Error
		switch {
		case errors.As(err, &e):
			refusal = &protocol.Error{Code: e.Code, Text: e.Text, Kind: msg.Kind, RetryAfter: e.RetryAfter}
		case errors.Is(err, protocol.ErrMalformed), errors.Is(err, protocol.ErrTooLarge):
			refusal = refused(protocol.CodeOf(err), "%v", err)
			refusal.Kind = msg.Kind
		case err != nil:
			d.m.c.Log.Error("message could not be processed, the device will send it again", "device", d.id, "kind", msg.Kind, "error", err)
			refusal = refused(protocol.CodeInternal, "the hub could not process %s; nothing was changed, send it again", msg.Kind)
			refusal.Kind, refusal.RetryAfter = msg.Kind, 30
			return refusal // not processed: it comes again
		}
		if full := d.enqueue(replies); full != nil {
			full.Kind = msg.Kind
			refusal = full
		}
	}
	d.win.Done(f)
	return refusal
}

func (d *device) handle(from *Peer, msg protocol.Message) ([]protocol.Message, error) {
	if msg.Kind == protocol.KindHello {
		return nil, refused(protocol.CodeMalformed, "hello is only legal as the first message of frame 1")
	}
	h := d.m.c.Handlers[msg.Kind]
	if h == nil {
		d.m.mu.Lock()
		d.m.skipped++
		d.m.mu.Unlock()
		return nil, nil
	}
	return h(d.m.ctx, from, msg)
}

// heed logs what a device complains of.
func (d *device) heed(f *protocol.Frame) {
	for _, msg := range f.Messages {
		var e protocol.Error
		if msg.Kind == protocol.KindError && msg.Decode(&e) == nil {
			d.m.c.Log.Warn("device refused something", "device", d.id, "code", e.Code, "kind", e.Kind,
				"text", protocol.Printable(e.Text, protocol.MaxName))
			return // a frame without a number carries at most one
		}
	}
}

func helloWanted() *protocol.Error {
	return refused(protocol.CodeHelloWanted, "this session is not known here")
}

// refusal makes the unnumbered frame that carries e. It needs d.mu.
func (d *device) refusal(session uint64, e *protocol.Error) *protocol.Frame {
	f := &protocol.Frame{Session: session}
	if d.win != nil && (session == 0 || session == d.win.Session()) {
		f.Session, f.Ack = d.win.Session(), d.win.Received()
	}
	msg, err := protocol.NewMessage(protocol.KindError, e)
	if err != nil {
		panic(err) // an Error has no field that can fail to encode
	}
	f.Messages = []protocol.Message{msg}
	return f
}
