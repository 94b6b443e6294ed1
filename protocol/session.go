package protocol

import (
	"errors"
	"fmt"
)

// Hello opens a session: it is the first message of frame 1. The agent sends it after it started, after the hub
// said CodeHelloWanted, and when the hub's identity epoch changed; not after every reconnect.
type Hello struct {
	// Capability of the agent.
	Capability uint `cbor:"1,keyasint"`
	// BootID is random for each start of the agent process (8 bytes).
	BootID []byte `cbor:"2,keyasint"`
	// BootCounter counts the starts of the agent with this data folder, from 1. One that goes back tells a copied
	// or restored device.
	BootCounter uint64 `cbor:"3,keyasint"`
	// Desired is the hash of the desired set the device holds. Absent: it holds none.
	Desired ShortHash `cbor:"4,keyasint,omitzero"`
	// Settings is the hash of the settings the device goes by. Absent: it goes by defaults.
	Settings ShortHash `cbor:"5,keyasint,omitzero"`
	// OrderEpoch and OrderSeq are the last order the device accepted. Absent: none yet.
	OrderEpoch uint64 `cbor:"6,keyasint,omitempty"`
	OrderSeq   uint64 `cbor:"7,keyasint,omitempty"`
	// Snapshot is the hash of the last snapshot that the hub acknowledged and the device still holds. Absent: the
	// next snapshot is a full one.
	Snapshot ShortHash `cbor:"8,keyasint,omitzero"`
	// Version of the agent's build, for people.
	Version string `cbor:"9,keyasint,omitempty"`
	// Mode of the agent. Absent: async.
	Mode Mode `cbor:"10,keyasint,omitempty"`
	// Clock is the device's wall clock, Unix milliseconds.
	Clock int64 `cbor:"11,keyasint,omitempty"`
	// Arch is the agent's platform as GOOS/GOARCH, with /v7 for arm.
	Arch string `cbor:"12,keyasint,omitempty"`
	// Wishes are the labels the device asks for; claims, shown as such. Sent when they changed since the knock.
	Wishes map[string]string `cbor:"13,keyasint,omitempty"`
	// Programs that the device runs, from which an update may be patched. Absent: it cannot be updated. Capability 2.
	Programs []ProgramFact `cbor:"14,keyasint,omitempty"`
	// NoUpdate says for people why the device cannot update itself. Absent: it can, if Programs says what it runs.
	NoUpdate string `cbor:"15,keyasint,omitempty"`
}

// Welcome answers Hello.
type Welcome struct {
	// Capability of the hub.
	Capability uint `cbor:"1,keyasint"`
	// Time is the hub's clock, Unix milliseconds. The device goes by it.
	Time int64 `cbor:"2,keyasint"`
	// Spread is the time in milliseconds over which a reconnecting fleet spreads itself after a lost hub: each
	// device waits a random part of it. Absent: 1 s.
	Spread uint32 `cbor:"3,keyasint,omitempty"`
	// Slot shifts the device's ticks, in milliseconds within its interval, so that a fleet does not tick together.
	Slot uint32 `cbor:"4,keyasint,omitempty"`
	// Version of the hub's build, for people.
	Version string `cbor:"5,keyasint,omitempty"`
}

// Mode is how a device can be worked on.
type Mode uint8

// Modes. The zero value counts as ModeAsync.
const (
	ModeAsync    Mode = 1 // snapshots and queued commands only, never a tunnel
	ModeStandard Mode = 2 // may open a tunnel on demand
)

// String gives "async" or "standard".
func (m Mode) String() string {
	if m == ModeStandard {
		return "standard"
	}
	return "async"
}

// ParseMode reads what String gives.
func ParseMode(s string) (Mode, error) {
	switch s {
	case "async", "":
		return ModeAsync, nil
	case "standard":
		return ModeStandard, nil
	}
	return 0, fmt.Errorf("mode %.40q: want async or standard", s)
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Mode) UnmarshalText(b []byte) (err error) { *m, err = ParseMode(string(b)); return err }

// Carrier is how frames travel.
type Carrier string

// The carriers. CarrierAuto is a setting of an agent, never the carrier of a frame.
const (
	CarrierMQTT  Carrier = "mqtt"
	CarrierHTTPS Carrier = "https"
	CarrierAuto  Carrier = "auto"
)

// Error tells the other side that a frame or message was refused, and what happens next. It is sent in a frame
// without number.
type Error struct {
	Code Code `cbor:"1,keyasint"`
	// Text says for people what happened and what to do. At most MaxText bytes.
	Text string `cbor:"2,keyasint,omitempty"`
	// Kind of the refused message. Absent: the whole frame or connection was refused.
	Kind Kind `cbor:"3,keyasint,omitempty"`
	// RetryAfter in seconds. Absent: the usual back-off.
	RetryAfter uint32 `cbor:"4,keyasint,omitempty"`
}

// Error implements error.
func (e *Error) Error() string {
	if e.Text != "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Text)
	}
	return e.Code.String()
}

// Code is the reason of a refusal on the wire. Numbers are never used again for something else.
type Code uint

// Codes.
const (
	CodeHelloWanted  Code = 1  // the hub does not know this session; start a new one with Hello
	CodeTooLarge     Code = 2  // beyond a limit of this package
	CodeMalformed    Code = 3  // not what the protocol allows
	CodeUnknown      Code = 4  // device, key or blob is not known here
	CodeRevoked      Code = 5  // the device was revoked; it goes back to knocking every WaitingKnock
	CodeCopy         Code = 6  // another live session has this identity
	CodeBadSignature Code = 7  // signature does not fit connection, device or content
	CodeReplayed     Code = 8  // order is not newer than the last accepted one
	CodeBusy         Code = 9  // overloaded; see RetryAfter
	CodeTooOld       Code = 10 // capability below what the other side works with
	CodeInternal     Code = 11 // a fault on this side, nothing was changed
	CodeWrongHub     Code = 12 // edge key or order is of another hub
	CodeKeyUsed      Code = 13 // enrolment key has no uses left
	CodeKeyExpired   Code = 14 // enrolment key is past its expiry
	CodeKeyUnknown   Code = 15 // enrolment key is not known, or its secret is wrong
	CodeRejected     Code = 16 // an operator rejected the device
	CodeTooMany      Code = 17 // too many devices wait for this enrolment key
	CodeSameCode     Code = 18 // another waiting device has the same pairing code
)

// String names the code as docs/protocol.md does.
func (c Code) String() string {
	names := map[Code]string{
		CodeHelloWanted: "hello-wanted", CodeTooLarge: "too-large", CodeMalformed: "malformed", CodeUnknown: "unknown",
		CodeRevoked: "revoked", CodeCopy: "copy", CodeBadSignature: "bad-signature", CodeReplayed: "replayed",
		CodeBusy: "busy", CodeTooOld: "too-old", CodeInternal: "internal", CodeWrongHub: "wrong-hub",
		CodeKeyUsed: "key-used-up", CodeKeyExpired: "key-expired", CodeKeyUnknown: "key-unknown",
		CodeRejected: "rejected", CodeTooMany: "too-many-waiting", CodeSameCode: "same-pairing-code",
	}
	if n, ok := names[c]; ok {
		return n
	}
	return fmt.Sprintf("code-%d", uint(c))
}

// CodeOf maps an error of this package to the code that travels; CodeInternal for any other.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, ErrTooLarge):
		return CodeTooLarge
	case errors.Is(err, ErrMalformed):
		return CodeMalformed
	case errors.Is(err, ErrBadSignature):
		return CodeBadSignature
	case errors.Is(err, ErrReplayed):
		return CodeReplayed
	}
	return CodeInternal
}
