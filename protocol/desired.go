package protocol

import (
	"cmp"
	"crypto/sha256"
	"slices"
)

// EntryKind is what an entry of the desired set is.
type EntryKind uint8

// Entry kinds. An EntryJob has Entry.Job. Capability 5.
const (
	EntryStack EntryKind = 1
	EntryJob   EntryKind = 2
)

// EntryKey names an entry of the desired set.
type EntryKey struct {
	Kind EntryKind `cbor:"1,keyasint"`
	ID   uint64    `cbor:"2,keyasint"`
}

// Entry is one stack or job that a device shall have. The entry is the whole truth about it: two equal
// entries need no work.
type Entry struct {
	EntryKey
	// Version of it, from 1, for people and status; what decides whether work is needed is the whole entry.
	Version uint64 `cbor:"3,keyasint"`
	// Name is the job's name, or the stack's, which is its compose project name on the device.
	Name string `cbor:"4,keyasint"`
	// Files of the bundle, sorted by path.
	Files []File `cbor:"5,keyasint,omitempty"`
	// Env are interpolation variables for Compose. Absent: none.
	Env map[string]string `cbor:"6,keyasint,omitempty"`
	// Pull is when images are asked of a registry. Absent: PullMissing.
	Pull PullPolicy `cbor:"7,keyasint,omitempty"`
	// RemoveVolumes: named volumes go with the stack when it is removed. Absent: they stay.
	RemoveVolumes bool `cbor:"8,keyasint,omitempty"`
	// Nonce changes when an operator demands a redeploy of an unchanged version. Absent: never demanded.
	Nonce uint64 `cbor:"9,keyasint,omitempty"`
	// Verify is for how many seconds the version is watched once it runs, before it counts as good. Absent: it is good
	// when it runs, and is healthy where it has a health check. Capability 3, as all that follows.
	Verify uint32 `cbor:"10,keyasint,omitempty"`
	// Retries is how often an attempt that failed is made again. Absent: DefaultRetries. More than MaxRetries: for ever.
	Retries uint32 `cbor:"11,keyasint,omitempty"`
	// Stay: a version that fails stays as it is. Absent: the last good version is brought back.
	Stay bool `cbor:"12,keyasint,omitempty"`
	// Sealed are Secrets, sealed to the device's key (see package protocol/sealed). Absent: there are none.
	Sealed []byte `cbor:"13,keyasint,omitempty"`
	// Access is a RegistryAccess, sealed to the device's key. Absent: registries ask for none. It is not part of what
	// is applied: another one needs no work.
	Access []byte `cbor:"14,keyasint,omitempty"`
	// Change says when the device may apply the entry. Absent: at once. It is not part of what is applied.
	Change *ChangeRule `cbor:"15,keyasint,omitempty"`
	// Job is what a job is beside its files and variables. Given where Kind is EntryJob, and there alone.
	Job *Job `cbor:"16,keyasint,omitempty"`
}

// Bounds of Entry.Retries.
const (
	DefaultRetries = 5
	MaxRetries     = 1000
)

// ChangeRule says when a device may be changed. It does not hold for removals.
type ChangeRule struct {
	// Windows are the times at which it may be applied. Absent: at any time.
	Windows []ChangeWindow `cbor:"1,keyasint,omitempty"`
	// Hold: it waits for approval, which comes as an entry without Hold.
	Hold bool `cbor:"2,keyasint,omitempty"`
	// FetchLate: files and images are fetched when it may be applied. Absent: at once.
	FetchLate bool `cbor:"3,keyasint,omitempty"`
}

// ChangeWindow is a time that comes again and again.
type ChangeWindow struct {
	// Start as cron writes it, such as "0 2 * * 6,7".
	Start string `cbor:"1,keyasint" json:"start" doc:"When it opens, as cron writes it: minute, hour, day of month, month, day of week" example:"0 2 * * 6,7"`
	// Minutes that it lasts.
	Minutes uint32 `cbor:"2,keyasint" json:"minutes" minimum:"1" maximum:"10080" doc:"How long it lasts"`
	// Zone names the time zone, such as Europe/Oslo. To a device it is always given. "": see package stacks.
	Zone string `cbor:"3,keyasint,omitempty" json:"zone,omitempty" doc:"Time zone such as Europe/Oslo; absent: that of the device's label timezone, such as Europe.Oslo, else UTC" example:"Europe/Oslo"`
}

// Secrets is what Entry.Sealed holds.
type Secrets struct {
	// Env are interpolation variables for Compose, beside those of Entry.Env.
	Env map[string]string `cbor:"1,keyasint,omitempty"`
}

// RegistryAccess is what Entry.Access holds.
type RegistryAccess struct {
	Registries []RegistryAuth `cbor:"1,keyasint,omitempty"`
}

// RegistryAuth is how a registry lets somebody in.
type RegistryAuth struct {
	// Registry is its host, with the port where it is not 443.
	Registry string `cbor:"1,keyasint"`
	User     string `cbor:"2,keyasint,omitempty"`
	Password string `cbor:"3,keyasint,omitempty"`
}

