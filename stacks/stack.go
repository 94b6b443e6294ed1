package stacks

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/farshore/farshore/protocol"
)

// Errors that callers tell apart.
var (
	// ErrInvalid is wrapped by every error about a stack or bundle that cannot be accepted as it is.
	ErrInvalid = errors.New("stack cannot be accepted")
	// ErrNotFound is wrapped where a stack or version does not exist.
	ErrNotFound = errors.New("no such stack")
)

// Bounds of a stack beyond those of package protocol.
const (
	// MaxEnv is the most bytes of all names and values of a version's variables together.
	MaxEnv = 16 << 10
	// MaxEntry is the most bytes of a stack's entry in a desired set, so that the entry fits an order.
	MaxEntry = 64 << 10
	// ReservedEnv begins the names of variables that the hub sets for each device.
	ReservedEnv = "FARSHORE_"
)

// Stack is a compose bundle with a name and the devices it is meant for. It is the stored record.
type Stack struct {
	// ID is from 1 and never used again for another stack.
	ID uint64 `cbor:"1,keyasint" json:"id"`
	// Name is unique among stacks and the compose project name on the devices; see CheckName.
	Name string `cbor:"2,keyasint" json:"name"`
	// Selector names the devices. Empty: all devices.
	Selector string `cbor:"3,keyasint,omitempty" json:"selector"`
	// Latest is the number of the version that devices shall have, from 1.
	Latest uint64 `cbor:"4,keyasint" json:"latest"`
	// Nonce grows when an operator demands a redeploy. 0: never demanded.
	Nonce uint64 `cbor:"5,keyasint,omitempty" json:"nonce,omitempty"`
	// RemoveVolumes: named volumes go with the stack when it is removed from a device.
	RemoveVolumes bool `cbor:"6,keyasint,omitempty" json:"remove_volumes,omitempty"`
	// Removed is when the stack was removed, Unix seconds. It is kept until no device has it any more. 0: it stands.
	Removed int64 `cbor:"7,keyasint,omitempty" json:"removed,omitempty"`
	// RemovedBy is who removed it.
	RemovedBy string `cbor:"8,keyasint,omitempty" json:"removed_by,omitempty"`
	// Created and Updated in Unix seconds.
	Created int64 `cbor:"9,keyasint" json:"created"`
	Updated int64 `cbor:"10,keyasint" json:"updated"`
	// Group is its home, a path: of the devices that the selector names, those in this group or below it are meant. "":
	// the root, which holds all.
	Group string `cbor:"11,keyasint,omitempty" json:"group,omitempty"`
	// Owner says whose it is. The zero value: administrators'.
	Owner protocol.Owner `cbor:"12,keyasint,omitzero" json:"owner,omitzero"`
}

// Reach is which devices a stack is meant for.
type Reach struct {
	// Selector over their labels. Empty: all.
	Selector string
	// Group that they are in, or below. Empty: the root.
	Group string
}

// Reach is which devices the stack is meant for.
func (s *Stack) Reach() Reach { return Reach{s.Selector, s.Group} }

// Version is one state of a stack's content. It never changes. It is the stored record.
type Version struct {
	// Stack is the id of its stack.
	Stack uint64 `cbor:"1,keyasint" json:"stack"`
	// Number is from 1 within the stack, without gaps.
	Number uint64 `cbor:"2,keyasint" json:"number"`
	// Files of the bundle, sorted by path.
	Files []protocol.File `cbor:"3,keyasint" json:"files"`
	// Env are the operator's variables for Compose. They may be secrets: a store sees SealedEnv only, and JSON has
	// none of them.
	Env map[string]string `cbor:"-" json:"-"`
	// SealedEnv is Env as it is stored. Absent: there are no variables.
	SealedEnv []byte `cbor:"4,keyasint,omitempty" json:"-"`
	// Pull is when images are asked of a registry.
	Pull protocol.PullPolicy `cbor:"5,keyasint,omitempty" json:"pull,omitempty"`
	// Mentions are the reserved variables that the bundle uses, sorted: only these are given to devices, so that a
	// changed label touches no stack that does not use it.
	Mentions []string `cbor:"6,keyasint,omitempty" json:"mentions,omitempty"`
	// Author and Message are who made it and why, for people.
	Author  string `cbor:"7,keyasint,omitempty" json:"author,omitempty"`
	Message string `cbor:"8,keyasint,omitempty" json:"message,omitempty"`
	// Created in Unix seconds.
	Created int64 `cbor:"9,keyasint" json:"created"`
	// Asks is what it asks of engines, by which policies judge it. Exempt: whoever made it is not bound by them.
	Asks   []Asks `cbor:"10,keyasint,omitempty" json:"-"`
	Exempt bool   `cbor:"11,keyasint,omitempty" json:"-"`
}

// DeviceRecord says that a device may have a stack, and what it last said of it. It is the stored record, one for
// each device and stack; it is made before the device is told, and goes when the device has said that the stack is
// gone.
type DeviceRecord struct {
	Stack  uint64            `cbor:"1,keyasint"`
	Device protocol.DeviceID `cbor:"2,keyasint"`
	// First is the oldest version that the device may read files of.
	First uint64 `cbor:"3,keyasint"`
	// Status is what the device said last. State 0: nothing yet.
	Status protocol.StackStatus `cbor:"4,keyasint"`
}

// EnvNames are the names of the operator's variables, sorted.
func (v *Version) EnvNames() []string { return slices.Sorted(maps.Keys(v.Env)) }

// Same reports whether two versions have the same content (files, variables and pull policy) and are bound by policies
// alike.
func (v *Version) Same(o *Version) bool {
	return v.Exempt == o.Exempt && slices.Equal(v.Files, o.Files) && maps.Equal(v.Env, o.Env) && v.Pull == o.Pull
}

// Entry is what a device is given of the stack at version v, with the device's own variables in env.
func (s *Stack) Entry(v *Version, env map[string]string) protocol.Entry {
	e := protocol.Entry{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: s.ID}, Version: v.Number, Name: s.Name,
		Files: v.Files, Env: v.Env, Pull: v.Pull, RemoveVolumes: s.RemoveVolumes, Nonce: s.Nonce,
	}
	if len(env) > 0 {
		e.Env = maps.Clone(env)
		maps.Copy(e.Env, v.Env)
	}
	return e
}

var (
	validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	validEnv  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	reserved  = regexp.MustCompile(ReservedEnv + `[A-Z0-9_]+`)
)

// CheckName checks a stack's name: a compose project name of 1 to 63 characters.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%w: name %.80q: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit", ErrInvalid, name)
	}
	return nil
}

// CheckEnv checks an operator's variables: names, the reserved prefix, and MaxEnv. Values are not named in errors.
func CheckEnv(env map[string]string) error {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case !validEnv.MatchString(name):
			return fmt.Errorf("%w: variable %.80q: use letters, digits and _, not beginning with a digit", ErrInvalid, name)
		case strings.HasPrefix(name, ReservedEnv):
			return fmt.Errorf("%w: variable %q: names beginning with %s are set by the hub; choose another name",
				ErrInvalid, name, ReservedEnv)
		case strings.ContainsRune(env[name], 0) || !utf8.ValidString(env[name]):
			return fmt.Errorf("%w: the value of variable %q is not plain UTF-8 text; put binary data in a file of the bundle",
				ErrInvalid, name)
		}
		size += len(name) + len(env[name])
	}
	if size > MaxEnv {
		return fmt.Errorf("%w: variables of %d bytes, at most %d: put large values in a file of the bundle",
			ErrInvalid, size, MaxEnv)
	}
	return nil
}
