// Package outputs keeps what runs of jobs write on the device's disk: the end of each stream, within bounds.
//
// A stream is a row of files that are only appended to, each named run.stream.offset; the first go as more is written.
// So the names and lengths of the files say everything, also after kill -9, and there is nothing else to keep in step.
// Nothing is synced: what a power cut takes is output, and no run. A run that writes nothing has no file.
//
// It owns its folder, decides nothing about runs, and never fails a write: what the disk does not take is counted only.
// It is safe for concurrent use.
package outputs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/farshore/farshore/protocol"
)

// Bounds of what is kept on a device.
const (
	// MaxStream is the most bytes kept of one stream; at least MaxStream less one part of it are.
	MaxStream = protocol.MaxJobOutput
	// MaxDevice is the most bytes kept of all runs; the oldest go first.
	MaxDevice = 64 << 20
	// part is the most bytes of one file.
	part = 64 << 10
)

// Config of Outputs.
type Config struct {
	// Dir is the folder, made where it is not there.
	Dir string
	Log *slog.Logger
}

// Outputs is what runs wrote.
type Outputs struct {
	cfg Config

	mu    sync.Mutex // guards what follows; files are written under it
	runs  map[uint64]*run
	total int64
}

// run has the two streams of its latest attempt.
type run [2]stream

// stream is what is known of one.
type stream struct {
	size  uint64 // of all that was written
	files []file // by offset, without gaps, up to size
	full  bool   // the disk took nothing lately
}

// file is one file of a stream.
type file struct {
	offset uint64
	size   int64
}

func (s *stream) end() uint64 {
	if len(s.files) == 0 {
		return s.size
	}
	last := s.files[len(s.files)-1]
	return last.offset + uint64(last.size)
}

func (s *stream) kept() uint64 {
	if len(s.files) == 0 {
		return 0
	}
	return s.size - s.files[0].offset
}

// New returns Outputs with what the folder has.
func New(cfg Config) (*Outputs, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder for the output of jobs: %w", err)
	}
	o := &Outputs{cfg: cfg, runs: map[uint64]*run{}}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("folder for the output of jobs: %w", err)
	}
	for _, e := range entries {
		id, n, offset, ok := parse(e.Name())
		info, err := e.Info()
		if !ok || err != nil || !info.Mode().IsRegular() {
			continue
		}
		r := o.runs[id]
		if r == nil {
			r = &run{}
			o.runs[id] = r
		}
		r[n].files = append(r[n].files, file{offset, info.Size()})
		o.total += info.Size()
	}
	for id, r := range o.runs {
		for n := range r {
			o.settle(id, n)
		}
	}
	return o, nil
}

// settle puts the files that were found in order. Those before a gap go.
func (o *Outputs) settle(id uint64, n int) {
	s := &o.runs[id][n]
	slices.SortFunc(s.files, func(a, b file) int { return int(int64(a.offset - b.offset)) })
	from := 0
	for i := 1; i < len(s.files); i++ {
		if s.files[i-1].offset+uint64(s.files[i-1].size) != s.files[i].offset {
			from = i
		}
	}
	o.cut(id, n, from)
	s.size = s.end()
}

func (o *Outputs) path(id uint64, n int, offset uint64) string {
	return filepath.Join(o.cfg.Dir, fmt.Sprintf("%d.%d.%d", id, n, offset))
}

func parse(name string) (id uint64, n int, offset uint64, ok bool) {
	words := strings.Split(name, ".")
	if len(words) != 3 || words[1] != "0" && words[1] != "1" {
		return 0, 0, 0, false
	}
	id, err := strconv.ParseUint(words[0], 10, 64)
	offset, err2 := strconv.ParseUint(words[2], 10, 63)
	return id, int(words[1][0] - '0'), offset, err == nil && err2 == nil
}

// cut removes the first files of a stream. The caller holds mu.
func (o *Outputs) cut(id uint64, n, files int) {
	s := &o.runs[id][n]
	for _, f := range s.files[:files] {
		if err := os.Remove(o.path(id, n, f.offset)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			o.cfg.Log.Warn("output of a run cannot be removed", "run", id, "error", err)
		}
		o.total -= f.size
	}
	s.files = slices.Delete(s.files, 0, files)
}

// Begin implements runner.Outputs.
func (o *Outputs) Begin(id uint64) (stdout, stderr io.Writer, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(id)
	r := &run{}
	o.runs[id] = r
	return writer{o, id, r, 0}, writer{o, id, r, 1}, nil
}

// writer is a stream of one attempt.
type writer struct {
	o  *Outputs
	id uint64
	r  *run
	n  int
}

// Write implements io.Writer; it never fails.
func (w writer) Write(p []byte) (int, error) {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	if w.o.runs[w.id] == w.r { // else another attempt has begun, or the run is forgotten
		w.o.write(w.id, w.n, p)
	}
	return len(p), nil
}

