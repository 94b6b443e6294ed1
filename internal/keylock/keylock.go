// Package keylock gives locks by name: work on one name is done in order, work on different names nearly always at
// the same time. It keeps a fixed number of locks, whatever the number of names.
package keylock

import (
	"hash/maphash"
	"sync"
)

// Locks are locks by name. The zero value is not ready; use New. Whoever holds one lock must not ask for another of
// the same Locks, since two names may share one.
type Locks struct {
	seed  maphash.Seed
	locks [64]sync.Mutex
}

// New returns unlocked Locks.
func New() *Locks { return &Locks{seed: maphash.MakeSeed()} }

// Lock waits for the lock of the name and returns what releases it.
func (l *Locks) Lock(name string) (unlock func()) {
	mu := &l.locks[maphash.String(l.seed, name)%uint64(len(l.locks))]
	mu.Lock()
	return mu.Unlock
}
