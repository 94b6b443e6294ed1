package releases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
)

// partsName is the folder of pieces: each in a file named by its hash, and the list of each program's in one more.
const (
	partsName = "parts"
	listEnd   = ".list"
)

// pair is a program to be made of another. The zero base: of nothing.
type pair struct{ want, base protocol.Hash }

func (p pair) file() string { return p.want.String() + "-" + p.base.String() + listEnd }

// Parts is a program as it travels. It is immutable.
type Parts struct {
	Program protocol.UpdateProgram `cbor:"1,keyasint"`
	// Bytes that travel, and what making them took.
	Bytes  uint64 `cbor:"2,keyasint"`
	Took   int64  `cbor:"3,keyasint,omitempty"` // milliseconds
	Memory uint64 `cbor:"4,keyasint,omitempty"` // bytes of programs held
}

// BaseOf finds the program that a device runs among those on the shelf.
func (s *Shelf) BaseOf(f protocol.ProgramFact) (protocol.Hash, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.releases {
		for _, p := range r.Programs {
			if p.Name == f.Name && p.Hash.Short() == f.Hash {
				return p.Hash, true
			}
		}
	}
	return protocol.Hash{}, false
}

// Parts gives a program as it travels to a device that has base; the zero base: to one that has nothing of use. Where
// it is not made yet, that is begun, and the error wraps ErrPreparing; see Config.Ready.
func (s *Shelf) Parts(want protocol.Program, base protocol.Hash) (Parts, error) {
	p := pair{want.Hash, base}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.parts[p]; have != nil {
		return *have, nil
	}
	if err := s.failed[p]; err != nil {
		return Parts{}, err
	}
	if !slices.Contains(s.queue, p) {
		s.queue = append(s.queue, p)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return Parts{}, fmt.Errorf("%s: %w", want.Name, ErrPreparing)
}

// Blob returns a piece by its hash.
func (s *Shelf) Blob(h protocol.Hash) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(s.cfg.Dir, partsName, h.String()))
	if err != nil {
		return nil, fmt.Errorf("piece of a release: %w", err)
	}
	if protocol.HashOf(data) != h {
		return nil, fmt.Errorf("piece %s of a release is damaged on the hub's disk: remove the release and upload it anew", h)
	}
	return data, nil
}

// Has reports whether a piece is here.
func (s *Shelf) Has(h protocol.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs[h.Short()] == h
}

// Run makes what Parts is asked for, until ctx ends.
func (s *Shelf) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine, and with it what yield has set
		yield()
		s.makeAll(ctx)
	}()
	<-done
	return nil
}

func (s *Shelf) makeAll(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		queue := s.queue
		s.mu.Unlock()
		if len(queue) == 0 {
			select {
			case <-ctx.Done():
			case <-s.wake:
			}
			continue
		}
		p := queue[0]
		made, err := s.make(ctx, p)
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.queue = s.queue[1:]
		if err != nil {
			s.failed[p] = err
		} else {
			s.keep(p, made)
		}
		s.mu.Unlock()
		if err != nil {
			s.cfg.Log.Error("a program of a release cannot be made ready", "want", p.want.String(), "base", p.base.String(), "error", err)
		} else {
			s.cfg.Log.Info("a program of a release is ready", "program", made.Program.Name, "bytes", made.Bytes, "patch", p.base != protocol.Hash{},
				"took", time.Duration(made.Took)*time.Millisecond, "held", made.Memory)
		}
		s.cfg.Ready()
	}
}

// keep notes parts that are on disk. The caller holds mu, or the Shelf is new.
func (s *Shelf) keep(p pair, made *Parts) {
	s.parts[p] = made
	for _, part := range made.Program.Parts {
		s.blobs[part.Blob.Short()] = part.Blob
	}
}

