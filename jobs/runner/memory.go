package runner

import (
	"io"
	"slices"
	"sync"

	"github.com/farshore/farshore/protocol"
)

// Memory keeps what runs write in memory: Outputs for simulated devices, and for tests. It is safe for concurrent use.
type Memory struct {
	// Most is how many bytes of each stream are kept. 0: 64 kB.
	Most int

	mu   sync.Mutex
	runs map[uint64]*[2]tail
}

// tail is the end of a stream.
type tail struct {
	size uint64
	kept []byte
}

// sink is a stream that is written.
type sink struct {
	m      *Memory
	run    uint64
	stream int
}

// Write implements io.Writer; it never fails.
func (s sink) Write(p []byte) (int, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	of := s.m.runs[s.run]
	if of == nil {
		return len(p), nil
	}
	t := &of[s.stream]
	t.size += uint64(len(p))
	t.kept = append(t.kept, p...)
	most := s.m.Most
	if most == 0 {
		most = protocol.DefaultJobOutput
	}
	if over := len(t.kept) - most; over > 0 {
		t.kept = slices.Delete(t.kept, 0, over)
	}
	return len(p), nil
}

// Begin implements Outputs.
func (m *Memory) Begin(run uint64) (stdout, stderr io.Writer, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs == nil {
		m.runs = map[uint64]*[2]tail{}
	}
	m.runs[run] = &[2]tail{}
	return sink{m, run, 0}, sink{m, run, 1}, nil
}

// Sizes implements Outputs.
func (m *Memory) Sizes(run uint64) (stdout, stderr protocol.JobStream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := m.runs[run]
	if of == nil {
		return stdout, stderr
	}
	return protocol.JobStream{Size: of[0].size, Kept: uint64(len(of[0].kept))}, protocol.JobStream{Size: of[1].size, Kept: uint64(len(of[1].kept))}
}

// ReadAt implements Outputs.
func (m *Memory) ReadAt(run uint64, stream uint8, p []byte, offset uint64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := m.runs[run]
	if of == nil || stream > protocol.StreamStderr {
		return 0, io.EOF
	}
	t := &of[stream]
	from := t.size - uint64(len(t.kept))
	if offset < from || offset >= t.size {
		return 0, io.EOF
	}
	return copy(p, t.kept[offset-from:]), nil
}

// Drop implements Outputs.
func (m *Memory) Drop(run uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.runs, run)
	return nil
}

// Only implements Outputs.
func (m *Memory) Only(runs []uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.runs {
		if !slices.Contains(runs, id) {
			delete(m.runs, id)
		}
	}
	return nil
}
