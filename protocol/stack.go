package protocol

import (
	"fmt"
	"path"
	"strings"
)

// StackState is where a stack stands on one device. The table of legal transitions is in package stacks.
type StackState uint8

// The states. The hub alone knows StackPending, StackOffered and StackDeferred; a device reports the others, those from
// StackFetched on since capability 3.
const (
	StackPending  StackState = 1  // the hub has it for the device, the device does not know yet
	StackOffered  StackState = 2  // the device has been told
	StackFetching StackState = 3  // bundle files are on the way
	StackApplying StackState = 4  // images are made present, containers are changed
	StackRunning  StackState = 5  // all services run (and are healthy where they have a check)
	StackDegraded StackState = 6  // was running; some service is not now
	StackFailed   StackState = 7  // this version could not be applied; Running says what runs instead
	StackRemoving StackState = 8  // being taken away
	StackRemoved  StackState = 9  // gone from the device
	StackWaiting  StackState = 10 // cannot start yet: Code says why (engine-absent, composer-absent, disk-full …)
	StackVerify   StackState = 11 // applied, health is being awaited and watched
	StackDeferred StackState = 12 // the hub holds it back: Code says why

	StackFetched     StackState = 13 // all is on the device and waits for approval
	StackWindow      StackState = 14 // waits for the change window
	StackRollingBack StackState = 15 // the version failed, the last good one is being brought back
	StackRolledBack  StackState = 16 // the last good version, Running, runs again; Code and Detail say why
)

// String names the state as API and console do.
func (s StackState) String() string {
	names := [...]string{
		"unknown", "pending", "offered", "fetching", "applying", "running", "degraded", "failed", "removing",
		"removed", "waiting", "verifying", "deferred", "fetched", "waiting-for-window", "rolling-back", "rolled-back",
	}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state-%d", uint8(s))
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (s StackState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (s *StackState) UnmarshalText(b []byte) error {
	for i := range StackRolledBack + 1 {
		if i.String() == string(b) {
			*s = i
			return nil
		}
	}
	return fmt.Errorf("stack state %.40q is not known", b)
}

// MarshalCBOR writes the number.
func (s StackState) MarshalCBOR() ([]byte, error) { return Marshal(uint8(s)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (s *StackState) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(s)) }

// StackStatus is what a device says of one stack. Of several the one with the highest Rev counts.
type StackStatus struct {
	Stack uint64 `cbor:"1,keyasint" json:"stack"`
	// Version that the device is at work on, or has.
	Version uint64     `cbor:"2,keyasint,omitempty" json:"version"`
	State   StackState `cbor:"3,keyasint" json:"state"`
	// Rev grows with each status of this device, through restarts.
	Rev uint64 `cbor:"4,keyasint" json:"rev"`
	// Code is a stable word for the reason (see package stacks). Absent: nothing to explain.
	Code string `cbor:"5,keyasint,omitempty" json:"code,omitempty"`
	// Detail is a sentence for people: the thing and the remedy. At most MaxText bytes.
	Detail string `cbor:"6,keyasint,omitempty" json:"detail,omitempty"`
	// Running is the version that actually runs, where it is not Version. Absent: Version, or none.
	Running uint64 `cbor:"7,keyasint,omitempty" json:"running,omitempty"`
	// At is when the state was entered, Unix seconds by the device's best time.
	At int64 `cbor:"8,keyasint,omitempty" json:"at,omitempty"`
	// Nonce repeats the entry's nonce, so that a demanded redeploy can be told from its predecessor.
	Nonce uint64 `cbor:"9,keyasint,omitempty" json:"-"`
	// Done of Total bytes are on the device, in StackFetching. Absent: not known.
	Done  int64 `cbor:"10,keyasint,omitempty" json:"done,omitempty"`
	Total int64 `cbor:"11,keyasint,omitempty" json:"total,omitempty"`
	// Hold is what somebody at the device decided about the stack. Absent: nothing, or it was released.
	Hold Hold `cbor:"12,keyasint,omitzero" json:"hold,omitempty"`
	// HeldBy names that somebody, a user of the device. Absent: not known.
	HeldBy string `cbor:"13,keyasint,omitempty" json:"held_by,omitempty"`
	// Again: in StackFailed, the device tries again by itself. Absent: it is final.
	Again bool `cbor:"14,keyasint,omitempty" json:"again,omitempty"`
	// Spent bytes on the wire for files and images of this version, so far. Absent: not metered. Capability 4.
	Spent uint64 `cbor:"15,keyasint,omitempty" json:"spent,omitempty"`
}

// ValidPath checks the path of a bundle file: relative, slash-separated, clean, below the bundle, printable, at most
// 255 bytes.
func ValidPath(p string) error {
	switch {
	case p == "" || len(p) > 255:
		return fmt.Errorf("file path %.300q: want 1 to 255 bytes", p)
	case strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
		return fmt.Errorf("file path %q: control characters and backslashes are not allowed", p)
	case path.IsAbs(p) || path.Clean(p) != p || p == "." || p == ".." || strings.HasPrefix(p, "../"):
		return fmt.Errorf("file path %q: want a clean relative path inside the bundle", p)
	}
	return nil
}
