// Package fleet knows the hub's devices: who they are, in which group, with which labels and settings, and whether
// they are heard of as expected. It owns selectors, inheritance down the tree of groups, and link profiles.
//
// It never talks to a device and knows no carrier, stack or waiting room; the assembly tells it of contacts and facts.
//
// A Registry is safe for concurrent use and holds all devices in memory. Reads never wait for the disk. Changes are
// durable before they can be seen; those that arrive while the disk works share the next transaction. Contacts touch
// memory only. DESIGN.md explains how.
package fleet

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Errors that callers tell apart.
var (
	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("exists already")
	ErrInvalid   = errors.New("not valid")
	ErrInUse     = errors.New("still in use")
	ErrAmbiguous = errors.New("fits more than one device")
	ErrRevoked   = errors.New("is revoked")
)

// Device is one managed machine. Maps and slices of a Device that a Registry gave out are shared: they are read, never
// changed (the one handed to the function of Update is the caller's own).
type Device struct {
	ID protocol.DeviceID `cbor:"1,keyasint" json:"id"`
	// Key is the device's Ed25519 public key, 32 bytes; ID is derived from it.
	Key []byte `cbor:"2,keyasint" json:"key"`
	// Name is given by an operator, or taken from the host name at approval. Unique among devices not revoked.
	Name string `cbor:"3,keyasint" json:"name"`
	// Group is the path of the device's group, such as "norway/oslo". Empty: the root.
	Group string `cbor:"4,keyasint,omitempty" json:"group"`
	// Labels are the device's own, given by operators. See LabelsOf for all that apply.
	Labels map[string]string `cbor:"5,keyasint,omitempty" json:"labels,omitempty"`
	// Wishes are labels that the device asked for: claims, never matched by selectors.
	Wishes map[string]string `cbor:"6,keyasint,omitempty" json:"wishes,omitempty"`
	Mode   protocol.Mode     `cbor:"7,keyasint,omitempty" json:"mode"`
	// Facts are what the device said of itself when it knocked: claims.
	Facts protocol.Facts `cbor:"8,keyasint,omitzero" json:"facts,omitzero"`
	// Observed is what its last snapshot said.
	Observed SnapshotFacts `cbor:"9,keyasint,omitzero" json:"observed,omitzero"`
	// Settings are the device's own overrides; zero fields inherit. Its Profile field is empty: see Profile.
	Settings protocol.Settings `cbor:"10,keyasint,omitzero" json:"settings,omitzero"`
	// Profile names a link profile. Empty: inherits.
	Profile string `cbor:"11,keyasint,omitempty" json:"profile,omitempty"`
	// Confirmed says that the approver had the pairing code, or that the edge key was this device's own.
	Confirmed  bool   `cbor:"12,keyasint,omitempty" json:"confirmed"`
	ApprovedBy string `cbor:"13,keyasint,omitempty" json:"approved_by,omitempty"`
	// Approved, Revoked and Created in Unix seconds. Revoked 0: not revoked.
	Approved int64 `cbor:"14,keyasint,omitempty" json:"approved,omitempty"`
	Revoked  int64 `cbor:"15,keyasint,omitempty" json:"revoked,omitempty"`
	Created  int64 `cbor:"16,keyasint,omitempty" json:"created"`
	// EnrolmentKey is the id of the enrolment key it came with. Empty: added by hand.
	EnrolmentKey string `cbor:"17,keyasint,omitempty" json:"enrolment_key,omitempty"`
	// Replaces and ReplacedBy link the two sides of a replacement.
	Replaces   protocol.DeviceID `cbor:"18,keyasint,omitempty" json:"replaces,omitempty"`
	ReplacedBy protocol.DeviceID `cbor:"19,keyasint,omitempty" json:"replaced_by,omitempty"`
	// Former are the devices whose place it took, the latest first, at most maxFormer: selectors that name one of them
	// by its id mean this device.
	Former []protocol.DeviceID `cbor:"20,keyasint,omitempty" json:"former,omitempty"`
	// Passes are the device's own table of times of contact. Nil: those of its groups count, the nearest first.
	Passes *Passes `cbor:"21,keyasint,omitempty" json:"passes,omitempty"`
	// Lift is what was added to its budget. Nil: nothing. That of an earlier cycle means nothing.
	Lift *Lift `cbor:"22,keyasint,omitempty" json:"lift,omitempty"`

	// The fields below are the device's Presence: kept in memory, written every FlushEvery.

	// Boot is the last run of the agent that was heard of.
	Boot protocol.Boot `cbor:"-" json:"-"`
	// Mark is the last order that the device accepted, as it told.
	Mark protocol.OrderMark `cbor:"-" json:"-"`
	// LastContact in Unix seconds. 0: never.
	LastContact int64 `cbor:"-" json:"last_contact,omitempty"`
	// Carrier of the last contact.
	Carrier protocol.Carrier `cbor:"-" json:"carrier,omitempty"`
	// Version and Capability of the agent as told in its last Hello.
	Version    string `cbor:"-" json:"version,omitempty"`
	Capability uint   `cbor:"-" json:"capability,omitempty"`
	// ClockOffset is how far the device's wall clock was ahead of the hub's at its last Hello, milliseconds.
	ClockOffset int64 `cbor:"-" json:"clock_offset_ms,omitempty"`
	// Build is what it runs, as told in its last Hello.
	Build Build `cbor:"-" json:"-"`
}

