package updates

import (
	"sync"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/protocol"
)

// inbox holds what the book of commands has told until the Desk looks. It is safe for concurrent use.
type inbox struct {
	mu    sync.Mutex
	ended []commands.Record // guarded by mu
	wake  chan struct{}
}

func (i *inbox) put(rec commands.Record) {
	i.mu.Lock()
	i.ended = append(i.ended, rec)
	i.mu.Unlock()
	i.nudge()
}

func (i *inbox) nudge() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

func (i *inbox) take() []commands.Record {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := i.ended
	i.ended = nil
	return out
}

// readable is which pieces devices may read. It is safe for concurrent use; the zero value is nothing.
type readable struct {
	mu sync.RWMutex
	of map[protocol.DeviceID]map[protocol.ShortHash]protocol.Hash // guarded by mu
}

func (r *readable) give(dev protocol.DeviceID, u *protocol.Update) {
	if u == nil {
		return
	}
	pieces := map[protocol.ShortHash]protocol.Hash{}
	for _, p := range u.Programs {
		for _, part := range p.Parts {
			pieces[part.Blob.Short()] = part.Blob
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[protocol.DeviceID]map[protocol.ShortHash]protocol.Hash{}
	}
	r.of[dev] = pieces
}

func (r *readable) drop(dev protocol.DeviceID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, dev)
}

func (r *readable) find(dev protocol.DeviceID, blob protocol.ShortHash) (protocol.Hash, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	h, ok := r.of[dev][blob]
	return h, ok
}
