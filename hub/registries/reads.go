package registries

import (
	"sync"
	"time"
)

// readsAtOnce is how many images are read about at a time by all estimates together: each may take maxManifest of memory
// and more, and who asks chooses the registry.
const readsAtOnce = 32

// How long what was read of an image is remembered, how long that it could not be read, and of how many images.
const (
	readFor   = 5 * time.Minute
	unreadFor = 30 * time.Second
	maxReads  = 4096
)

// readKey is an image for a platform, as one registry's entry lets the hub see it.
type readKey struct {
	image, platform, entry string
	updated                int64
}

type read struct {
	image Image
	err   error
}

// reads remembers what was read. It is safe for concurrent use; the zero value is empty.
type reads struct {
	mu    sync.Mutex
	until map[readKey]time.Time // guarded by mu
	found map[readKey]read      // guarded by mu
}

func (r *reads) get(k readKey, now time.Time) (read, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.until[k]
	return r.found[k], ok && now.Before(until)
}

func (r *reads) put(k readKey, x read, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.found == nil || len(r.found) >= maxReads {
		r.until, r.found = map[readKey]time.Time{}, map[readKey]read{}
	}
	keep := readFor
	if x.err != nil {
		keep = unreadFor
	}
	r.until[k], r.found[k] = now.Add(keep), x
}