// Build is what a device says of the programs that it runs: claims. Empty: it did not say.
type Build struct {
	// Platform as in protocol.Hello.Arch, such as linux/arm/v7.
	Platform string `cbor:"1,keyasint,omitempty"`
	// Agent and Composer are the beginnings of the hashes of the programs.
	Agent    protocol.ShortHash `cbor:"2,keyasint,omitzero"`
	Composer protocol.ShortHash `cbor:"3,keyasint,omitzero"`
	// NoUpdate says why it cannot update itself. Empty: it can, or did not say.
	NoUpdate string `cbor:"4,keyasint,omitempty"`
}

// SnapshotFacts are the parts of a device's last snapshot that become labels. Empty: not known.
type SnapshotFacts struct {
	// Arch as GOARCH, arm with its version: arm/v7.
	Arch string `cbor:"1,keyasint,omitempty" json:"arch,omitempty"`
	// OS as in os-release, such as "Debian GNU/Linux 12 (bookworm)".
	OS string `cbor:"2,keyasint,omitempty" json:"os,omitempty"`
	// Engine is docker or podman.
	Engine        string `cbor:"3,keyasint,omitempty" json:"engine,omitempty"`
	EngineVersion string `cbor:"4,keyasint,omitempty" json:"engine_version,omitempty"`
}

// Group is a node of the device tree; what it says holds for all below it, the nearest first.
type Group struct {
	// Path such as "norway/oslo". Empty: the root, which holds all devices and always exists.
	Path     string            `cbor:"1,keyasint" json:"path"`
	Labels   map[string]string `cbor:"2,keyasint,omitempty" json:"labels,omitempty"`
	Settings protocol.Settings `cbor:"3,keyasint,omitzero" json:"settings,omitzero"`
	// Profile names a link profile. Empty: inherits.
	Profile string `cbor:"4,keyasint,omitempty" json:"profile,omitempty"`
	// Passes are the table of times of contact of the devices below that have no nearer one. Nil: none.
	Passes *Passes `cbor:"5,keyasint,omitempty" json:"passes,omitempty"`
}

// Profile is a link profile: a named set of frequencies and link choices.
type Profile struct {
	Name string `cbor:"1,keyasint" json:"name"`
	// Settings with the rules of the link, but for passes and lifts, which belong to groups and devices.
	Settings protocol.Settings `cbor:"2,keyasint,omitzero" json:"settings"`
	// Tariff is what the link costs. Zero: it is not known.
	Tariff economy.Tariff `cbor:"3,keyasint,omitzero" json:"tariff,omitzero"`
	// BuiltIn profiles can neither be changed nor removed.
	BuiltIn bool `cbor:"-" json:"built_in,omitempty"`
}

