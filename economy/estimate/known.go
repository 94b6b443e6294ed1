package estimate

import (
	"sync"

	"github.com/farshore/farshore/protocol"
)

// Of how many images layers are remembered, and how many layers together.
const (
	maxKnown       = 8192
	maxKnownLayers = 1 << 18
)

// known remembers which layers images have, by whatever engines call them. It is safe for concurrent use; the zero value
// knows nothing.
type known struct {
	mu     sync.Mutex
	layers map[protocol.Hash][]Layer // guarded by mu
	count  int                       // of all layers; guarded by mu
}

func (k *known) put(i *Image) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.layers == nil {
		k.layers = map[protocol.Hash][]Layer{}
	}
	for _, id := range i.IDs {
		k.drop(id)
		for other := range k.layers {
			if len(k.layers) < maxKnown && k.count+len(i.Layers) <= maxKnownLayers {
				break
			}
			k.drop(other) // any: what is needed is read again
		}
		k.layers[id] = i.Layers
		k.count += len(i.Layers)
	}
}

// drop forgets one. The caller holds mu.
func (k *known) drop(id protocol.Hash) {
	k.count -= len(k.layers[id])
	delete(k.layers, id)
}

func (k *known) of(id protocol.Hash) ([]Layer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	layers, ok := k.layers[id]
	return layers, ok
}