// write appends to a stream, and keeps it within its bounds. The caller holds mu.
func (o *Outputs) write(id uint64, n int, p []byte) {
	s := &o.runs[id][n]
	if over := len(p) - MaxStream; over > 0 { // more than is kept at all
		o.cut(id, n, len(s.files))
		s.size += uint64(over)
		p = p[over:]
	}
	for len(p) > 0 {
		if len(s.files) == 0 || s.files[len(s.files)-1].size >= part || s.end() != s.size {
			if s.end() != s.size { // what was not taken leaves a gap
				o.cut(id, n, len(s.files))
			}
			s.files = append(s.files, file{offset: s.size})
		}
		for s.kept() > MaxStream-part && len(s.files) > 1 && s.files[len(s.files)-1].size == 0 {
			o.cut(id, n, 1)
		}
		last := &s.files[len(s.files)-1]
		piece := p[:min(len(p), part-int(last.size))]
		taken, err := appendTo(o.path(id, n, last.offset), piece, last.size == 0)
		last.size += int64(taken)
		o.total += int64(taken)
		s.size += uint64(len(piece))
		p = p[len(piece):]
		if err != nil {
			o.cut(id, n, len(s.files)) // what is kept is the end
			if !s.full {
				o.cfg.Log.Warn("output of a run cannot be written, it is counted only", "run", id, "error", err)
			}
		}
		s.full = err != nil
	}
	for o.total > MaxDevice && o.dropOldest(id) {
	}
}

// appendTo opens the file anew each time: so no file stays open of a run of which nobody says that it is over.
func appendTo(path string, p []byte, first bool) (int, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if first {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(p)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return n, err
}

// dropOldest removes what is kept of the oldest run that has any, but the one that writes.
func (o *Outputs) dropOldest(writing uint64) bool {
	oldest, found := uint64(0), false
	for id, r := range o.runs {
		if id != writing && r[0].kept()+r[1].kept() > 0 && (!found || id < oldest) {
			oldest, found = id, true
		}
	}
	if found {
		for n := range o.runs[oldest] {
			o.cut(oldest, n, len(o.runs[oldest][n].files))
		}
	}
	return found
}

// Sizes implements runner.Outputs.
func (o *Outputs) Sizes(id uint64) (stdout, stderr protocol.JobStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.runs[id]; r != nil {
		stdout = protocol.JobStream{Size: r[0].size, Kept: r[0].kept()}
		stderr = protocol.JobStream{Size: r[1].size, Kept: r[1].kept()}
	}
	return stdout, stderr
}

// ReadAt implements runner.Outputs.
func (o *Outputs) ReadAt(id uint64, n uint8, p []byte, offset uint64) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.runs[id]
	if r == nil || n > protocol.StreamStderr || offset >= r[n].size {
		return 0, io.EOF
	}
	read := 0
	for _, f := range r[n].files {
		at := offset + uint64(read)
		if at < f.offset || at >= f.offset+uint64(f.size) || read == len(p) {
			continue
		}
		most := min(uint64(len(p)-read), f.offset+uint64(f.size)-at)
		got, err := readAt(o.path(id, int(n), f.offset), p[read:read+int(most)], int64(at-f.offset))
		read += got
		if err != nil {
			return read, fmt.Errorf("output of run %d: %w", id, err)
		}
	}
	if read == 0 {
		return 0, io.EOF
	}
	return read, nil
}

func readAt(path string, p []byte, offset int64) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(p, offset)
}

// Drop implements runner.Outputs.
func (o *Outputs) Drop(id uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(id)
	return nil
}

func (o *Outputs) drop(id uint64) {
	if r := o.runs[id]; r != nil {
		for n := range r {
			o.cut(id, n, len(r[n].files))
		}
		delete(o.runs, id)
	}
}

// Only implements runner.Outputs. Files that are no outputs go too.
func (o *Outputs) Only(ids []uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.runs {
		if !slices.Contains(ids, id) {
			o.drop(id)
		}
	}
	entries, err := os.ReadDir(o.cfg.Dir)
	if err != nil {
		return fmt.Errorf("folder for the output of jobs: %w", err)
	}
	for _, e := range entries {
		if id, n, offset, ok := parse(e.Name()); ok && o.has(id, n, offset) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(o.cfg.Dir, e.Name())); err != nil {
			return fmt.Errorf("folder for the output of jobs: %w", err)
		}
	}
	return nil
}

func (o *Outputs) has(id uint64, n int, offset uint64) bool {
	r := o.runs[id]
	return r != nil && slices.ContainsFunc(r[n].files, func(f file) bool { return f.offset == offset })
}
