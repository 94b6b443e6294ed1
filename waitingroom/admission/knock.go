package admission

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// staleAfter is when a device that no longer knocks may lose its place to a newcomer, if its enrolment key has none left.
const staleAfter = 14 * 24 * time.Hour

// calm is how many seconds after its last knock a device's changed facts are stored at once.
const calm = 10

// knocker is a knock whose signature was verified.
type knocker struct {
	protocol.Knock
	id  protocol.DeviceID
	pub ed25519.PublicKey
	req KnockRequest
}

// Knock answers a device. A knock that asks for it is held until somebody decides, ctx ends, or HoldTime is over, and then
// answered. Refusals are answers; an error is a fault of the hub (or, wrapping protocol.ErrMalformed or
// protocol.ErrBadSignature, a knock that is none) and changes nothing on the device.
func (d *Desk) Knock(ctx context.Context, req KnockRequest) (protocol.KnockAnswer, error) {
	k, err := verify(req)
	if err != nil {
		return protocol.KnockAnswer{}, err
	}
	e, err := d.receive(ctx, k)
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused):
		return answer(protocol.KnockAnswer{
			State: protocol.KnockRefused, Code: refused.Code, Text: refused.Text, RetryAfter: refused.RetryAfter,
		}), nil
	case err != nil:
		return protocol.KnockAnswer{}, err
	case e == nil:
		return answer(protocol.KnockAnswer{State: protocol.KnockApproved}), nil
	}
	return d.hold(ctx, k, e), nil
}

func answer(a protocol.KnockAnswer) protocol.KnockAnswer {
	a.Time = time.Now().UnixMilli()
	return a
}

// verify checks form and signature and cleans the claims.
func verify(req KnockRequest) (*knocker, error) {
	k := &knocker{req: req}
	if err := protocol.Unmarshal(req.Signed.Knock, &k.Knock); err != nil {
		return nil, fmt.Errorf("knock: %w", err)
	}
	if len(k.Key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("knock: %w: a device key of %d bytes", protocol.ErrMalformed, len(k.Key))
	}
	k.pub = k.Key
	if err := protocol.VerifyConnection(k.pub, protocol.ConnectionSignature{
		Purpose: protocol.PurposeKnock, Detail: string(req.Signed.Knock), Exporter: req.Exporter, Sig: req.Signed.Sig,
	}); err != nil {
		return nil, fmt.Errorf("knock: %w", err)
	}
	k.id = protocol.DeviceIDFor(k.pub)
	if len(k.Labels) > protocol.MaxLabels {
		return nil, fmt.Errorf("knock of %s: %w: %d labels, at most %d", k.id, protocol.ErrTooLarge, len(k.Labels), protocol.MaxLabels)
	}
	for _, s := range []*string{
		&k.Facts.Hostname, &k.Facts.OS, &k.Facts.Arch, &k.Facts.Engine, &k.Facts.Serial, &k.Facts.MachineID,
		&k.Facts.Version, &k.Facts.Name,
	} {
		*s = clean(*s)
	}
	labels := make(map[string]string, len(k.Labels))
	for name, value := range k.Labels {
		labels[clean(name)] = clean(value)
	}
	k.Labels = labels
	return k, nil
}

// clean makes a stranger's text fit to be stored and shown: no control characters, at most MaxName bytes.
func clean(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
	if len(s) > protocol.MaxName {
		s = strings.ToValidUTF8(s[:protocol.MaxName], "")
	}
	return s
}

