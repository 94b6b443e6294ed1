// Package fold is the hub's half of snapshots: it folds full and patch updates of devices into the last known state,
// keeps enough earlier states to go back Keep, bounded in bytes for each device, and notices when an update does not
// fit, so that a full one is asked for.
//
// It knows devices by id only and reads states only to refuse malformed ones. It keeps nothing in memory that is not
// in the store first: an update is durable when Apply returns. DESIGN.md has the stored form.
//
// A Fold is safe for concurrent use. Updates of one device wait for each other, those of different devices do not.
package fold

import (
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// Defaults of Config.
const (
	DefaultKeep         = 7 * 24 * time.Hour
	DefaultDeviceBytes  = 128 << 10
	DefaultCacheBytes   = 64 << 20
	DefaultParallelism  = 4
	maxSegmentStates    = 32
	maxSegmentBytes     = 16 << 10
	entryOverhead       = 512 // bytes of memory of a cached device beside its state and segment
	storedStateOverhead = 24  // bytes of a stored state beside its data, about
)

// ErrNone says that no state is known of the device, or none of that time.
var ErrNone = errors.New("no snapshot is known")

// Store keeps segments. Each method is one transaction. hub/store implements it.
type Store interface {
	// SnapshotHead returns the segment with the highest number; ok is false where the device has none.
	SnapshotHead(dev protocol.DeviceID) (seg Segment, ok bool, err error)
	// SnapshotSegments returns all segments by number.
	SnapshotSegments(dev protocol.DeviceID) ([]Segment, error)
	// PutSnapshotSegment adds seg, or replaces the one of the same number. It returns when seg is durable, and may
	// share a transaction with others.
	PutSnapshotSegment(dev protocol.DeviceID, seg Segment) error
	// ReplaceSnapshots puts segs in the place of all segments of the device. None: the device is forgotten.
	ReplaceSnapshots(dev protocol.DeviceID, segs []Segment) error
}

// Config of a Fold. Store is required.
type Config struct {
	Store Store
	// Log gets damaged states of the store. Nil: slog.Default.
	Log *slog.Logger
	// Keep is how far back states are kept. 0: DefaultKeep.
	Keep time.Duration
	// DeviceBytes is about the most that is stored for one device; beyond it older states are thinned out. The last
	// state is always kept. 0: DefaultDeviceBytes.
	DeviceBytes int
	// CacheBytes is about the most memory for states of devices. 0: DefaultCacheBytes.
	CacheBytes int
	// Parallelism is how many patches are worked on at once; each takes about 1 MB once used. 0: DefaultParallelism.
	Parallelism int
}

// State is one state of a device.
type State struct {
	// At is when the device captured it, at most when the hub received it. To the second.
	At time.Time
	// Hash is the short hash of Canonical.
	Hash protocol.ShortHash
	// Canonical is the encoding of package snapshot. It is shared: do not change it.
	Canonical []byte
}

// Snapshot decodes the state.
func (s State) Snapshot() (protocol.Snapshot, error) { return snapshot.Decode(s.Canonical) }

// Fold folds updates into states.
type Fold struct {
	cfg      Config
	patchers chan *snapshot.Patcher

	// mu guards the cache. It is taken after an entry's own mutex or alone, and held for no I/O.
	mu    sync.Mutex
	cache map[protocol.DeviceID]*entry
	order *list.List // of *entry, most recently used first
	bytes int
	// hashes are those of the last states that were looked at, about 60 bytes a device. They are never let go of, so
	// that a look over the whole fleet need not read what the cache has no room for.
	hashes map[protocol.DeviceID]protocol.ShortHash
}

// entry is what is known in memory of one device.
type entry struct {
	dev   protocol.DeviceID
	place *list.Element // guarded by Fold.mu
	refs  int           // guarded by Fold.mu; an entry in use is not evicted
	size  int           // guarded by Fold.mu

	// mu guards the rest and is held while the device's update is worked on and stored.
	mu     sync.Mutex
	loaded bool
	head   Segment // no states: the device has none
	last   []byte  // canonical form of the head's last state
}

// New returns a Fold. Nothing needs to be closed.
func New(cfg Config) *Fold {
	cfg.Keep = cmp.Or(cfg.Keep, DefaultKeep)
	cfg.DeviceBytes = cmp.Or(cfg.DeviceBytes, DefaultDeviceBytes)
	cfg.CacheBytes = cmp.Or(cfg.CacheBytes, DefaultCacheBytes)
	cfg.Parallelism = cmp.Or(cfg.Parallelism, DefaultParallelism)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	f := &Fold{
		cfg:      cfg,
		patchers: make(chan *snapshot.Patcher, cfg.Parallelism),
		cache:    map[protocol.DeviceID]*entry{},
		order:    list.New(),
		hashes:   map[protocol.DeviceID]protocol.ShortHash{},
	}
	for range cfg.Parallelism {
		f.patchers <- snapshot.NewPatcher()
	}
	return f
}

// Apply folds in one update, received at at, and returns when the result is durable. needFull says that the update is
// for a state the hub does not have, or damaged: nothing was changed, and a full one is to be asked for. Errors are of
// the store, or wrap protocol.ErrMalformed or protocol.ErrTooLarge where the update is not what a device may send.
func (f *Fold) Apply(dev protocol.DeviceID, u protocol.SnapshotUpdate, at time.Time) (needFull bool, err error) {
	e, err := f.acquire(dev)
	if err != nil {
		return false, err
	}
	defer f.release(e)
	if n := len(e.head.States); n > 0 && e.head.States[n-1].Hash == u.Hash {
		return false, nil // sent again: the acknowledgement was lost
	}
	next, err := f.result(e, u)
	switch {
	case errors.Is(err, snapshot.ErrWrongBase):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("snapshot of device %s: %w", dev, err)
	}
	if err := f.push(e, arrived{next, u.Patch, stateTime(e, u.At, at)}); err != nil {
		return false, fmt.Errorf("store snapshot of device %s: %w", dev, err)
	}
	return false, nil
}

// result returns the state that u is about.
func (f *Fold) result(e *entry, u protocol.SnapshotUpdate) ([]byte, error) {
	next := u.Full
	if len(next) == 0 {
		base, err := f.baseFor(e, u.Patch)
		if err != nil {
			return nil, err
		}
		p := <-f.patchers
		next, err = p.Apply(base, u.Patch)
		f.patchers <- p
		if err != nil {
			return nil, err
		}
		if protocol.HashOf(next).Short() != u.Hash {
			return nil, snapshot.ErrWrongBase
		}
	} else if protocol.HashOf(next).Short() != u.Hash {
		return nil, fmt.Errorf("%w: a full snapshot that does not have the hash it came with", protocol.ErrMalformed)
	}
	if _, err := snapshot.Decode(next); err != nil {
		return nil, err
	}
	return next, nil
}

// baseFor returns the state that patch is for. That is the last one, or, where an acknowledgement was lost, one a
// little earlier: the device goes by what was acknowledged.
func (f *Fold) baseFor(e *entry, patch []byte) ([]byte, error) {
	for i := len(e.head.States) - 1; i >= 0; i-- {
		if !snapshot.BaseOf(patch, e.head.States[i].Hash) {
			continue
		}
		if i == len(e.head.States)-1 {
			return e.last, nil
		}
		states, err := f.unpack([]Segment{{States: e.head.States[:i+1]}})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", snapshot.ErrWrongBase, err)
		}
		return states[i].Canonical, nil
	}
	return nil, snapshot.ErrWrongBase
}

// stateTime makes times that never go back: the device's word counts where it is possible.
func stateTime(e *entry, told int64, received time.Time) int64 {
	at := received.Unix()
	if told > 0 && told < at {
		at = told
	}
	if n := len(e.head.States); n > 0 {
		at = max(at, e.head.States[n-1].At)
	}
	return at
}

// arrived is a state that an update led to.
type arrived struct {
	canonical []byte
	patch     []byte // as the device sent it; empty: the update was a full one
	at        int64
}

// keptPatch is up to which size a device's patch is stored as it came. Larger ones are made anew: a device may make
// them larger than they need to be.
const keptPatch = 1 << 10

// push makes a state the last one. On an error e is as it was.
func (f *Fold) push(e *entry, a arrived) error {
	next, at := a.canonical, a.at
	stored := Stored{At: at, Hash: protocol.HashOf(next).Short()}
	seg := e.head
	n := len(seg.States)
	switch {
	case seg.full():
		seg = seg.successor(at)
		stored.Data = f.patch(nil, next)
	case n > 0 && len(a.patch) > 0 && len(a.patch) <= keptPatch && snapshot.BaseOf(a.patch, seg.States[n-1].Hash):
		stored.Data = a.patch // it was applied to the last state and gave this one
	default:
		stored.Data = f.patch(e.last, next)
	}
	seg.States = append(seg.States[:len(seg.States):len(seg.States)], stored)

	var err error
	if len(seg.States) == 1 && seg.Number > 1 && f.wantsThinning(seg, at) {
		seg, err = f.thin(e.dev, seg, at)
	} else {
		err = f.cfg.Store.PutSnapshotSegment(e.dev, seg)
	}
	if err != nil {
		return err
	}
	e.head, e.last = seg, next
	return nil
}

