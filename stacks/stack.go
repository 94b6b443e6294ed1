package stacks

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
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
	// Selector, Include and Exclude name the devices; see Reach.
	Selector string `cbor:"3,keyasint,omitempty" json:"selector"`
	// Latest is the number of the newest version, from 1.
	Latest uint64 `cbor:"4,keyasint" json:"latest"`
	// Nonce is what devices repeat that shall have Current, so that a demanded redeploy is told from what was before.
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
	// Include and Exclude are ids of edge groups, ascending.
	Include []uint64 `cbor:"13,keyasint,omitempty" json:"include,omitempty"`
	Exclude []uint64 `cbor:"14,keyasint,omitempty" json:"exclude,omitempty"`
	// Current is the version that devices shall have to which no rollout says otherwise. None: no version was brought to
	// all devices yet. Absent: Latest.
	Current uint64 `cbor:"15,keyasint,omitempty" json:"current,omitempty"`
	// Rollouts is how many there were; each has its number, from 1. Settled is the latest that reached all devices: what
	// earlier ones granted to single devices holds no more.
	Rollouts uint64 `cbor:"16,keyasint,omitempty" json:"rollouts,omitempty"`
	Settled  uint64 `cbor:"17,keyasint,omitempty" json:"settled,omitempty"`
	// Change says when devices may be changed.
	Change ChangeRule `cbor:"18,keyasint,omitzero" json:"change,omitzero"`
}

// None is a version that devices do not have: they shall not have the stack.
const None = math.MaxUint64

// ChangeRule is when devices may be changed, as an operator says it.
type ChangeRule struct {
	// Windows are the times. None: any time.
	Windows []protocol.ChangeWindow `cbor:"1,keyasint,omitempty" json:"windows,omitempty" maxItems:"16" doc:"When a device may be changed; absent: at any time"`
	// Approve: a device has all it needs, and waits until somebody approves the rollout.
	Approve bool `cbor:"2,keyasint,omitempty" json:"approve,omitempty" doc:"Devices fetch a version, and apply it when somebody approves the rollout"`
	// FetchLate: files and images are fetched when they may be applied. Absent: at once.
	FetchLate bool `cbor:"3,keyasint,omitempty" json:"fetch_late,omitempty" doc:"Files and images are fetched in the change window only; absent: at once"`
}

// IsZero reports whether nothing is said.
func (c ChangeRule) IsZero() bool { return len(c.Windows) == 0 && !c.Approve && !c.FetchLate }

// Reach is which devices a stack is meant for: those that all of it names.
type Reach struct {
	// Selector over their labels. Empty: all.
	Selector string
	// Group that they are in, or below. Empty: the root.
	Group string
	// Include are edge groups, by id, of which they are in one. Empty: any device will do.
	Include []uint64
	// Exclude are edge groups of which they are in none.
	Exclude []uint64
}

// Everywhere reports whether all devices are meant.
func (r Reach) Everywhere() bool {
	return r.Selector == "" && r.Group == "" && len(r.Include) == 0 && len(r.Exclude) == 0
}

// Reach is which devices the stack is meant for.
func (s *Stack) Reach() Reach { return Reach{s.Selector, s.Group, s.Include, s.Exclude} }

// Equal reports whether two records say the same.
func (s *Stack) Equal(o *Stack) bool { return reflect.DeepEqual(s, o) }

// Deployed is the version that devices shall have to which no rollout says otherwise.
func (s *Stack) Deployed() uint64 {
	if s.Current == 0 {
		return s.Latest
	}
	return s.Current
}

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
	// Secret are names of Env whose values are secret, sorted: they are sealed on their way and on the device.
	Secret []string `cbor:"12,keyasint,omitempty" json:"secret,omitempty"`
	// Health says when it counts as good on a device, and what is done when it does not.
	Health Health `cbor:"13,keyasint,omitzero" json:"health,omitzero"`
	// Source says where it comes from, such as a commit. "": from Author.
	Source string `cbor:"14,keyasint,omitempty" json:"source,omitempty"`
	// Takes is what it takes of a device that only one can have.
	Takes []Take `cbor:"15,keyasint,omitempty" json:"-"`
	// Varying are names of variables that decide what Asks says: a device on which they are set is judged apart.
	Varying []string `cbor:"16,keyasint,omitempty" json:"-"`
	// Images that it uses, sorted, as far as they can be known without a device's variables.
	Images []string `cbor:"17,keyasint,omitempty" json:"images,omitempty"`
}

// Health says when a version counts as good on a device, and what is done when it does not.
type Health struct {
	// Watch is for how many seconds it is watched once it runs. 0: it is good when it runs and its checks agree.
	Watch uint32 `cbor:"1,keyasint,omitempty" json:"watch_seconds,omitempty" maximum:"86400" doc:"For how long a version is watched on a device once it runs, before it counts as good"`
	// Retries is how often an attempt that failed is made again. 0: protocol.DefaultRetries.
	Retries uint32 `cbor:"2,keyasint,omitempty" json:"retries,omitempty" maximum:"1000" doc:"How often a device tries again; absent: 5"`
	// Stay: a version that fails stays as it is, instead of the last good one being brought back.
	Stay bool `cbor:"3,keyasint,omitempty" json:"stay,omitempty" doc:"A version that fails stays as it is; absent: the last good one is brought back"`
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

// Grant is what a rollout says that one device shall have. It holds until a later rollout has reached all devices; its
// nonce stays. It is the stored record, one for each device and stack.
type Grant struct {
	Stack  uint64            `cbor:"1,keyasint"`
	Device protocol.DeviceID `cbor:"2,keyasint"`
	// Rollout is its number.
	Rollout uint64 `cbor:"3,keyasint"`
	// Attempt of the rollout on the device, or Withdrawn.
	Attempt uint32 `cbor:"4,keyasint,omitempty"`
	// Version that the device shall have, or None.
	Version uint64 `cbor:"5,keyasint"`
	// Nonce that it repeats.
	Nonce uint64 `cbor:"6,keyasint,omitempty"`
	// Before is the version that it should have before the rollout, or None; it is what is brought back.
	Before uint64 `cbor:"7,keyasint"`
	// BeforeNonce belongs to Before.
	BeforeNonce uint64 `cbor:"8,keyasint,omitempty"`
}

// Withdrawn is the attempt of a grant that was taken back before the device knew of it.
const Withdrawn = math.MaxUint32

// EnvNames are the names of the operator's variables, sorted.
func (v *Version) EnvNames() []string { return slices.Sorted(maps.Keys(v.Env)) }

// Same reports whether two versions have the same content (files, variables and pull policy) and are bound by policies
// alike.
func (v *Version) Same(o *Version) bool {
	return v.Exempt == o.Exempt && slices.Equal(v.Files, o.Files) && maps.Equal(v.Env, o.Env) && v.Pull == o.Pull &&
		slices.Equal(v.Secret, o.Secret) && v.Health == o.Health
}

// Entry is what a device is given of the stack at version v: files and env are those of the device.
func (s *Stack) Entry(v *Version, files []protocol.File, env map[string]string) protocol.Entry {
	return protocol.Entry{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: s.ID}, Version: v.Number, Name: s.Name,
		Files: files, Env: env, Pull: v.Pull, RemoveVolumes: s.RemoveVolumes,
		Verify: v.Health.Watch, Retries: v.Health.Retries, Stay: v.Health.Stay,
	}
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
