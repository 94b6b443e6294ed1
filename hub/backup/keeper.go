package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of a plan.
const (
	maxKeep = 1000
	maxRuns = 10
	// retryAfter is how long after a failure a scheduled backup is tried again.
	retryAfter = 15 * time.Minute
)

// ErrBusy: a backup is being made already.
var ErrBusy = errors.New("a backup is being made just now: wait until it is done")

// sealPurpose is what the passphrase of the plan is sealed for.
const sealPurpose = "backup passphrase"

// Plan is when and where backups are made by themselves. The zero Plan is: never.
type Plan struct {
	// Folder on the hub's machine. "": no backups are made by themselves.
	Folder string `cbor:"1,keyasint,omitempty"`
	// Times is a time of day (02:30) or five fields of a crontab, by the clock of the hub's machine.
	Times string `cbor:"2,keyasint,omitempty"`
	// Keep is how many of the files made by the plan are kept, from 1.
	Keep int `cbor:"3,keyasint,omitempty"`
	// Recipients are public keys to lock with. Empty: there is a passphrase.
	Recipients []string `cbor:"4,keyasint,omitempty"`
}

// Run is one backup that the plan has made, or not.
type Run struct {
	// Started and Took in Unix milliseconds, and milliseconds.
	Started int64 `cbor:"1,keyasint"`
	Took    int64 `cbor:"2,keyasint"`
	// File is its name in Folder, and Size what it has in bytes. Empty: there is none, see Error.
	File   string `cbor:"3,keyasint,omitempty"`
	Size   int64  `cbor:"4,keyasint,omitempty"`
	Folder string `cbor:"5,keyasint,omitempty"`
	// Error says why it failed.
	Error string `cbor:"6,keyasint,omitempty"`
}

// Saved is what is stored.
type Saved struct {
	Plan Plan `cbor:"1,keyasint"`
	// Sealed is the passphrase.
	Sealed []byte `cbor:"2,keyasint,omitempty"`
	// Changed is when the plan was changed, Unix milliseconds.
	Changed int64 `cbor:"3,keyasint,omitempty"`
	// Runs are the last ones, the latest first, and LastSuccess when one went well, Unix milliseconds.
	Runs        []Run `cbor:"4,keyasint,omitempty"`
	LastSuccess int64 `cbor:"5,keyasint,omitempty"`
	// Made are the files that the plan made in its folder and has not removed, the oldest first.
	Made []string `cbor:"6,keyasint,omitempty"`
}

// Store keeps plan and runs. One method is one transaction.
type Store interface {
	LoadBackups() (Saved, error)
	PutBackups(Saved) error
}

// Vault seals the passphrase of the plan.
type Vault interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Config of a Keeper. All but Done must be set.
type Config struct {
	Source Source
	Store  Store
	Vault  Vault
	// Done is told of each run of the plan, and of each backup that was made for somebody. Nil: nobody is.
	Done func(Run)
	Log  *slog.Logger
}

// Keeper makes backups, when asked and by its plan.
type Keeper struct {
	cfg    Config
	making sync.Mutex    // held while one is made
	wake   chan struct{} // the plan was changed

	mu    sync.Mutex
	saved Saved // guarded by mu
}

// New loads the plan. Run must be called for it to be followed.
func New(c Config) (*Keeper, error) {
	saved, err := c.Store.LoadBackups()
	if err != nil {
		return nil, fmt.Errorf("load plan of backups: %w", err)
	}
	if c.Done == nil {
		c.Done = func(Run) {}
	}
	return &Keeper{cfg: c, saved: saved, wake: make(chan struct{}, 1)}, nil
}

// Copy is a backup that is ready to be read: a file without a name, which is gone when it is closed.
type Copy struct {
	*os.File
	Manifest Manifest
	Size     int64
	// Name for a file.
	Name string
}

// Make makes a backup. It is written to the hub's own disk first, encrypted, so that whoever takes it may be slow. The
// caller closes it. Errors wrap ErrBusy or ErrNoRoom.
func (k *Keeper) Make(ctx context.Context, lock Lock) (*Copy, error) {
	if !k.making.TryLock() {
		return nil, ErrBusy
	}
	defer k.making.Unlock()
	return k.spool(ctx, lock)
}

// spool makes a backup in a file without a name. The caller holds making.
func (k *Keeper) spool(ctx context.Context, lock Lock) (*Copy, error) {
	f, err := os.CreateTemp(k.cfg.Source.Dir, partPrefix+"*") // 0600, and hidden: no backup has it
	if err != nil {
		return nil, fmt.Errorf("make backup: %w", noRoom(err))
	}
	err = os.Remove(f.Name())
	var m Manifest
	if err == nil {
		m, err = Write(ctx, f, lock, k.cfg.Source)
	}
	var size int64
	if err == nil {
		size, err = f.Seek(0, 1)
	}
	if err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Copy{File: f, Manifest: m, Size: size, Name: "farshore-" + m.Created.Format("20060102T150405Z") + Extension}, nil
}

// State is the plan and how it went.
type State struct {
	Plan Plan
	// Passphrase: one is set.
	Passphrase bool
	// Runs of the plan, the latest first.
	Runs []Run
	// LastSuccess of the plan in Unix milliseconds, and Next when it is due. 0: never.
	LastSuccess, Next int64
}

// State returns the plan and how it went.
func (k *Keeper) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := State{
		Plan: k.saved.Plan, Passphrase: len(k.saved.Sealed) > 0, Runs: slices.Clone(k.saved.Runs), LastSuccess: k.saved.LastSuccess,
	}
	s.Plan.Recipients = slices.Clone(s.Plan.Recipients)
	if due, ok := k.saved.due(); ok {
		s.Next = due.UnixMilli()
	}
	return s
}

// SetPlan replaces the plan. An empty passphrase keeps the one that is set, where there are no recipients. Errors wrap
// ErrInvalid.
func (k *Keeper) SetPlan(p Plan, passphrase string) error {
	if p.Folder == "" {
		p, passphrase = Plan{}, ""
	} else if err := k.check(p, passphrase); err != nil {
		return err
	}
	k.mu.Lock()
	next := k.saved
	switch {
	case p.Folder == "" || len(p.Recipients) > 0:
		next.Sealed = nil
	case passphrase != "":
		next.Sealed = k.cfg.Vault.Seal(sealPurpose, []byte(passphrase))
	case len(next.Sealed) == 0:
		k.mu.Unlock()
		return fmt.Errorf("%w: give a passphrase or recipients: backups are always encrypted", ErrInvalid)
	}
	if p.Folder != next.Plan.Folder {
		next.Made = nil // what is in the other folder stays there
	}
	next.Plan, next.Changed = p, time.Now().UnixMilli()
	err := k.put(next)
	k.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return nil
}

// put stores what is to be remembered. The caller holds mu.
func (k *Keeper) put(next Saved) error {
	if err := k.cfg.Store.PutBackups(next); err != nil {
		return fmt.Errorf("store plan of backups: %w", err)
	}
	k.saved = next
	return nil
}

func (k *Keeper) check(p Plan, passphrase string) error {
	if _, err := parseTimes(p.Times); err != nil {
		return err
	}
	if p.Keep < 1 || p.Keep > maxKeep {
		return fmt.Errorf("%w: keep %d backups: want 1 to %d", ErrInvalid, p.Keep, maxKeep)
	}
	switch {
	case len(p.Recipients) > 0 && passphrase != "":
		return fmt.Errorf("%w: give a passphrase or recipients, not both", ErrInvalid)
	case len(p.Recipients) > 0:
		if _, err := RecipientsLock(p.Recipients); err != nil {
			return err
		}
	case passphrase != "":
		if err := CheckPassphrase(passphrase); err != nil {
			return err
		}
	}
	return checkFolder(p.Folder, k.cfg.Source.Dir)
}

// due is when the plan has to be followed next.
func (s *Saved) due() (time.Time, bool) {
	times, err := parseTimes(s.Plan.Times)
	if s.Plan.Folder == "" || err != nil {
		return time.Time{}, false
	}
	from := s.Changed
	if len(s.Runs) > 0 && s.Runs[0].Started > from {
		last := s.Runs[0]
		if last.Error != "" {
			again := time.UnixMilli(last.Started + last.Took).Add(retryAfter)
			if next := times.Next(time.UnixMilli(last.Started)); next.Before(again) {
				return next, true
			}
			return again, true
		}
		from = last.Started
	}
	return times.Next(time.UnixMilli(from)), true // long ago, where the hub was off
}

// Run follows the plan until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	for {
		k.mu.Lock()
		due, planned := k.saved.due()
		k.mu.Unlock()
		wait := time.Hour // the clock may be set
		if planned {
			wait = min(wait, time.Until(due))
		}
		if planned && wait <= 0 {
			wait = time.Second
			if _, err := k.RunNow(ctx); err != nil && ctx.Err() == nil {
				k.cfg.Log.Error("the planned backup has failed", "error", err)
				wait = retryAfter
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-k.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// RunNow makes a backup as the plan says. The error is in the Run too, unless there is no plan or one is being made.
func (k *Keeper) RunNow(ctx context.Context) (Run, error) {
	if !k.making.TryLock() {
		return Run{}, ErrBusy
	}
	defer k.making.Unlock()
	k.mu.Lock()
	saved := k.saved
	k.mu.Unlock()
	if saved.Plan.Folder == "" {
		return Run{}, fmt.Errorf("%w: there is no plan: set a folder and times first", ErrInvalid)
	}
	started := time.Now()
	run := Run{Started: started.UnixMilli(), Folder: saved.Plan.Folder}
	err := k.toFolder(ctx, &saved, &run)
	if ctx.Err() != nil {
		return run, context.Cause(ctx) // the hub stops; the next start makes up for it
	}
	run.Took = time.Since(started).Milliseconds()
	if err != nil {
		run.Error, run.File, run.Size = err.Error(), "", 0
	}
	return run, errors.Join(err, k.ran(run))
}

// toFolder makes a backup in the plan's folder.
func (k *Keeper) toFolder(ctx context.Context, saved *Saved, run *Run) error {
	lock, err := k.lock(saved)
	if err != nil {
		return err
	}
	if err := checkFolder(saved.Plan.Folder, k.cfg.Source.Dir); err != nil {
		return err
	}
	c, err := k.spool(ctx, lock)
	if err != nil {
		return err
	}
	defer c.Close()
	name := c.Name
	for n := 1; ; n++ {
		run.Size, err = store(c, saved.Plan.Folder, name)
		if !errors.Is(err, fs.ErrExist) || n > 9 {
			break
		}
		if _, err := c.Seek(0, 0); err != nil {
			return err
		}
		name = strings.TrimSuffix(c.Name, Extension) + fmt.Sprintf("-%d", n) + Extension
	}
	if err != nil {
		return fmt.Errorf("keep backup in %q, where the older ones stay: %w", saved.Plan.Folder, err)
	}
	run.File = name
	return nil
}

func (k *Keeper) lock(saved *Saved) (Lock, error) {
	if len(saved.Plan.Recipients) > 0 {
		return RecipientsLock(saved.Plan.Recipients)
	}
	passphrase, err := k.cfg.Vault.Open(sealPurpose, saved.Sealed)
	if err != nil {
		return Lock{}, fmt.Errorf("passphrase of the plan: %w: set it again", err)
	}
	return PassphraseLock(string(passphrase))
}

// ran remembers a run, removes the oldest files that the plan has made beyond those it keeps, and tells of it.
func (k *Keeper) ran(run Run) error {
	k.mu.Lock()
	next := k.saved
	next.Runs = append([]Run{run}, next.Runs[:min(len(next.Runs), maxRuns-1)]...)
	if run.File != "" {
		next.LastSuccess = run.Started
	}
	var old []string
	if run.File != "" && run.Folder == next.Plan.Folder { // it may have been changed meanwhile
		next.Made = append(slices.Clone(next.Made), run.File)
		n := max(0, len(next.Made)-next.Plan.Keep)
		old, next.Made = next.Made[:n], next.Made[n:]
	}
	err := k.put(next)
	k.mu.Unlock()
	if err == nil {
		for _, name := range old {
			if e := os.Remove(filepath.Join(run.Folder, name)); e != nil && !errors.Is(e, fs.ErrNotExist) {
				k.cfg.Log.Warn("an old backup could not be removed: remove it by hand", "file", name, "error", e)
			}
		}
	}
	k.cfg.Done(run)
	return err
}
