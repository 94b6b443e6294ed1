// Package audit keeps the hub's audit trail: one line of JSON for each sign-in and each change, in a file that is
// only ever appended to.
//
// It never holds secrets (callers pass names and ids, not values) and never reads what it wrote. A Log is safe for
// concurrent use: a line reaches the file before Record returns and the disk within SyncEvery of it.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/farshore/farshore/protocol"
)

// FileName is the file's name in the data folder.
const FileName = "audit.log"

// SyncEvery is how often Run brings new lines to the disk.
const SyncEvery = time.Second

// maxField is the most bytes kept of one field; longer ones are cut, and end in "…".
const maxField = 2 << 10

// Results of an operation.
const (
	ResultDone    = "done"
	ResultRefused = "refused" // not allowed, or not signed in
	ResultFailed  = "failed"
)

// Entry is one line of the trail.
type Entry struct {
	// At is when it happened. Zero: now.
	At time.Time `json:"at"`
	// Principal is the name of who did it, with its kind: "anna", "token ci", "system".
	Principal string `json:"principal"`
	// Remote is the address it came from. Empty: from within the hub.
	Remote string `json:"remote,omitempty"`
	// Operation is the word that access.Authorize was asked with, such as "stacks.apply".
	Operation string `json:"operation"`
	// Resource names what it was done to, such as "stack web" or "device qz3…". Empty: the hub.
	Resource string `json:"resource,omitempty"`
	// Result is one of the Result constants.
	Result string `json:"result"`
	// Detail is a sentence for people, without secrets.
	Detail string `json:"detail,omitempty"`
}

// Log is an open audit trail.
type Log struct {
	path string

	mu     sync.Mutex
	file   *os.File // guarded by mu; nil after Close
	dirty  bool     // guarded by mu: written, not synced
	broken bool     // guarded by mu: the file may end within a line
}

// Open opens or creates the file at path (0600). Where the file ends within a line, because power failed, the next
// entry begins a new one.
func Open(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log %q: %w", path, err)
	}
	l := &Log{path: path, file: f}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && end > 0 {
		last := make([]byte, 1)
		_, err = f.ReadAt(last, end-1)
		l.broken = last[0] != '\n'
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open audit log %q: %w", path, err), f.Close())
	}
	return l, nil
}

// Record appends e. An error means that the trail lacks the entry; the caller decides whether the change may stand.
func (l *Log) Record(e Entry) error {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC()
	for _, f := range []*string{&e.Principal, &e.Remote, &e.Operation, &e.Resource, &e.Result, &e.Detail} {
		*f = cut(*f)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode audit entry: %w", err)
	}
	line = append(line, '\n')

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return fmt.Errorf("write audit log %q: %w", l.path, os.ErrClosed)
	}
	if l.broken {
		line = append([]byte{'\n'}, line...)
	}
	n, err := l.file.Write(line)
	l.dirty = l.dirty || n > 0
	if err != nil {
		l.broken = l.broken || n > 0
		if errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("write audit log %q: the disk is full: free some space: %w", l.path, err)
		}
		return fmt.Errorf("write audit log %q: %w", l.path, err)
	}
	l.broken = false
	return nil
}

// Run brings new lines to the disk every SyncEvery until ctx is done, and once more then. A disk that fails is tried
// again at the next tick; only what failed at the end is returned.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(SyncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.sync()
		case <-tick.C:
			_ = l.sync() // stays dirty
		}
	}
}

// Close brings what is left to the disk and closes the file. It may be called twice.
func (l *Log) Close() error {
	err := l.sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return err
	}
	err = errors.Join(err, l.file.Close())
	l.file = nil
	return err
}

// sync holds no lock while the disk works, so that Record does not wait for it.
func (l *Log) sync() error {
	l.mu.Lock()
	f, dirty := l.file, l.dirty
	l.dirty = false
	l.mu.Unlock()
	if f == nil || !dirty {
		return nil
	}
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
		return fmt.Errorf("sync audit log %q: %w", l.path, err)
	}
	return nil
}

func cut(s string) string {
	if len(s) <= maxField {
		return s
	}
	return protocol.Cut(s, maxField) + "…"
}
