package fleettest

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// MemoryStager keeps the files of stacks in memory, so that a simulated device needs no files. It is safe for
// concurrent use.
type MemoryStager struct {
	mu    sync.Mutex
	files map[string][]byte // by made-up absolute path
	asked map[string]bool   // name and version of what was ever to be staged
}

// NewMemoryStager returns an empty one.
func NewMemoryStager() *MemoryStager {
	return &MemoryStager{files: map[string][]byte{}, asked: map[string]bool{}}
}

// Asked reports whether a version of a stack was ever to be staged, which is the first thing that is done with an order.
func (m *MemoryStager) Asked(stack string, version uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[fmt.Sprint(stack, " ", version)]
}

func (m *MemoryStager) dir(e protocol.Entry) string {
	return path.Join(m.Root(e.EntryKey), e.Hash().Short().String())
}

// Root implements reconciler.Stager.
func (m *MemoryStager) Root(key protocol.EntryKey) string {
	return fmt.Sprintf("/stacks/%d-%d", key.Kind, key.ID)
}

// Stage implements reconciler.Stager.
func (m *MemoryStager) Stage(_ context.Context, e protocol.Entry, read func(protocol.Hash) ([]byte, error)) (reconciler.Place, error) {
	m.mu.Lock()
	m.asked[fmt.Sprint(e.Name, " ", e.Version)] = true
	m.mu.Unlock()
	files := map[string][]byte{}
	for _, f := range e.Files {
		b, err := read(f.Hash)
		if err != nil {
			return reconciler.Place{}, err
		}
		files[path.Join(m.dir(e), f.Path)] = b
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, b := range files {
		m.files[name] = b
	}
	return reconciler.Place{Dir: m.dir(e), Root: m.Root(e.EntryKey)}, nil
}

// Prune implements reconciler.Stager.
func (m *MemoryStager) Prune(e protocol.Entry) error {
	keep := m.dir(e) + "/"
	m.remove(func(name string) bool {
		return strings.HasPrefix(name, m.Root(e.EntryKey)+"/") && !strings.HasPrefix(name, keep)
	})
	return nil
}

// Remove implements reconciler.Stager.
func (m *MemoryStager) Remove(key protocol.EntryKey, _ reconciler.Volumes) error {
	m.remove(func(name string) bool { return strings.HasPrefix(name, m.Root(key)+"/") })
	return nil
}

func (m *MemoryStager) remove(which func(string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.files {
		if which(name) {
			delete(m.files, name)
		}
	}
}

// ReadFile reads a staged file, as the fake composer does.
func (m *MemoryStager) ReadFile(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return b, nil
}
