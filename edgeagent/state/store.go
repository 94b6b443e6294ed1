package state

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	// ErrNotPending: the command was started or finished before; it must not be started again.
	ErrNotPending = errors.New("command is not pending")
	// ErrLocked: another agent uses the data folder.
	ErrLocked = errors.New("data folder is in use by another process")
	// ErrNewer: the data folder was written by a newer version; it was left as it is.
	ErrNewer = errors.New("data folder was written by a newer version")
	// ErrDiskFull is wrapped by every error that comes from a full disk; it wraps the system's own error as well.
	ErrDiskFull = errors.New("disk is full")
	// ErrDamaged: what is on disk is not what was written there.
	ErrDamaged = errors.New("is damaged")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("state is closed")
)

// Identity is who the device is, and which run of the agent this is.
type Identity struct {
	Key ed25519.PrivateKey
	ID  protocol.DeviceID
	// Boot is drawn once when the store is opened; its counter has grown by one since the last time.
	Boot protocol.Boot
}

// Approval is whether the hub has let the device in.
type Approval uint8

// The approval states. They are stored; numbers never change.
const (
	Unapproved Approval = 0
	Approved   Approval = 1
)

// Applied is one line of the reconciler's journal.
type Applied = reconciler.Applied

// Store is the agent's durable state. See the package comment.
type Store struct {
	id    Identity
	blobs blobs
	disk  *disk  // nil: this is a memory store
	lost  string // see Lost

	mu       sync.Mutex // guards everything below, and is held while a transaction is written
	data     *data
	clock    func() time.Time
	onOutbox []func()
	unsaved  []op // could not be written at open because the disk was full; they go with the next transaction
	full     bool // the last transaction failed because the disk is full, and the hub is being told
	closed   bool
}

// data is the mirror of what is durable.
type data struct {
	boot     uint64
	edgeKey  string
	approval Approval
	mark     protocol.OrderMark
	settings *protocol.Settings
	desired  []protocol.Entry // sorted by key
	commands map[protocol.CommandID]command
	floor    protocol.CommandID // commands up to this id may have been in the journal and forgotten
	taken    protocol.CommandID // no command with a higher id was ever in the journal
	counters counters
	outbox   map[uint64]item
	statuses map[uint64]protocol.StackStatus
	applied  map[protocol.EntryKey]Applied
	snapshot snapshot
	spending spending.Record
	cursors  map[uint64]runner.Cursor // by job
	runs     map[uint64]runner.Run
	jobsLost int64 // see runner.Book.Lost; lostJustNow until the desired set has come again
}

// counters only grow.
type counters struct {
	Outbox uint64 `cbor:"1,keyasint,omitempty"`
	Rev    uint64 `cbor:"2,keyasint,omitempty"`
	Event  uint64 `cbor:"3,keyasint,omitempty"`
	Run    uint64 `cbor:"4,keyasint,omitempty"`
}

// snapshot is the last one the hub acknowledged.
type snapshot struct {
	Canonical []byte             `cbor:"1,keyasint,omitempty"`
	Hash      protocol.ShortHash `cbor:"2,keyasint,omitzero"`
}

// Identity returns the device key and this run's boot.
func (s *Store) Identity() Identity { return s.id }

// Lost tells people, in sentences, that the database was lost when the store was opened, and what that means; "" when
// all was well. The hub is told by an event of kind "state-damaged".
func (s *Store) Lost() string { return s.lost }

// SetClock makes the store date events and statuses by clock, the device's best time. Until it is called the
// machine's clock is used.
func (s *Store) SetClock(clock func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = clock
}

// Close waits for a running transaction and lets go of the data folder. It may be called twice.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.disk == nil {
		return nil
	}
	return s.disk.db.Close()
}

// EdgeKey returns the edge key that was stored, or "".
func (s *Store) EdgeKey() string { return view(s, func(d *data) string { return d.edgeKey }) }

// SetEdgeKey stores the edge key. The same key again writes nothing.
func (s *Store) SetEdgeKey(key string) error {
	return s.update("store edge key", func(t *txn) error {
		if t.d.edgeKey == key {
			return nil
		}
		set(t, &t.d.edgeKey, key)
		t.put(keyEdgeKey, key)
		return nil
	})
}

// Approved reports whether the hub has let the device in.
func (s *Store) Approved() bool {
	return view(s, func(d *data) bool { return d.approval == Approved })
}