func (s *Shelf) make(ctx context.Context, p pair) (*Parts, error) {
	began := time.Now()
	name, program, err := s.read(p.want)
	if err != nil {
		return nil, err
	}
	var base []byte
	if p.base != (protocol.Hash{}) {
		if _, base, err = s.read(p.base); err != nil {
			return nil, err
		}
	}
	out := &Parts{Program: protocol.UpdateProgram{Name: name, Hash: p.want}, Memory: uint64(len(program) + len(base))}
	dir := filepath.Join(s.cfg.Dir, partsName)
	err = transfer.PackProgram(program, base, func(piece transfer.Piece) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		h := protocol.HashOf(piece.Frame)
		out.Program.Parts = append(out.Program.Parts, protocol.UpdatePart{
			Blob: h, BlobSize: uint32(len(piece.Frame)), Size: uint32(piece.Size),
			BaseFrom: uint32(piece.BaseFrom), BaseSize: uint32(piece.BaseSize),
		})
		if piece.BaseSize > 0 {
			out.Program.Base = p.base
		}
		out.Bytes += uint64(len(piece.Frame))
		return writeFile(filepath.Join(dir, h.String()), piece.Frame)
	})
	if err != nil {
		return nil, err
	}
	out.Took = time.Since(began).Milliseconds()
	raw, err := protocol.Marshal(out)
	if err != nil {
		return nil, err
	}
	return out, errors.Join(writeFile(filepath.Join(dir, p.file()), raw), durable.Sync(dir))
}

// read gives a program on the shelf by its hash.
func (s *Shelf) read(h protocol.Hash) (name string, data []byte, err error) {
	s.mu.Lock()
	path := ""
	for version, r := range s.releases {
		for _, p := range r.Programs {
			if p.Hash == h {
				name, path = p.Name, s.path(version, p)
			}
		}
	}
	s.mu.Unlock()
	if path == "" {
		return "", nil, fmt.Errorf("program %s: %w", h, ErrNotFound)
	}
	if data, err = os.ReadFile(path); err != nil {
		return "", nil, err
	}
	if protocol.HashOf(data) != h {
		return "", nil, fmt.Errorf("program %s is damaged on the hub's disk: remove the release and upload it anew", path)
	}
	return name, data, nil
}

// loadParts reads the lists of what was made.
func (s *Shelf) loadParts() error {
	dir := filepath.Join(s.cfg.Dir, partsName)
	found, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read pieces of releases: %w", err)
	}
	for _, f := range found {
		names, isList := strings.CutSuffix(f.Name(), listEnd)
		want, base, _ := strings.Cut(names, "-")
		var p pair
		if !isList || p.want.UnmarshalText([]byte(want)) != nil || p.base.UnmarshalText([]byte(base)) != nil {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return fmt.Errorf("read pieces of releases: %w", err)
		}
		var made Parts
		if protocol.Unmarshal(raw, &made) == nil && made.Program.Hash == p.want {
			s.keep(p, &made)
		}
	}
	return s.dropParts()
}

// dropParts removes pieces of programs that are not on the shelf any more, and what nobody lists.
func (s *Shelf) dropParts() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[protocol.Hash]bool{{}: true}
	for _, r := range s.releases {
		for _, p := range r.Programs {
			there[p.Hash] = true
		}
	}
	wanted := map[string]bool{}
	clear(s.blobs)
	for p, made := range s.parts {
		if !there[p.want] || !there[p.base] {
			delete(s.parts, p)
			continue
		}
		wanted[p.file()] = true
		s.keep(p, made)
		for _, part := range made.Program.Parts {
			wanted[part.Blob.String()] = true
		}
	}
	clear(s.failed)
	dir := filepath.Join(s.cfg.Dir, partsName)
	found, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read pieces of releases: %w", err)
	}
	busy := len(s.queue) > 0 // what is being made is listed at its end
	for _, f := range found {
		if !wanted[f.Name()] && (!busy || strings.HasSuffix(f.Name(), listEnd)) {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return fmt.Errorf("remove pieces of releases: %w", err)
			}
		}
	}
	return nil
}
