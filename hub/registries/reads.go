package registries

import (
	"sync"
	"time"
)

// How long what was read of an image is remembered: by its tag, by its digest, which stays what it is but may be let nobody
// in any more, and that it could not be read.
const (
	readByTag    = 5 * time.Minute
	readByDigest = time.Hour
	unreadFor    = 30 * time.Second
)

// Of how many images it is remembered, with how many layers together.
const (
	maxReads      = 4096
	maxReadLayers = 1 << 17
)

func readFor(err error, pinned bool) time.Duration {
	switch {
	case err != nil:
		return unreadFor
	case pinned:
		return readByDigest
	}
	return readByTag
}

// readKey is an image for a platform, as one registry's entry lets the hub see it.
type readKey struct {
	image, platform, entry string
	updated                int64
}

type read struct {
	image Image
	err   error
}

type remembered struct {
	read
	until time.Time
}

// reads remembers what was read. It is safe for concurrent use; the zero value is empty.
type reads struct {
	mu     sync.Mutex
	found  map[readKey]remembered // guarded by mu
	layers int                    // of all of them; guarded by mu
}

func (r *reads) get(k readKey, now time.Time) (read, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.found[k]
	return x.read, ok && now.Before(x.until)
}

func (r *reads) put(k readKey, x read, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.found == nil {
		r.found = map[readKey]remembered{}
	}
	r.drop(k)
	for other := range r.found {
		if len(r.found) < maxReads && r.layers+len(x.image.Layers) <= maxReadLayers {
			break
		}
		r.drop(other) // any: what is needed is read again
	}
	r.found[k] = remembered{x, until}
	r.layers += len(x.image.Layers)
}

// drop forgets one. The caller holds mu.
func (r *reads) drop(k readKey) {
	r.layers -= len(r.found[k].image.Layers)
	delete(r.found, k)
}
