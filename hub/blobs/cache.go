package blobs

import (
	"container/list"
	"sync"

	"github.com/farshore/farshore/protocol"
)

// cacheKey names a transfer by what it was made of, as it was asked for. Zero base: asked for without one.
type cacheKey struct{ blob, base protocol.Hash }

// cache keeps the transfers used last, bounded by their bytes. It is safe for concurrent use.
type cache struct {
	mu    sync.Mutex
	limit int
	bytes int
	order *list.List // of *cached, the one used last in front
	byKey map[cacheKey]*list.Element
}

type cached struct {
	key cacheKey
	t   *packed
}

// perTransfer is what a transfer is counted with beside its data.
const perTransfer = 256

func newCache(limit int) cache {
	return cache{limit: limit, order: list.New(), byKey: map[cacheKey]*list.Element{}}
}

func (c *cache) get(key cacheKey) *packed {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).t
}

// put keeps t and drops those that were used longest ago. One that is larger than the whole cache is not kept.
func (c *cache) put(key cacheKey, t *packed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(t.data) + perTransfer
	if size > c.limit || c.byKey[key] != nil {
		return
	}
	for c.bytes+size > c.limit {
		last := c.order.Back()
		old := c.order.Remove(last).(*cached)
		delete(c.byKey, old.key)
		c.bytes -= len(old.t.data) + perTransfer
	}
	c.byKey[key] = c.order.PushFront(&cached{key: key, t: t})
	c.bytes += size
}