// receive finds out where the device stands: nil is "in", an entry is "in the waiting room", a *protocol.Error a refusal.
func (d *Desk) receive(ctx context.Context, k *knocker) (*entry, error) {
	for {
		standing := d.cfg.Devices.Standing(k.id)
		if standing == Approved {
			return nil, d.forget(k.id)
		}
		if k.Facts.Capability < protocol.OldestCapability {
			return nil, &protocol.Error{Code: protocol.CodeTooOld, Text: "this farshore-agent is too old for its hub: update it"}
		}
		key, err := d.proven(k)
		if err != nil {
			return nil, err
		}
		e, err := d.enter(ctx, k, key)
		if err != nil {
			return nil, err
		}
		outcome, err := d.refresh(ctx, k, e, d.look(k, standing))
		switch {
		case err != nil:
			return nil, err
		case outcome == letIn:
			return nil, nil
		case outcome == waits:
			return e, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
	}
}

// outcome of a knock.
type outcome int

const (
	waits outcome = iota
	letIn
	overtaken // somebody decided meanwhile: look again
)

// forget clears away what the waiting room still has of a device that is in, after a crash.
func (d *Desk) forget(id protocol.DeviceID) error {
	d.mu.Lock()
	e := d.room[id]
	d.mu.Unlock()
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return d.leave(e)
}

// leave removes e from store and room and tells its held knocks. e.mu must be held.
func (d *Desk) leave(e *entry) error {
	if err := d.cfg.Store.RemoveWaiting(e.rec.ID); err != nil {
		return fmt.Errorf("remove %s from the waiting room: %w", e.rec.ID, err)
	}
	d.mu.Lock()
	d.drop(e)
	e.wake()
	d.mu.Unlock()
	return nil
}

// proven returns the enrolment key whose secret the knock proves to know.
func (d *Desk) proven(k *knocker) (*waitingroom.EnrolmentKey, error) {
	d.mu.Lock()
	key := d.keys[k.EnrolmentKey]
	d.mu.Unlock()
	if key != nil {
		secret, err := d.cfg.Vault.Open(sealPurpose(key.ID), key.SecretSealed)
		if err != nil {
			return nil, &protocol.Error{
				Code: protocol.CodeKeyUnknown,
				Text: "the hub cannot check this edge key any more, because its own secrets.key was lost or replaced: ask for a new edge key",
			}
		}
		if waitingroom.VerifyProof(k.Proof, secret, k.req.Exporter, k.pub) {
			return key, nil
		}
	}
	d.noteUnknown(k)
	return nil, &protocol.Error{
		Code: protocol.CodeKeyUnknown,
		Text: "the hub does not know this edge key, or it was removed: ask for a new one",
	}
}

// enter returns the device's entry, making one in memory when it is new and its enrolment key has room.
func (d *Desk) enter(ctx context.Context, k *knocker, key *waitingroom.EnrolmentKey) (*entry, error) {
	d.mu.Lock()
	e := d.room[k.id]
	d.mu.Unlock()
	if e != nil {
		return e, nil
	}
	if err := key.Refusal(time.Now()); err != nil {
		return nil, err
	}
	if err := d.makeRoom(key); err != nil {
		return nil, err
	}
	code, err := d.code(ctx, k, key)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.room[k.id]; e != nil {
		return e, nil
	}
	if _, taken := d.codes[code]; taken {
		return nil, &protocol.Error{Code: protocol.CodeSameCode, Text: fmt.Sprintf(
			"another device with the pairing code %s is in the waiting room: approve or reject that one first, or remove this device's data folder so that it makes a new key", code)}
	}
	if d.waiting[key.ID] >= maxWaiting(key) {
		return nil, tooMany(key)
	}
	now := time.Now().Unix()
	e = &entry{changed: make(chan struct{}), rec: waitingroom.Waiting{
		ID: k.id, Key: k.pub, PairingCode: code, EnrolmentKey: key.ID, State: waitingroom.StateWaiting, First: now, Last: now,
	}}
	d.place(e)
	return e, nil
}

func maxWaiting(key *waitingroom.EnrolmentKey) int {
	if key.MaxWaiting == 0 {
		return waitingroom.DefaultMaxWaiting
	}
	return int(key.MaxWaiting)
}

func tooMany(key *waitingroom.EnrolmentKey) error {
	return &protocol.Error{Code: protocol.CodeTooMany, Text: fmt.Sprintf(
		"%d devices wait for the enrolment key %q already: approve or reject some of them first", maxWaiting(key), key.Name)}
}

// makeRoom refuses a newcomer when the key's places are taken, unless a device that stopped knocking can lose its own.
func (d *Desk) makeRoom(key *waitingroom.EnrolmentKey) error {
	before := time.Now().Add(-staleAfter).Unix()
	d.mu.Lock()
	var stale *entry
	full := d.waiting[key.ID] >= maxWaiting(key)
	if full {
		for _, e := range d.room {
			if e.rec.EnrolmentKey == key.ID && e.rec.State == waitingroom.StateWaiting && e.rec.Last < before &&
				(stale == nil || e.rec.Last < stale.rec.Last) {
				stale = e
			}
		}
	}
	d.mu.Unlock()
	switch {
	case !full:
		return nil
	case stale == nil:
		return tooMany(key)
	}
	stale.mu.Lock()
	defer stale.mu.Unlock()
	if stale.rec.Last >= before || stale.rec.State != waitingroom.StateWaiting {
		return tooMany(key) // it came back this moment
	}
	return d.leave(stale)
}

// code computes the pairing code of a newcomer, which is dear: few at a time, and none for whom there is no place any
// more when its turn has come. When too many wait for their turn, they are sent away, so that the holder of one edge key
// cannot keep any number of connections or the processor busy.
func (d *Desk) code(ctx context.Context, k *knocker, key *waitingroom.EnrolmentKey) (string, error) {
	if d.queue.Add(1) > int64(d.cfg.MaxQueue) {
		d.queue.Add(-1)
		return "", &protocol.Error{Code: protocol.CodeBusy, Text: "many new devices knock at this moment: it is tried again", RetryAfter: queueRetry}
	}
	defer d.queue.Add(-1)
	select {
	case d.coding <- struct{}{}:
		defer func() { <-d.coding }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	d.mu.Lock()
	_, placed := d.room[k.id]
	full := !placed && d.waiting[key.ID] >= maxWaiting(key)
	d.mu.Unlock()
	if full {
		return "", tooMany(key)
	}
	return waitingroom.PairingCode(k.pub), nil
}

// refresh brings the entry up to date with the knock and lets the device in when a rule says so.
func (d *Desk) refresh(ctx context.Context, k *knocker, e *entry, f finding) (outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d.mu.Lock()
	key, before, gone := d.keys[k.EnrolmentKey], e.rec, e.gone
	d.mu.Unlock()
	switch {
	case gone || key == nil:
		return overtaken, nil
	case before.State == waitingroom.StateBlocked:
		return waits, nil
	}
	fresh := before.Count == 0
	if err := key.Refusal(time.Now()); err != nil && fresh {
		d.abandon(e)
		return waits, err // others had the last uses a moment ago
	}
	rec := before
	rec.Last, rec.Count = time.Now().Unix(), rec.Count+1
	rec.Facts, rec.Labels, rec.Remote = k.Facts, k.Labels, k.req.Remote.Unmap().String()
	rec.EnrolmentKey, rec.Marks, rec.Notes = key.ID, f.marks, f.notes

	if d.byRule(rec, key, k) {
		err := d.admit(ctx, e, rec, approval{by: fmt.Sprintf("rule of key %q", key.Name), confirmed: key.SingleDevice})
		switch {
		case err == nil:
			return letIn, nil
		case fresh:
			d.abandon(e)
		}
		if !errors.Is(err, ErrNoUses) {
			return waits, err
		}
		if fresh {
			return overtaken, nil
		}
	}
	return waits, d.keep(e, before, rec)
}

// keep makes rec the record of e, storing it when more than its counts changed; for a device that knocks again and again
// with other facts, Run does so with the counts. e.mu must be held.
func (d *Desk) keep(e *entry, before, rec waitingroom.Waiting) error {
	fresh, stored := before.Count == 0, false
	if fresh || differs(before, rec) && rec.Last-before.Last >= calm {
		if err := d.cfg.Store.PutWaiting(rec); err != nil {
			if fresh {
				d.abandon(e)
			}
			return fmt.Errorf("store waiting device %s: %w", rec.ID, err)
		}
		stored = true
	}
	d.mu.Lock()
	d.update(e, rec)
	e.dirty = !stored
	d.mu.Unlock()
	if fresh {
		d.cfg.Log.Info("device knocked and waits for approval", "device", rec.ID, "key", rec.EnrolmentKey, "pairing_code", rec.PairingCode, "remote", rec.Remote)
		d.cfg.Notify(Note{Kind: NoteArrived, Device: rec.ID, Group: d.groupOf(rec), Text: fmt.Sprintf("%s knocked and waits for approval, pairing code %s", shown(rec), rec.PairingCode)})
	}
	return nil
}

// abandon drops an entry that could not be stored or let in; the device's next knock makes a new one. e.mu must be held.
func (d *Desk) abandon(e *entry) {
	if err := d.cfg.Store.RemoveWaiting(e.rec.ID); err != nil {
		d.cfg.Log.Warn("device that could not be let in stays in the waiting room until it knocks again", "device", e.rec.ID, "error", err)
	}
	d.mu.Lock()
	d.drop(e)
	d.mu.Unlock()
}

// update replaces the record of e, keeping counts by key right. d.mu must be held.
func (d *Desk) update(e *entry, rec waitingroom.Waiting) {
	d.uncount(e)
	e.rec = rec
	if rec.State == waitingroom.StateWaiting {
		d.waiting[rec.EnrolmentKey]++
	}
}

// byRule tells whether the device comes in without a person.
func (d *Desk) byRule(rec waitingroom.Waiting, key *waitingroom.EnrolmentKey, k *knocker) bool {
	return rec.State == waitingroom.StateWaiting && len(rec.Marks) == 0 && key.AutoApprove != nil &&
		(rec.Charged || key.Refusal(time.Now()) == nil) && key.AutoApprove.Matches(rec.Facts, k.req.Remote)
}

// differs tells whether more than the counts changed.
func differs(a, b waitingroom.Waiting) bool {
	return a.Facts != b.Facts || a.Remote != b.Remote || a.EnrolmentKey != b.EnrolmentKey || !maps.Equal(a.Labels, b.Labels) ||
		!slices.Equal(a.Marks, b.Marks) || !slices.Equal(a.Notes, b.Notes)
}
