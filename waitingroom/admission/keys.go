package admission

import (
	"cmp"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

const secretSize = 16

// KeySpec says what enrolment key to make.
type KeySpec struct {
	// Name for people, 1 to MaxName bytes.
	Name string
	// Uses is how many devices may join. 0: any number; for a single device always 1.
	Uses uint32
	// Expires is when no more devices may come. Zero: never.
	Expires time.Time
	// AutoApprove lets devices in by rule. nil: by hand.
	AutoApprove *waitingroom.Rule
	// Group and Labels are given to each device.
	Group  string
	Labels map[string]string
	// MaxWaiting bounds the waiting devices. 0: waitingroom.DefaultMaxWaiting.
	MaxWaiting uint32
	// DeviceName makes the key good for one device of that name. Empty: for any device.
	DeviceName string
	// By is the operator's name.
	By string
}

func (s *KeySpec) validate() error {
	switch {
	case s.Name == "" || len(s.Name) > protocol.MaxName:
		return fmt.Errorf("%w: name of %d bytes: want 1 to %d", ErrBadSpec, len(s.Name), protocol.MaxName)
	case len(s.DeviceName) > protocol.MaxName:
		return fmt.Errorf("%w %q: device name of %d bytes: want at most %d", ErrBadSpec, s.Name, len(s.DeviceName), protocol.MaxName)
	case s.DeviceName != "" && s.Uses > 1:
		return fmt.Errorf("%w %q: %d uses for one device named %q: leave out one of the two", ErrBadSpec, s.Name, s.Uses, s.DeviceName)
	case !s.Expires.IsZero() && !s.Expires.After(time.Now()):
		return fmt.Errorf("%w %q: expires at %s, which is past: give a later time", ErrBadSpec, s.Name, s.Expires.UTC().Format(time.RFC3339))
	case len(s.Labels) > protocol.MaxLabels:
		return fmt.Errorf("%w %q: %d labels: want at most %d", ErrBadSpec, s.Name, len(s.Labels), protocol.MaxLabels)
	case s.AutoApprove != nil:
		return s.AutoApprove.Validate()
	}
	return nil
}

// CreateKey makes an enrolment key and returns it with its edge key, which is not kept and cannot be had again.
func (d *Desk) CreateKey(spec KeySpec) (waitingroom.EnrolmentKey, string, error) {
	if err := spec.validate(); err != nil {
		return waitingroom.EnrolmentKey{}, "", err
	}
	raw := make([]byte, 5+secretSize)
	_, _ = rand.Read(raw) // crypto/rand.Read never fails (Go 1.24)
	id, secret := strings.ToLower(base32.StdEncoding.EncodeToString(raw[:5])), raw[5:]
	edge := d.cfg.Hub
	edge.KeyID, edge.Secret, edge.Name = id, secret, spec.DeviceName
	text, err := edge.Encode()
	if err != nil {
		return waitingroom.EnrolmentKey{}, "", err
	}
	key := waitingroom.EnrolmentKey{
		ID: id, Name: spec.Name, SecretSealed: d.cfg.Vault.Seal(sealPurpose(id), secret), Uses: spec.Uses,
		AutoApprove: spec.AutoApprove, Group: spec.Group, Labels: maps.Clone(spec.Labels),
		MaxWaiting:   cmp.Or(spec.MaxWaiting, waitingroom.DefaultMaxWaiting),
		SingleDevice: spec.DeviceName != "", DeviceName: spec.DeviceName,
		Created: time.Now().Unix(), CreatedBy: spec.By,
	}
	if key.SingleDevice {
		key.Uses = 1
	}
	if !spec.Expires.IsZero() {
		key.Expires = spec.Expires.Unix()
	}
	if err := d.cfg.Store.PutEnrolmentKey(key); err != nil {
		return waitingroom.EnrolmentKey{}, "", fmt.Errorf("store enrolment key %q: %w", key.Name, err)
	}
	d.mu.Lock()
	d.keys[id] = &key
	d.mu.Unlock()
	d.cfg.Log.Info("enrolment key made", "key", id, "name", key.Name, "by", spec.By)
	return key, text, nil
}

// probe notes of a key that was stored whether its secret can be read.
func (d *Desk) probe(key *waitingroom.EnrolmentKey) {
	if _, err := d.cfg.Vault.Open(sealPurpose(key.ID), key.SecretSealed); err != nil {
		key.Unusable = "its secret cannot be read, since the hub's secrets.key was lost or replaced: put that file back from a backup and start the hub again, or make a new key and remove this one"
		d.cfg.Log.Error("enrolment key cannot be used", "key", key.ID, "name", key.Name, "error", err)
	}
}

func sealPurpose(id string) string { return "enrolment key " + id }

// Keys returns all enrolment keys by name.
func (d *Desk) Keys() []waitingroom.EnrolmentKey {
	d.mu.Lock()
	keys := make([]waitingroom.EnrolmentKey, 0, len(d.keys))
	for _, k := range d.keys {
		keys = append(keys, *k)
	}
	d.mu.Unlock()
	slices.SortFunc(keys, func(a, b waitingroom.EnrolmentKey) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return keys
}

// RemoveKey removes an enrolment key, given by id or by a name that only it has, and the devices that wait for it. Devices
// that were rejected or blocked stay so; devices that are in stay in.
func (d *Desk) RemoveKey(idOrName string) (waitingroom.EnrolmentKey, error) {
	d.mu.Lock()
	key, err := d.findKey(idOrName)
	d.mu.Unlock()
	if err != nil {
		return waitingroom.EnrolmentKey{}, err
	}
	if err := d.cfg.Store.RemoveEnrolmentKey(key.ID); err != nil {
		return waitingroom.EnrolmentKey{}, fmt.Errorf("remove enrolment key %q: %w", key.Name, err)
	}
	d.mu.Lock()
	delete(d.keys, key.ID)
	var leaving []*entry
	for _, e := range d.room {
		if e.rec.EnrolmentKey == key.ID {
			leaving = append(leaving, e)
		}
	}
	d.mu.Unlock()
	for _, e := range leaving {
		e.mu.Lock()
		if e.rec.EnrolmentKey == key.ID && e.rec.State == waitingroom.StateWaiting {
			err = errors.Join(err, d.leave(e))
		}
		e.mu.Unlock()
	}
	return *key, err
}

// findKey must be called with d.mu held.
func (d *Desk) findKey(idOrName string) (*waitingroom.EnrolmentKey, error) {
	if k := d.keys[idOrName]; k != nil {
		return k, nil
	}
	var found *waitingroom.EnrolmentKey
	for _, k := range d.keys {
		if k.Name != idOrName {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: more than one is named %q: give the id, see `farshore keys ls`", ErrKeyUnknown, idOrName)
		}
		found = k
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %q: see `farshore keys ls`", ErrKeyUnknown, idOrName)
	}
	return found, nil
}
