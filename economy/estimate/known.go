package estimate

import (
	"sync"

	"github.com/farshore/farshore/protocol"
)

// maxKnown is of how many images layers are remembered.
const maxKnown = 8192

// known remembers which layers images have, by whatever engines call them. It is safe for concurrent use; the zero value
// knows nothing.
type known struct {
	mu     sync.Mutex
	layers map[protocol.Hash][]Layer // guarded by mu
}

func (k *known) put(i *Image) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.layers == nil {
		k.layers = map[protocol.Hash][]Layer{}
	}
	for _, id := range i.IDs {
		for other := range k.layers {
			if len(k.layers) < maxKnown {
				break
			}
			delete(k.layers, other) // any: what is needed is read again
		}
		k.layers[id] = i.Layers
	}
}

func (k *known) of(id protocol.Hash) ([]Layer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	layers, ok := k.layers[id]
	return layers, ok
}