// Presence is what contacts and Hellos change of a device. It is written in batches.
type Presence struct {
	Device      protocol.DeviceID  `cbor:"1,keyasint"`
	LastContact int64              `cbor:"2,keyasint,omitempty"`
	Carrier     protocol.Carrier   `cbor:"3,keyasint,omitempty"`
	Boot        protocol.Boot      `cbor:"4,keyasint"`
	Mark        protocol.OrderMark `cbor:"5,keyasint"`
	Version     string             `cbor:"6,keyasint,omitempty"`
	Capability  uint               `cbor:"7,keyasint,omitempty"`
	// OnTimeSince is when the run of contacts without a gap began, Unix seconds.
	OnTimeSince int64 `cbor:"8,keyasint,omitempty"`
	// Interval is within how many seconds of the last contact the next one was expected. 0: none was.
	Interval int64 `cbor:"9,keyasint,omitempty"`
	// Excused is for how many seconds since the last contact the hub itself was not there to be contacted.
	Excused int64 `cbor:"10,keyasint,omitempty"`
	// ClockOffset as in Device.
	ClockOffset int64 `cbor:"11,keyasint,omitempty"`
	Build       Build `cbor:"12,keyasint,omitzero"`
	// Open is until when the opening lasts in which the last contact was made. 0: it was in none, or is not bound to any.
	Open int64 `cbor:"13,keyasint,omitempty"`
	// Due are the next openings in which contact is expected, by what held at the last one. Zero: the interval counts alone.
	Due [overdueAfter]opening `cbor:"14,keyasint,omitzero"`
	// Stage of spending, as the device told last.
	Stage protocol.Spending `cbor:"15,keyasint,omitzero"`
}

// Tombstone remembers a revoked device that was removed, so that it does not come back by rule.
type Tombstone struct {
	Device    protocol.DeviceID `cbor:"1,keyasint" json:"id"`
	Serial    string            `cbor:"2,keyasint,omitempty" json:"serial,omitempty"`
	MachineID string            `cbor:"3,keyasint,omitempty" json:"machine_id,omitempty"`
	Revoked   int64             `cbor:"4,keyasint,omitempty" json:"revoked"`
}

// clone gives a copy whose maps are its own.
func (d *Device) clone() *Device {
	c := *d
	c.Labels, c.Wishes = maps.Clone(d.Labels), maps.Clone(d.Wishes)
	return &c
}

// check reports the first thing about d that cannot be kept.
func (d *Device) check() error {
	if len(d.Key) == 0 || protocol.DeviceIDFor(d.Key) != d.ID {
		return fmt.Errorf("device %q: %w: its id does not belong to its key", d.ID, ErrInvalid)
	}
	if err := checkName(d.Name); err != nil {
		return fmt.Errorf("device %s: %w", d.ID, err)
	}
	if err := checkPath(d.Group); err != nil {
		return fmt.Errorf("device %q: %w", d.Name, err)
	}
	if err := CheckLabels(d.Labels); err != nil {
		return fmt.Errorf("device %q: %w", d.Name, err)
	}
	if err := CheckSettings(d.Settings); err != nil {
		return fmt.Errorf("device %q: %w", d.Name, err)
	}
	return nil
}

func checkName(name string) error {
	bad := name == "" || len(name) > protocol.MaxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
	if bad {
		return fmt.Errorf("name %.160q: %w: want 1 to %d bytes of printable text, without spaces at its ends",
			name, ErrInvalid, protocol.MaxName)
	}
	return nil
}

// nameFrom makes a name of what a device says of itself.
func nameFrom(hostname string, id protocol.DeviceID) string {
	name := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, hostname)
	name = strings.TrimSpace(protocol.Cut(name, protocol.MaxName-8)) // room for "-12345"
	if name == "" {
		return string(id)
	}
	return name
}

// Limits of the tree.
const (
	maxDepth = 16
	maxPath  = 512
	// groupLetters are those that the value of a label may have, so that FactGroup says what the path says.
	groupLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
)

// checkPath holds a group's path to the form "norway/oslo".
func checkPath(path string) error {
	if path == "" {
		return nil
	}
	parts := strings.Split(path, "/")
	for _, p := range parts {
		ok := p != "" && len(p) <= 64 && strings.Trim(p, groupLetters) == ""
		if !ok || len(parts) > maxDepth || len(path) > maxPath {
			return fmt.Errorf("group %.160q: %w: want names of 1 to 64 characters a-z A-Z 0-9 . _ - joined by /, at most %d deep, such as norway/oslo",
				path, ErrInvalid, maxDepth)
		}
	}
	return nil
}

// parent gives the path above path, and false for the root.
func parent(path string) (string, bool) {
	if path == "" {
		return "", false
	}
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], true
	}
	return "", true
}

// Within reports whether path is group or lies below it.
func Within(path, group string) bool {
	return group == "" || path == group ||
		len(path) > len(group) && path[len(group)] == '/' && path[:len(group)] == group
}
