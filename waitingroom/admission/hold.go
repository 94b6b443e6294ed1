package admission

import (
	"context"
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// busyRetry is told to a device whose answer cannot be held, in seconds; heldRetry to one whose answer was held; queueRetry
// to one that comes when too many others are being looked at.
const (
	busyRetry  = 60
	heldRetry  = 1
	queueRetry = 10
)

// hold waits for a decision where the knock asks for it, and answers.
func (d *Desk) hold(ctx context.Context, k *knocker, e *entry) protocol.KnockAnswer {
	d.mu.Lock()
	changed, can := e.changed, k.Hold && e.rec.State == waitingroom.StateWaiting && !e.gone && d.held < d.cfg.MaxHeld
	if can {
		d.held++
	}
	d.mu.Unlock()
	retry := uint32(0)
	if k.Hold {
		retry = busyRetry
	}
	if can {
		timer := time.NewTimer(d.cfg.HoldTime)
		select {
		case <-changed:
		case <-timer.C:
			retry = heldRetry
		case <-ctx.Done():
		case <-d.closing:
		}
		timer.Stop()
		d.mu.Lock()
		d.held--
		d.mu.Unlock()
	}
	return d.tell(e, retry)
}

// tell says where the entry stands now.
func (d *Desk) tell(e *entry, retry uint32) protocol.KnockAnswer {
	d.mu.Lock()
	rec, gone := e.rec, e.gone
	d.mu.Unlock()
	a := protocol.KnockAnswer{State: protocol.KnockWaiting, PairingCode: rec.PairingCode, RetryAfter: retry}
	switch {
	case gone && d.cfg.Devices.Standing(rec.ID) == Approved:
		a = protocol.KnockAnswer{State: protocol.KnockApproved}
	case gone: // its enrolment key was removed: the next knock says so
		a.RetryAfter = heldRetry
	case rec.State == waitingroom.StateRejected:
		a.State, a.Code, a.RetryAfter = protocol.KnockRejected, protocol.CodeRejected, 0
		a.Text = "an operator rejected this device: ask them to approve it if that was a mistake"
	case rec.State == waitingroom.StateBlocked:
		a.State, a.Code, a.RetryAfter = protocol.KnockRejected, protocol.CodeRejected, 0
		a.Text = "an operator blocked this device"
	}
	return answer(a)
}

func shown(rec waitingroom.Waiting) string {
	if rec.Facts.Hostname != "" {
		return fmt.Sprintf("device %s (%s)", rec.ID, rec.Facts.Hostname)
	}
	return fmt.Sprintf("device %s", rec.ID)
}