// patch makes a patch with one of the patchers.
func (f *Fold) patch(base, next []byte) []byte {
	p := <-f.patchers
	defer func() { f.patchers <- p }()
	return p.Patch(base, next)
}

// Latest returns the last known state. Without one the error wraps ErrNone.
func (f *Fold) Latest(dev protocol.DeviceID) (State, error) {
	e, err := f.acquire(dev)
	if err != nil {
		return State{}, err
	}
	defer f.release(e)
	if len(e.head.States) == 0 {
		return State{}, fmt.Errorf("device %s: %w", dev, ErrNone)
	}
	last := e.head.States[len(e.head.States)-1]
	return State{At: time.Unix(last.At, 0), Hash: last.Hash, Canonical: e.last}, nil
}

// LatestHash returns the hash of what Latest would return; false: no state is known. After the first time it reads
// neither the store nor the state, so it can be asked of all devices at once.
func (f *Fold) LatestHash(dev protocol.DeviceID) (protocol.ShortHash, bool) {
	f.mu.Lock()
	hash, ok := f.hashes[dev]
	f.mu.Unlock()
	if ok {
		return hash, true
	}
	state, err := f.Latest(dev)
	return state.Hash, err == nil
}

// Forget removes all states of a device.
func (f *Fold) Forget(dev protocol.DeviceID) error {
	e, err := f.acquire(dev)
	if err != nil {
		return err
	}
	defer f.release(e)
	if err := f.cfg.Store.ReplaceSnapshots(dev, nil); err != nil {
		return fmt.Errorf("forget snapshots of device %s: %w", dev, err)
	}
	e.head, e.last = Segment{}, nil
	return nil
}

// acquire returns the device's entry, loaded and locked.
func (f *Fold) acquire(dev protocol.DeviceID) (*entry, error) {
	f.mu.Lock()
	e := f.cache[dev]
	if e == nil {
		e = &entry{dev: dev}
		e.place = f.order.PushFront(e)
		f.cache[dev] = e
	}
	e.refs++
	f.mu.Unlock()
	e.mu.Lock()
	if e.loaded {
		return e, nil
	}
	if err := f.load(e); err != nil {
		f.release(e)
		return nil, err
	}
	return e, nil
}

// load reads the device's last state from the store. A damaged one counts as none, so that the device is asked for a
// full snapshot and all is well again.
func (f *Fold) load(e *entry) error {
	head, ok, err := f.cfg.Store.SnapshotHead(e.dev)
	if err != nil {
		return fmt.Errorf("read snapshot of device %s: %w", e.dev, err)
	}
	e.loaded = true
	if !ok {
		return nil
	}
	states, err := f.unpack([]Segment{head})
	if err != nil || len(states) == 0 {
		f.cfg.Log.Warn("the stored snapshot is damaged; a full one is asked of the device", "device", e.dev, "err", err)
		e.head = Segment{Number: head.Number, Before: head.Before, Oldest: head.Oldest}
		return nil
	}
	e.head, e.last = head, states[len(states)-1].Canonical
	return nil
}

// release unlocks an entry and lets go of the least recently used ones beyond the cache's bound.
func (f *Fold) release(e *entry) {
	size := entryOverhead + len(e.last) + e.head.size()
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(e.head.States); n > 0 {
		f.hashes[e.dev] = e.head.States[n-1].Hash
	} else {
		delete(f.hashes, e.dev)
	}
	e.mu.Unlock() // after mu, so that an earlier hash does not take the place of a later one
	e.refs--
	f.bytes += size - e.size
	e.size = size
	f.order.MoveToFront(e.place)
	for at := f.order.Back(); at != nil && f.bytes > f.cfg.CacheBytes; {
		old := at.Value.(*entry)
		at = at.Prev()
		if old.refs > 0 {
			continue
		}
		f.bytes -= old.size
		f.order.Remove(old.place)
		delete(f.cache, old.dev)
	}
}
