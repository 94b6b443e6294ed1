package admission

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// Approval is an operator's yes.
type Approval struct {
	// ID of the device. Empty: the device with the pairing code Code.
	ID protocol.DeviceID
	// Code is the pairing code as the approver read it off the device; with it the approval is confirmed. Empty:
	// unconfirmed.
	Code string
	// Name, Group, Profile and Labels are given to the device. Empty: those of the enrolment key; the name then is the
	// claimed host name.
	Name    string
	Group   string
	Profile string
	Labels  map[string]string
	// By is the operator's name.
	By string
}

// Rejection is an operator's no.
type Rejection struct {
	ID protocol.DeviceID
	// Block: for good.
	Block bool
	// Undo takes an earlier no back: the device waits again. It goes before Block.
	Undo bool
	By   string
}

// List returns all devices in the waiting room, rejected and blocked ones included, longest waiting first.
func (d *Desk) List() []waitingroom.Waiting {
	d.mu.Lock()
	list := make([]waitingroom.Waiting, 0, len(d.room))
	for _, e := range d.room {
		if e.rec.Count > 0 { // else it is still being let in or stored
			list = append(list, copied(e.rec))
		}
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b waitingroom.Waiting) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// copied keeps callers from changing the desk's own record.
func copied(w waitingroom.Waiting) waitingroom.Waiting {
	w.Labels, w.Marks, w.Notes = maps.Clone(w.Labels), slices.Clone(w.Marks), slices.Clone(w.Notes)
	return w
}

// Approve lets a device in and tells it at once if it holds a connection. Devices that were rejected or blocked can be
// approved too. Errors wrap ErrNotWaiting, ErrWrongCode, ErrNoUses, waitingroom.ErrPairingCode, or come from Devices.
func (d *Desk) Approve(ctx context.Context, a Approval) (Admitted, error) {
	code := ""
	if a.Code != "" {
		var err error
		if code, err = waitingroom.NormalizeCode(a.Code); err != nil {
			return Admitted{}, err
		}
	}
	e, err := d.find(a.ID, code)
	if err != nil {
		return Admitted{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d.mu.Lock()
	rec, gone := e.rec, e.gone
	d.mu.Unlock()
	switch {
	case gone:
		return Admitted{}, notWaiting(rec.ID)
	case code != "" && code != rec.PairingCode:
		return Admitted{}, fmt.Errorf("%w: device %s has another one than %s: compare it with the display of the device, and reject the device if it is not the one in front of you", ErrWrongCode, rec.ID, code)
	}
	yes := approval{by: a.By, confirmed: code != "", Approval: a}
	if err := d.admit(ctx, e, rec, yes); err != nil {
		return Admitted{}, err
	}
	return d.admitted(rec, yes), nil
}

func (d *Desk) find(id protocol.DeviceID, code string) (*entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id == "" {
		if id = d.codes[code]; id == "" {
			return nil, fmt.Errorf("%w with the pairing code %q: it knocks when it is switched on, and when `farshore-agent knock` is called on it", ErrNotWaiting, code)
		}
	}
	e := d.room[id]
	if e == nil || e.rec.Count == 0 {
		return nil, notWaiting(id)
	}
	return e, nil
}

// groupOf is the group of the enrolment key that a device knocked with; "" where it was removed.
func (d *Desk) groupOf(rec waitingroom.Waiting) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if key := d.keys[rec.EnrolmentKey]; key != nil {
		return key.Group
	}
	return ""
}

func notWaiting(id protocol.DeviceID) error {
	return fmt.Errorf("%w: %s: it may have been approved meanwhile, or has not knocked yet", ErrNotWaiting, id)
}

// approval is a yes by an operator or a rule.
type approval struct {
	Approval
	by        string
	confirmed bool
}

// admit counts the use, lets the device in, and takes it out of the room, in this order, so that a crash in between counts
// no use twice and loses no device. e.mu must be held; rec is what e.rec becomes.
func (d *Desk) admit(ctx context.Context, e *entry, rec waitingroom.Waiting, yes approval) error {
	if err := d.charge(e, &rec); err != nil {
		return err
	}
	who := d.admitted(rec, yes)
	if err := d.cfg.Devices.Admit(ctx, who); err != nil {
		return errors.Join(fmt.Errorf("let device %s in: %w", rec.ID, err), d.refund(e, rec))
	}
	if err := d.leave(e); err != nil {
		// The device is in; its next knock clears the rest away.
		d.cfg.Log.Warn("device is in but still listed in the waiting room", "device", rec.ID, "error", err)
	}
	d.cfg.Log.Info("device approved", "device", rec.ID, "name", who.Name, "by", who.By, "confirmed", who.Confirmed)
	d.cfg.Notify(Note{Kind: NoteApproved, Device: rec.ID, Group: who.Group, Text: fmt.Sprintf("%s was approved as %q by %s", shown(rec), who.Name, who.By)})
	return nil
}

// charge counts one use of the device's enrolment key, durably and at most once.
func (d *Desk) charge(e *entry, rec *waitingroom.Waiting) error {
	d.mu.Lock()
	key := d.keys[rec.EnrolmentKey]
	if key == nil || rec.Charged {
		d.mu.Unlock()
		return nil
	}
	if key.UsedUp() {
		d.mu.Unlock()
		return fmt.Errorf("%w: %q let in %d of %d: reject the device, or give it an edge key of another enrolment key", ErrNoUses, key.Name, key.Used, key.Uses)
	}
	charged := *key
	charged.Used++
	d.keys[key.ID] = &charged // taken at once, so that two devices cannot have the same last use
	d.mu.Unlock()
	rec.Charged = true
	if err := d.cfg.Store.ChargeWaiting(*rec, 1); err != nil {
		d.give(key.ID)
		return fmt.Errorf("count a use of enrolment key %q: %w", charged.Name, err)
	}
	d.mu.Lock()
	d.update(e, *rec)
	d.mu.Unlock()
	return nil
}

// give takes one use back in memory and returns the key, nil when it is gone.
func (d *Desk) give(id string) *waitingroom.EnrolmentKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := d.keys[id]
	if key == nil || key.Used == 0 {
		return nil
	}
	back := *key
	back.Used--
	d.keys[id] = &back
	return &back
}

// refund takes back the use that charge counted, for a device that could not be let in.
func (d *Desk) refund(e *entry, rec waitingroom.Waiting) error {
	if !rec.Charged {
		return nil
	}
	rec.Charged = false
	key := d.give(rec.EnrolmentKey)
	if key == nil {
		return nil
	}
	if err := d.cfg.Store.ChargeWaiting(rec, -1); err != nil {
		return fmt.Errorf("take back a use of enrolment key %q: %w", key.Name, err)
	}
	d.mu.Lock()
	d.update(e, rec)
	d.mu.Unlock()
	return nil
}

// admitted puts together what the device is let in with.
func (d *Desk) admitted(rec waitingroom.Waiting, yes approval) Admitted {
	d.mu.Lock()
	key := d.keys[rec.EnrolmentKey]
	d.mu.Unlock()
	if key == nil {
		key = &waitingroom.EnrolmentKey{}
	}
	labels := make(map[string]string, len(key.Labels)+len(yes.Labels))
	maps.Copy(labels, key.Labels)
	maps.Copy(labels, yes.Labels)
	return Admitted{
		ID: rec.ID, Key: ed25519.PublicKey(rec.Key),
		Name:      cmp.Or(yes.Name, key.DeviceName, rec.Facts.Hostname, string(rec.ID)),
		NameGiven: yes.Name != "" || key.DeviceName != "",
		Group:     cmp.Or(yes.Group, key.Group), Profile: yes.Profile,
		Labels: labels, Wishes: maps.Clone(rec.Labels), Facts: rec.Facts,
		Confirmed: yes.confirmed || key.SingleDevice, By: yes.by, EnrolmentKey: rec.EnrolmentKey,
	}
}

// Reject says no to a device, and tells it at once if it holds a connection. The decision stays until it is taken back,
// or the device is approved.
func (d *Desk) Reject(r Rejection) error {
	e, err := d.find(r.ID, "")
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d.mu.Lock()
	rec, gone := e.rec, e.gone
	d.mu.Unlock()
	if gone {
		return notWaiting(r.ID)
	}
	rec.State, rec.Decided, rec.By = waitingroom.StateRejected, time.Now().Unix(), r.By
	kind := NoteRejected
	switch {
	case r.Undo:
		rec.State, rec.Decided, rec.By, kind = waitingroom.StateWaiting, 0, "", NoteArrived
	case r.Block:
		rec.State = waitingroom.StateBlocked
	}
	if err := d.cfg.Store.PutWaiting(rec); err != nil {
		return fmt.Errorf("store that device %s was %s: %w", rec.ID, rec.State, err)
	}
	d.mu.Lock()
	d.update(e, rec)
	e.wake()
	d.mu.Unlock()
	d.cfg.Log.Info("device rejected, or waits again", "device", rec.ID, "state", rec.State, "by", r.By)
	text := fmt.Sprintf("%s was %s by %s", shown(rec), rec.State, r.By)
	if r.Undo {
		text = fmt.Sprintf("%s waits again: %s took the no back", shown(rec), r.By)
	}
	d.cfg.Notify(Note{Kind: kind, Device: rec.ID, Group: d.groupOf(rec), Text: text})
	return nil
}