// SetApproved stores whether the hub has let the device in. The same again writes nothing.
func (s *Store) SetApproved(a Approval) error {
	return s.update("store approval", func(t *txn) error {
		if t.d.approval == a {
			return nil
		}
		set(t, &t.d.approval, a)
		t.put(keyApproval, uint8(a))
		return nil
	})
}

// AckedSnapshot returns the canonical bytes and hash of the last snapshot that the hub acknowledged; nil and the zero
// hash when there is none.
func (s *Store) AckedSnapshot() (canonical []byte, hash protocol.ShortHash) {
	got := view(s, func(d *data) snapshot { return d.snapshot })
	return got.Canonical, got.Hash
}

// SetAckedSnapshot stores the last acknowledged snapshot and keeps canonical. Nil forgets it: the next one is sent
// whole.
func (s *Store) SetAckedSnapshot(canonical []byte) error {
	var next snapshot
	if canonical != nil {
		next = snapshot{Canonical: canonical, Hash: protocol.HashOf(canonical).Short()}
	}
	return s.update("store acknowledged snapshot", func(t *txn) error {
		if t.d.snapshot.Hash == next.Hash {
			return nil
		}
		set(t, &t.d.snapshot, next)
		t.put(keySnapshot, next)
		return nil
	})
}

// Spending returns what was counted and reserved on the link.
func (s *Store) Spending() spending.Record {
	return view(s, func(d *data) spending.Record { return d.spending })
}

// PutSpending stores what was counted and is reserved on the link, and keeps its days.
func (s *Store) PutSpending(r spending.Record) error {
	return s.update("store what is spent on the link", func(t *txn) error {
		set(t, &t.d.spending, r)
		t.put(keySpending, r)
		return nil
	})
}

// Applied returns the reconciler's journal, in the order of entry keys.
func (s *Store) Applied() []Applied {
	return view(s, func(d *data) []Applied {
		return sortedValues(d.applied, protocol.CompareKeys)
	})
}

// PutApplied writes one line of the reconciler's journal, in place of an earlier one of the same entry.
func (s *Store) PutApplied(a Applied) error {
	return s.update("store reconciler journal", func(t *txn) error {
		setIn(t, &t.d.applied, a.Entry.EntryKey, a)
		t.put(appliedKey(a.Entry.EntryKey), a)
		return nil
	})
}

// RemoveApplied removes one line of the reconciler's journal. One that is not there is no error.
func (s *Store) RemoveApplied(key protocol.EntryKey) error {
	return s.update("store reconciler journal", func(t *txn) error {
		if _, ok := t.d.applied[key]; !ok {
			return nil
		}
		deleteIn(t, &t.d.applied, key)
		t.remove(appliedKey(key))
		return nil
	})
}

// view reads the mirror.
func view[T any](s *Store, fn func(*data) T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fn(s.data)
}

// place is where a record lives: bucket, key, and the record version it is written with.
type place struct {
	bucket  string
	key     string
	version uint
}

// Buckets and fixed keys. Names are stored and never change.
const (
	bucketMeta     = "meta"
	bucketDesired  = "desired"
	bucketCommands = "commands"
	bucketOutbox   = "outbox"
	bucketStatuses = "statuses"
	bucketApplied  = "applied"
	bucketCursors  = "job-cursors"
	bucketRuns     = "job-runs"
)

var (
	keyDevice   = place{bucketMeta, "device", 1}
	keyBoot     = place{bucketMeta, "boot", 1}
	keyEdgeKey  = place{bucketMeta, "edge-key", 1}
	keyApproval = place{bucketMeta, "approval", 1}
	keyMark     = place{bucketMeta, "mark", 1}
	keySettings = place{bucketMeta, "settings", 1}
	keyFloor    = place{bucketMeta, "floor", 1}
	keyCounters = place{bucketMeta, "counters", 1}
	keySnapshot = place{bucketMeta, "snapshot", 1}
	keySpending = place{bucketMeta, "spending", 1}
	keyJobsLost = place{bucketMeta, "jobs-lost", 1}
)

func number(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

func entryKey(k protocol.EntryKey) string { return string([]byte{byte(k.Kind)}) + number(k.ID) }

func desiredKey(k protocol.EntryKey) place   { return place{bucketDesired, entryKey(k), 1} }
func appliedKey(k protocol.EntryKey) place   { return place{bucketApplied, entryKey(k), 1} }
func commandKey(id protocol.CommandID) place { return place{bucketCommands, number(uint64(id)), 1} }
func outboxKey(id uint64) place              { return place{bucketOutbox, number(id), 1} }
func statusKey(stack uint64) place           { return place{bucketStatuses, number(stack), 1} }
