package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"github.com/farshore/farshore/protocol"
)

// op is one write of a transaction. A nil value deletes.
type op struct {
	bucket string
	key    string
	value  []byte
}

// txn is a transaction: it changes the mirror at once, so that its own reads see the change, and gathers what has to
// be written. When writing fails the mirror is put back.
type txn struct {
	s      *Store
	d      *data
	ops    []op
	undo   []func()
	err    error // the first error of encoding
	notify bool  // something was put into the outbox
}

// update runs one transaction. doing names it for the error. When fn changes nothing, nothing is written.
func (s *Store) update(doing string, fn func(*txn) error) error {
	notify, err := s.locked(fn)
	for _, call := range notify {
		call()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func (s *Store) locked(fn func(*txn) error) (notify []func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	t := &txn{s: s, d: s.data}
	if err = errors.Join(fn(t), t.err); err == nil {
		err = s.commit(t)
	}
	if err != nil {
		t.rollback()
		if errors.Is(err, ErrDiskFull) && s.noteDiskFull(err) {
			return s.onOutbox, err
		}
		return nil, err
	}
	if t.notify {
		return s.onOutbox, nil
	}
	return nil, nil
}

func (t *txn) rollback() {
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
}

// commit makes a transaction durable. The caller holds mu.
func (s *Store) commit(t *txn) error {
	if s.disk == nil || len(t.ops) == 0 {
		return nil
	}
	ops := append(slices.Clip(s.unsaved), t.ops...)
	err := s.write(ops)
	if isDiskFull(err) && s.disk.releaseReserve() {
		err = s.write(ops) // the reserve was kept for this
	}
	if err != nil {
		return diskError(err)
	}
	s.unsaved, s.full = nil, false
	return nil
}

// write makes the copy of the device's standing durable, where it changes, and then the transaction: when the database
// is lost, the copy must know of every order that was accepted.
func (s *Store) write(ops []op) error {
	if err := s.disk.keepStanding(s.standing(), s.data); err != nil {
		return err
	}
	return s.disk.write(ops)
}

// noteDiskFull tells the hub once that the disk is full. What cannot be written is still sent: the event lives in the
// mirror, and goes to disk with the next transaction that succeeds. The caller holds mu. It reports whether an event
// was put.
func (s *Store) noteDiskFull(err error) bool {
	if s.full {
		return false
	}
	s.full = true
	t := &txn{s: s, d: s.data}
	t.putEvent("disk-full", err.Error())
	s.unsaved = append(s.unsaved, t.ops...)
	return true
}

// put writes v as a record.
func (t *txn) put(at place, v any) {
	if t.s.disk == nil || t.err != nil {
		return
	}
	raw, err := encode(at, v)
	if err != nil {
		t.err = err
		return
	}
	t.ops = append(t.ops, op{at.bucket, at.key, raw})
}

func (t *txn) remove(at place) {
	if t.s.disk != nil {
		t.ops = append(t.ops, op{bucket: at.bucket, key: at.key})
	}
}

// count raises one of the counters and returns it.
func (t *txn) count(c *uint64) uint64 {
	set(t, c, *c+1)
	t.put(keyCounters, t.d.counters)
	return *c
}

// set changes a field of the mirror.
func set[T any](t *txn, field *T, v T) {
	old := *field
	t.undo = append(t.undo, func() { *field = old })
	*field = v
}

// setIn changes a map of the mirror. Maps are made when they are first needed: a simulated device is light.
func setIn[K comparable, V any](t *txn, m *map[K]V, key K, v V) {
	old, was := (*m)[key]
	t.undo = append(t.undo, func() {
		if was {
			(*m)[key] = old
		} else {
			delete(*m, key)
		}
	})
	if *m == nil {
		*m = make(map[K]V, 1)
	}
	(*m)[key] = v
}

func deleteIn[K comparable, V any](t *txn, m *map[K]V, key K) {
	old, was := (*m)[key]
	if !was {
		return
	}
	t.undo = append(t.undo, func() { (*m)[key] = old })
	delete(*m, key)
}

// sortedValues returns the values of m in the order of their keys.
func sortedValues[K comparable, V any](m map[K]V, compare func(a, b K) int) []V {
	keys := slices.SortedFunc(maps.Keys(m), compare)
	out := make([]V, len(keys))
	for i, k := range keys {
		out[i] = m[k]
	}
	return out
}

// record is how every value is stored.
type record struct {
	_       struct{} `cbor:",toarray"`
	Version uint
	Body    []byte
}

func encode(at place, v any) ([]byte, error) {
	body, err := protocol.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", at.bucket, err)
	}
	return protocol.Marshal(record{Version: at.version, Body: body})
}

func decode(at place, raw []byte, v any) error {
	var r record
	if err := protocol.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("read %s: %w: %w", at.bucket, ErrDamaged, err)
	}
	if r.Version > at.version {
		return fmt.Errorf("read %s: %w: record version %d, this build knows %d", at.bucket, ErrNewer, r.Version, at.version)
	}
	if err := protocol.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("read %s: %w: %w", at.bucket, ErrDamaged, err)
	}
	return nil
}

// isDiskFull reports whether err comes from a file system without space, or a used-up quota.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// diskError gives an error of the file system a sentence where it is about space.
func diskError(err error) error {
	if isDiskFull(err) && !errors.Is(err, ErrDiskFull) {
		return fmt.Errorf("%w: free some space on the device, the agent goes on by itself then: %w", ErrDiskFull, err)
	}
	return err
}

func compareIDs[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }
