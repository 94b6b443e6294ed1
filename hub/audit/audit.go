// Package audit keeps the hub's audit trail: one line of JSON for each sign-in and each change, in files of its own
// that are only ever appended to. Every line has the hash of the one before it; the head of this chain is signed by the
// hub key and kept in the database as well, so that whoever changes, removes or replaces lines is found (see Verify).
// docs/decisions/0011-the-audit-trail.md says why it is as it is.
//
// It never holds secrets (callers pass names and ids, not values), never changes what it wrote, and removes it only in
// whole old segments (see Retention). What sends entries elsewhere is in package forward.
//
// A Log is safe for concurrent use: a line reaches the file before Record returns, and the disk within SyncEvery of it.
// Readers read the files and hold nobody up.
package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Folder is the trail's folder within the data folder.
const Folder = "audit"

const (
	// SyncEvery is how often Run brings new lines to the disk.
	SyncEvery = time.Second
	// SignEvery is how often Run signs the head of the chain, when it has moved.
	SignEvery = time.Minute
	// tidyEvery is how often Run looks for what is past its time.
	tidyEvery = time.Hour
	// SegmentBytes is the size beyond which a new segment is begun; segmentAge begins one on a quiet hub.
	SegmentBytes = 16 << 20
	segmentAge   = 30 * 24 * time.Hour
)

// Results of an operation.
const (
	ResultDone    = "done"
	ResultRefused = "refused" // not allowed, or not signed in
	ResultFailed  = "failed"
)

// Operations of entries that the trail makes itself.
const (
	OpTorn     = "audit.torn"      // the line before was cut short when the hub stopped
	OpDamaged  = "audit.damaged"   // what was there when the hub started is not what was signed
	OpDropped  = "audit.dropped"   // old segments were removed
	OpGap      = "audit.gap"       // entries before it could not be written
	OpSummedUp = "audit.summed-up" // more entries by strangers than are kept one by one
)

// system is the principal of entries that the trail makes itself.
const system = "system"

// Entry is one thing that was done, or tried.
type Entry struct {
	// At is when it happened. Zero: now.
	At time.Time `json:"at"`
	// Principal is the name of who did it, with its kind: "anna", "token ci of anna", "system".
	Principal string `json:"principal"`
	// BreakGlass: it was done with the break-glass account.
	BreakGlass bool `json:"break_glass,omitempty"`
	// Remote is the address it came from. Empty: from within the hub.
	Remote string `json:"remote,omitempty"`
	// Operation is the word that access.Authorize was asked with, such as "stacks.apply".
	Operation string `json:"operation"`
	// Resource names what it was done to, such as "stack web" or "device qz3…". Empty: the hub.
	Resource string `json:"resource,omitempty"`
	// Group is the path of the group that the resource is in. Empty: none, or not known.
	Group string `json:"group,omitempty"`
	// Result is one of the Result constants.
	Result string `json:"result"`
	// Detail is a sentence for people, without secrets.
	Detail string `json:"detail,omitempty"`
}

// Saved is what a Store holds of the trail.
type Saved struct {
	// Head is the last signed head; Start the one before the oldest segment that is kept. Seq 0: none.
	Head, Start Checkpoint
	Retention   Retention
}

// Store keeps, in the database, what tells a trail that was cut or replaced. Each method is one transaction.
type Store interface {
	LoadTrail() (Saved, error)
	PutTrailHead(Checkpoint) error
	PutTrailStart(Checkpoint) error
	PutRetention(Retention) error
}

// Config of a Log.
type Config struct {
	// Dir is the trail's folder. It is made when missing.
	Dir string
	// Key is the hub key.
	Key   ed25519.PrivateKey
	Store Store
	// Needed gives the highest sequence number that nobody needs any more: entries after it are kept beyond their age.
	// Nil: nobody needs any.
	Needed func() uint64
	Log    *slog.Logger
	// SegmentBytes in place of the constant. Zero: the constant.
	SegmentBytes int64
}

// Log is an open audit trail.
type Log struct {
	Config
	tidy chan struct{} // asks Run to look for what is past its time

	signing sync.Mutex // held while a head is signed and stored; taken before mu

	mu        sync.Mutex
	file      *os.File      // guarded by mu, as all below; nil after Close. The last segment
	segs      []segment     // oldest first; the last is file's
	seq       uint64        // of the last entry
	hash      string        // of the last entry
	size      int64         // of the file up to the last whole line
	torn      bool          // the file goes on behind size
	dirty     bool          // written, not synced
	durable   uint64        // the last entry that is on the disk
	news      chan struct{} // closed when durable moves
	head      Checkpoint    // the last that is stored
	start     Checkpoint    // before the oldest segment
	retention Retention
	strangers strangers
	failed    error // why the last entry could not be written
	lost      int   // so many could not, since the last that could
}

// Open opens or makes the trail. Where it ends within a line, because power failed, an entry says so. Where it is not
// what was signed, an entry says that too, the chain stays visibly broken there, and the trail goes on: a hub that
// does not start would only help whoever did it.
func Open(c Config) (*Log, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = SegmentBytes
	}
	if c.Needed == nil {
		c.Needed = func() uint64 { return math.MaxUint64 }
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the audit trail %q: %w", c.Dir, err)
	}
	saved, err := c.Store.LoadTrail()
	if err != nil {
		return nil, fmt.Errorf("read what is known of the audit trail: %w", err)
	}
	l := &Log{
		Config: c, tidy: make(chan struct{}, 1), news: make(chan struct{}), head: saved.Head, start: saved.Start,
		retention: saved.Retention.orDefault(), strangers: newStrangers(time.Now()),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.takeUp(); err != nil {
		if l.file != nil {
			err = errors.Join(err, l.file.Close())
		}
		return nil, fmt.Errorf("open the audit trail in %q: %w", c.Dir, err)
	}
	return l, nil
}

// Record appends e. An error means that the trail lacks the entry; the caller decides whether the change may stand.
func (l *Log) Record(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(Line{Entry: e})
}

// Broken says why the last entry could not be written; nil: it could. It is tried again every minute.
func (l *Log) Broken() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// append writes one entry, and before it how many could not be written. l.mu is held.
func (l *Log) append(line Line) error {
	if l.file == nil {
		return fmt.Errorf("write the audit trail in %q: %w", l.Dir, os.ErrClosed)
	}
	err := l.fill()
	if err == nil {
		err = l.put(line)
	}
	if l.failed = err; err != nil {
		l.lost++
	}
	return err
}

// fill says how many entries there are not, as soon as that can be written. l.mu is held.
func (l *Log) fill() error {
	if l.lost == 0 {
		return nil
	}
	err := l.put(Line{Entry: Entry{
		Principal: system, Operation: OpGap, Result: ResultFailed,
		Detail: fmt.Sprintf("entries that could not be written before this: %d; the last because: %v", l.lost, l.failed),
	}})
	if err != nil {
		return err
	}
	l.failed, l.lost = nil, 0
	return nil
}

// again tries whether entries can be written again.
func (l *Log) again() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.fill()
}

// put writes one entry. l.mu is held.
func (l *Log) put(line Line) error {
	if l.torn {
		if err := l.mend(); err != nil {
			return err
		}
	}
	if l.size >= l.SegmentBytes {
		l.rotate()
	}
	line.clean(time.Now())
	line.Seq, line.Prev = l.seq+1, l.hash
	raw, hash, err := line.encode()
	if err != nil {
		return err
	}
	if err := l.write(raw); err != nil {
		return err
	}
	l.seq, l.hash = line.Seq, hash
	return nil
}

// write appends whole lines. l.mu is held.
func (l *Log) write(raw []byte) error {
	n, err := l.file.Write(raw)
	l.dirty = l.dirty || n > 0
	if err != nil {
		l.torn = l.torn || n > 0
		if errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("write the audit trail in %q: the disk is full: free some space: %w", l.Dir, err)
		}
		return fmt.Errorf("write the audit trail in %q: %w", l.Dir, err)
	}
	l.size += int64(n)
	return nil
}

// Run brings new lines to the disk, signs the head of the chain and removes what is past its time, until ctx is done. A
// disk that fails is tried again at the next tick; only what failed at the end is returned.
func (l *Log) Run(ctx context.Context) error {
	sync, sign, tidy := time.NewTicker(SyncEvery), time.NewTicker(SignEvery), time.NewTicker(tidyEvery)
	defer sync.Stop()
	defer sign.Stop()
	defer tidy.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return l.finish()
		case <-sync.C:
			_ = l.sync() // stays dirty, and is said when it is signed
			continue
		case <-sign.C:
			err = errors.Join(l.again(), l.sumUp(time.Now()), l.sign())
		case <-tidy.C:
			err = l.dropOld(time.Now())
		case <-l.tidy:
			err = l.dropOld(time.Now())
		}
		if err != nil {
			l.Log.Error("the audit trail is not kept as it should be", "error", err)
		}
	}
}

// finish writes what is still to be said, and signs.
func (l *Log) finish() error { return errors.Join(l.sumUp(never), l.sign()) }

// Close signs what is not signed, and closes the file. It may be called twice.
func (l *Log) Close() error {
	l.mu.Lock()
	open := l.file != nil
	l.mu.Unlock()
	if !open {
		return nil
	}
	err := l.finish()
	l.mu.Lock()
	defer l.mu.Unlock()
	err = errors.Join(err, l.file.Close())
	l.file = nil
	return err
}

// sync holds no lock while the disk works, so that Record does not wait for it.
func (l *Log) sync() error {
	l.mu.Lock()
	f, dirty, seq := l.file, l.dirty, l.seq
	l.dirty = false
	l.mu.Unlock()
	if f == nil || !dirty {
		return nil
	}
	err := f.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, os.ErrClosed): // it was sealed meanwhile, which syncs it
		return nil
	case err != nil:
		l.dirty = true
		return fmt.Errorf("bring the audit trail in %q to the disk: %w", l.Dir, err)
	}
	l.reached(seq)
	return nil
}

// reached notes that entries up to seq are on the disk. l.mu is held.
func (l *Log) reached(seq uint64) {
	if seq > l.durable {
		l.durable = seq
		close(l.news)
		l.news = make(chan struct{})
	}
}

// sign brings all to the disk, signs the head if it has moved, and keeps it in the database.
func (l *Log) sign() error {
	l.signing.Lock()
	defer l.signing.Unlock()
	if err := l.sync(); err != nil {
		return err
	}
	l.mu.Lock()
	var c Checkpoint
	var err error
	if l.file != nil && !l.torn && l.seq > l.head.Seq {
		c = l.checkpoint()
		err = l.writeCheckpoint(c)
	}
	l.mu.Unlock()
	if err != nil || c.Seq == 0 {
		return err
	}
	return l.keep(c)
}

// keep brings what was signed to the disk, and then stores it: the database never knows of more than there is.
func (l *Log) keep(c Checkpoint) error {
	if err := l.sync(); err != nil {
		return err
	}
	if err := l.Store.PutTrailHead(c); err != nil {
		return fmt.Errorf("keep the head of the audit trail: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Seq > l.head.Seq {
		l.head = c
	}
	return nil
}

// path of a file of the trail.
func (l *Log) path(name string) string { return filepath.Join(l.Dir, name) }