// File is one file of a bundle.
type File struct {
	// Path is relative, slash-separated, clean, and never leaves the bundle (see ValidPath).
	Path string `cbor:"1,keyasint" json:"path"`
	Hash Hash   `cbor:"2,keyasint" json:"hash"`
	// Size in bytes.
	Size int64 `cbor:"3,keyasint,omitempty" json:"size"`
	// Mode has the permission bits. Absent: 0644.
	Mode uint32 `cbor:"4,keyasint,omitempty" json:"mode,omitempty"`
}

// PullPolicy is when images are asked of a registry.
type PullPolicy uint8

// Pull policies; the zero value is PullMissing.
const (
	PullMissing PullPolicy = 0
	PullAlways  PullPolicy = 1
	PullNever   PullPolicy = 2
)

// Desired changes the desired set of a device.
type Desired struct {
	// Base is the hash of the set that Set and Remove apply to. Absent: Set is the whole set, what is not in it goes.
	Base ShortHash `cbor:"1,keyasint,omitzero"`
	// Set has the entries that are new or differ.
	Set []Entry `cbor:"2,keyasint,omitempty"`
	// Remove names the entries that go.
	Remove []EntryKey `cbor:"3,keyasint,omitempty"`
	// Hash is DesiredHash of the resulting set. Absent: the resulting set is empty.
	Hash ShortHash `cbor:"4,keyasint,omitzero"`
}

// Hash returns the SHA-256 of the entry's encoding: equal entries have equal hashes.
func (e *Entry) Hash() Hash {
	b, err := Marshal(e)
	if err != nil {
		panic(err) // an Entry has no field that can fail to encode
	}
	return HashOf(b)
}

// Content returns the hash of what is applied: entries with equal contents need no work between them.
func (e *Entry) Content() Hash {
	applied := *e
	applied.Access, applied.Change = nil, nil
	return applied.Hash()
}

// Needs is the least capability of an agent that does all that the entry says.
func (e *Entry) Needs() uint {
	if e.Kind == EntryJob {
		return 5
	}
	if e.Verify != 0 || e.Retries != 0 || e.Stay || e.Change != nil || len(e.Sealed) > 0 || len(e.Access) > 0 {
		return 3
	}
	return 1
}

// DesiredHash is the one hash of a desired set, in whatever order it is given. The empty set has the zero hash.
func DesiredHash(set []Entry) ShortHash {
	if len(set) == 0 {
		return ShortHash{}
	}
	sorted := slices.Clone(set)
	slices.SortFunc(sorted, func(a, b Entry) int { return CompareKeys(a.EntryKey, b.EntryKey) })
	h := sha256.New()
	for i := range sorted {
		sum := sorted[i].Hash()
		h.Write(sum[:])
	}
	return ShortHash(h.Sum(nil)[:8])
}

// CompareKeys orders entries by kind and id.
func CompareKeys(a, b EntryKey) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}

// DesiredDelta says how to get from the set have, which the device holds, to the set want. A nil have means that
// the device's set is not known: the whole set is sent.
func DesiredDelta(have, want []Entry) *Desired {
	d := &Desired{Hash: DesiredHash(want)}
	if have == nil {
		d.Set = slices.Clone(want)
		return d
	}
	d.Base = DesiredHash(have)
	old := make(map[EntryKey]Hash, len(have))
	for i := range have {
		old[have[i].EntryKey] = have[i].Hash()
	}
	for i := range want {
		if h, ok := old[want[i].EntryKey]; !ok || h != want[i].Hash() {
			d.Set = append(d.Set, want[i])
		}
		delete(old, want[i].EntryKey)
	}
	for k := range old {
		d.Remove = append(d.Remove, k)
	}
	slices.SortFunc(d.Remove, CompareKeys)
	if d.Base.IsZero() { // an absent base would say "whole set", which is the same thing for an empty one
		d.Remove = nil
	}
	return d
}

// Apply returns the set that results from applying d to have. ok is false when d was made for another set, or the
// result does not have the hash it should; the device then keeps what it has and says its hash in a Hello.
func (d *Desired) Apply(have []Entry) (set []Entry, ok bool) {
	byKey := map[EntryKey]Entry{}
	if !d.Base.IsZero() {
		if DesiredHash(have) != d.Base {
			return nil, false
		}
		for _, e := range have {
			byKey[e.EntryKey] = e
		}
	}
	for _, k := range d.Remove {
		delete(byKey, k)
	}
	for _, e := range d.Set {
		byKey[e.EntryKey] = e
	}
	set = make([]Entry, 0, len(byKey))
	for _, e := range byKey {
		set = append(set, e)
	}
	slices.SortFunc(set, func(a, b Entry) int { return CompareKeys(a.EntryKey, b.EntryKey) })
	return set, DesiredHash(set) == d.Hash
}
