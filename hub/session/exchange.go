package session

import (
	"context"
	"errors"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Request is one exchange over a carrier that cannot be pushed to.
type Request struct {
	Device protocol.DeviceID
	// Boot is the run of the agent that authenticated the connection.
	Boot protocol.Boot
	// Frame as it travelled. Empty: the device only asks whether there is something for it.
	Frame []byte
	// Spent is told what the frame and its answer are for, so that their bytes can be accounted for. nil: nobody counts.
	Spent func(up, down protocol.Class)
}

// Exchange processes a frame of the device and returns the one frame that answers it: a refusal, else the oldest
// frame that the device has not acknowledged, else what there is for it, else an acknowledgement; nothing if the
// frame has no number and there is nothing to say. A device that got a numbered frame may exchange again at once to
// acknowledge it and to get the next.
//
// The error is a *protocol.Error of CodeRevoked, CodeUnknown or CodeCopy when the device may not speak at all, or
// ErrStopped.
func (m *Manager) Exchange(_ context.Context, r Request) ([]byte, error) {
	if _, err := m.c.Devices.Key(r.Device); err != nil { // revoked since the connection was authenticated
		return nil, err
	}
	d, err := m.device(r.Device)
	if err != nil {
		return nil, err
	}
	if m.ctx.Err() != nil {
		return nil, ErrStopped
	}
	if err := d.admitExchange(r.Boot); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.contact(now, protocol.CarrierHTTPS)
	d.poll(now)
	a := arrival{raw: r.Frame, boot: r.Boot, carrier: protocol.CarrierHTTPS, at: now}
	var ans answer
	if len(r.Frame) > 0 {
		ans = d.receive(a)
	} else {
		ans = d.ask(a)
	}
	f := d.single(ans)
	if r.Spent != nil {
		down := protocol.ClassSession
		if f != nil {
			down = protocol.ClassOf(f.Messages)
		}
		r.Spent(ans.up, down)
	}
	if f == nil {
		return nil, nil
	}
	b, err := m.c.Codec.Encode(f)
	if err != nil {
		m.c.Log.Error("frame could not be encoded, the session is begun anew", "device", d.id, "seq", f.Seq, "error", err)
		d.drop()
		return m.c.Codec.Encode(d.refusal(0, helloWanted()))
	}
	return b, nil
}

// admitExchange makes sure that no other run of the agent is alive. An exchange of the same run ends its link: the
// agent has changed its carrier.
func (d *device) admitExchange(boot protocol.Boot) error {
	if l := d.current(); l == nil {
		d.mu.Lock()
		same := d.boot == boot
		d.mu.Unlock()
		if same { // the usual case takes no lock that an Attach holds
			return nil
		}
	}
	if !d.attaching.TryLock() {
		e := refused(protocol.CodeBusy, "another connection of this device is being looked at")
		e.RetryAfter = uint32(d.m.c.Probe/time.Second) + 1
		return e
	}
	defer d.attaching.Unlock()
	return d.admit(boot)
}

// ask answers an exchange without a frame.
func (d *device) ask(a arrival) answer {
	if !d.allow(a.at) {
		return answer{}
	}
	if d.win == nil || d.boot != a.boot {
		return answer{refusal: d.refusal(0, helloWanted())}
	}
	return answer{fresh: d.build(a.at)}
}

// ErrorFrame encodes an error as the unnumbered frame that tells it to a device. An error that is not of the
// protocol is told as CodeInternal, without its text.
func (m *Manager) ErrorFrame(err error) []byte {
	e := &protocol.Error{Code: protocol.CodeOf(err)}
	var known *protocol.Error
	switch {
	case errors.As(err, &known):
		e = known
	case errors.Is(err, ErrStopped):
		e = &protocol.Error{Code: protocol.CodeBusy, Text: "the hub is stopping: try again", RetryAfter: 5}
	case e.Code == protocol.CodeInternal:
		e.Text = "a fault in the hub, nothing was changed: try again later"
	default:
		e = refused(e.Code, "%v", err)
	}
	msg, merr := protocol.NewMessage(protocol.KindError, e)
	if merr != nil {
		panic(merr) // an Error has no field that can fail to encode
	}
	b, merr := m.c.Codec.Encode(&protocol.Frame{Messages: []protocol.Message{msg}})
	if merr != nil {
		panic(merr) // one Error is far below every limit
	}
	return b
}
