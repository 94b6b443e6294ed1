package state

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/farshore/farshore/protocol"
)

// NewMemory returns a store that keeps everything in maps, for simulated devices: the same seed gives the same device
// key and the same boot ids. An empty one takes about a kilobyte.
func NewMemory(seed uint64) *Store {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("farshore simulated device "), seed))
	key := ed25519.NewKeyFromSeed(sum[:])
	s := &Store{
		id:    Identity{Key: key, ID: protocol.DeviceIDFor(key.Public().(ed25519.PublicKey))},
		blobs: &memoryBlobs{},
		data:  &data{},
		clock: time.Now,
	}
	s.bootMemory()
	return s
}

// Reboot closes a memory store and returns what its device has after a power cut: the same content, the next boot,
// and interrupted commands where some were running. It panics on a store with a data folder: that one is opened again.
func (s *Store) Reboot() *Store {
	if s.disk != nil {
		panic("state: Reboot of a store with a data folder: close it and open it again")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	next := &Store{id: s.id, blobs: s.blobs, data: s.data, clock: time.Now}
	next.bootMemory()
	return next
}

func (s *Store) bootMemory() {
	s.data.boot++
	s.id.Boot.Counter = s.data.boot
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(s.id.Key.Seed()), s.data.boot))
	s.id.Boot.ID = [8]byte(sum[:8])
	t := &txn{s: s, d: s.data}
	t.interruptStarted()
}
