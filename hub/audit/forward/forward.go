// Package forward brings the audit trail to other machines: by syslog (RFC 5424 over TCP or TLS) and by webhook.
//
// It owns the destinations and, for each, a place in the trail up to which entries have surely arrived. It holds no
// queue: what is still to be sent is in the trail itself, and so nothing is lost while a receiver is down. An entry
// arrives at least once; its number tells repetitions. It never changes the trail and never follows a redirect.
//
// A Desk is safe for concurrent use. Run has one goroutine for each destination and waits for all of them.
package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// MaxDestinations is the most destinations there can be.
const MaxDestinations = 16

// Errors that callers tell apart.
var (
	ErrInvalid  = errors.New("not valid")
	ErrNotFound = errors.New("not found")
)

// Destination is where the trail is sent to.
type Destination struct {
	// Name is 1 to 63 of a-z 0-9 . _ -
	Name string `cbor:"1,keyasint"`
	// URL is tls://HOST:PORT or tcp://HOST:PORT for syslog, or an https address for a webhook.
	URL string `cbor:"2,keyasint"`
	// ServerName is expected in the receiver's certificate in place of the host. CA is PEM, in place of the system's
	// authorities. Pin is the only certificate that is accepted, as "SHA256:…" of it.
	ServerName string `cbor:"3,keyasint,omitempty"`
	CA         string `cbor:"4,keyasint,omitempty"`
	Pin        string `cbor:"5,keyasint,omitempty"`
	// Header is sent with the secret to a webhook. "": the secret signs each request.
	Header string `cbor:"6,keyasint,omitempty"`
	// Sealed is the secret as the vault keeps it. Empty: there is none.
	Sealed []byte `cbor:"7,keyasint,omitempty"`
}

// Progress is how far a destination is.
type Progress struct {
	// Seq is the last entry that has surely arrived.
	Seq uint64 `cbor:"1,keyasint"`
	// Lost counts entries that were removed from the trail before they could be sent.
	Lost uint64 `cbor:"2,keyasint,omitempty"`
}

// Saved is what a Store holds.
type Saved struct {
	Destination Destination
	Progress    Progress
}

// Store keeps destinations. Each method is one transaction.
type Store interface {
	LoadDestinations() ([]Saved, error)
	PutDestination(Destination, Progress) error
	PutProgress(name string, p Progress) error
	RemoveDestination(name string) error
}

// Trail is the audit trail; *audit.Log is one.
type Trail interface {
	Batch(after uint64, max int) (lines [][]byte, oldest uint64, err error)
	News() (uint64, <-chan struct{})
}

// Vault seals secrets; *vault.Vault is one.
type Vault interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Config of a Desk. All is required but Notice and Log.
type Config struct {
	Trail Trail
	Store Store
	Vault Vault
	// Notice tells of a destination that fails, works again, or has lost entries: a stable word and a sentence.
	Notice func(kind, text string)
	Log    *slog.Logger
	// Retry is the first pause after a failure. 0: a second.
	Retry time.Duration
}

// Kinds of notices.
const (
	KindFailing = "audit.forward-failing"
	KindWorks   = "audit.forward-works"
	KindLost    = "audit.forward-lost"
)

// State is a destination with how it stands.
type State struct {
	Destination Destination
	Progress    Progress
	// Sent is the last entry that was sent, and SentAt when.
	Sent   uint64
	SentAt time.Time
	// Backlog is how many entries are still to be sent.
	Backlog uint64
	// Problem is why it does not work now, since FailingSince. "": it works.
	Problem      string
	FailingSince time.Time
}

// Desk knows the destinations. Create it with New.
type Desk struct {
	Config
	mu      sync.Mutex
	all     map[string]*worker // guarded by mu
	running context.Context    // guarded by mu; nil: Run was not called, or has ended
	work    sync.WaitGroup
}

// New loads the destinations. Nothing is sent before Run.
func New(c Config) (*Desk, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Notice == nil {
		c.Notice = func(string, string) {}
	}
	c.Retry = cmp.Or(c.Retry, time.Second)
	saved, err := c.Store.LoadDestinations()
	if err != nil {
		return nil, fmt.Errorf("load the destinations of the audit trail: %w", err)
	}
	d := &Desk{Config: c, all: map[string]*worker{}}
	for _, s := range saved {
		d.all[s.Destination.Name] = newWorker(d, s.Destination, s.Progress)
	}
	return d, nil
}

// Run sends until ctx is done, and then waits for what is under way.
func (d *Desk) Run(ctx context.Context) error {
	d.mu.Lock()
	d.running = ctx
	for _, w := range d.all {
		d.start(w)
	}
	d.mu.Unlock()
	<-ctx.Done()
	d.mu.Lock()
	d.running = nil
	d.mu.Unlock()
	d.work.Wait()
	return nil
}

// start has a worker run. d.mu is held.
func (d *Desk) start(w *worker) {
	if d.running == nil {
		return
	}
	ctx, cancel := context.WithCancel(d.running)
	w.stop = cancel
	d.work.Go(func() {
		defer close(w.done)
		w.run(ctx)
	})
}

// end stops a worker and waits for it. d.mu is not held.
func (d *Desk) end(w *worker) {
	d.mu.Lock()
	stop := w.stop
	d.mu.Unlock()
	if stop != nil {
		stop()
		<-w.done
	}
}

// Needed is the highest number up to which all destinations have all entries.
func (d *Desk) Needed() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	needed := uint64(math.MaxUint64)
	for _, w := range d.all {
		needed = min(needed, w.state().Progress.Seq)
	}
	return needed
}

// States gives all destinations, by name.
func (d *Desk) States() []State {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]State, 0, len(d.all))
	for _, name := range slices.Sorted(maps.Keys(d.all)) {
		out = append(out, d.all[name].state())
	}
	return out
}

// Change is what a destination shall be.
type Change struct {
	Destination Destination
	// Secret in place of the one that is kept. Nil: that one stays. Empty: there is none from now on.
	Secret *string
	// FromNow has a new destination begin with what is recorded from now on. False: with all that is kept.
	FromNow bool
	// Expect is asked with what is there, nil for nothing, before anything is changed. Nil: anything may be there.
	Expect func(*Destination) error
}

// Put makes a destination, or changes one, which goes on from where it is. A kept secret is for the receiver that it
// was given for: with another URL it has to be given again. Errors wrap ErrInvalid, or are those of Expect.
func (d *Desk) Put(c Change) (State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.all[c.Destination.Name]
	var was *Destination
	if old != nil {
		was = &old.to
	}
	if c.Expect != nil {
		if err := c.Expect(was); err != nil {
			return State{}, err
		}
	}
	if old == nil && len(d.all) >= MaxDestinations {
		return State{}, fmt.Errorf("%w: there are %d destinations, which is the most", ErrInvalid, MaxDestinations)
	}
	to := c.Destination
	to.Sealed = nil
	switch {
	case c.Secret != nil && *c.Secret != "":
		to.Sealed = d.Vault.Seal(purpose, []byte(*c.Secret))
	case c.Secret == nil && old != nil:
		to.Sealed = old.to.Sealed
	}
	if err := check(&to); err != nil {
		return State{}, err
	}
	if c.Secret == nil && len(to.Sealed) > 0 && old.to.URL != to.URL {
		return State{}, fmt.Errorf("%w: the secret was for %s: give it again, or an empty one", ErrInvalid, old.to.URL)
	}
	var progress Progress
	switch {
	case old != nil:
		d.mu.Unlock() // it may take a moment
		d.end(old)
		d.mu.Lock()
		if d.all[to.Name] != old {
			return State{}, fmt.Errorf("%w: destination %q was changed meanwhile: look again", ErrInvalid, to.Name)
		}
		progress = old.state().Progress
	case c.FromNow:
		progress.Seq, _ = d.Trail.News()
	}
	w := newWorker(d, to, progress)
	if err := d.Store.PutDestination(to, progress); err != nil {
		if old != nil {
			d.all[to.Name] = newWorker(d, old.to, progress)
			d.start(d.all[to.Name])
		}
		return State{}, fmt.Errorf("keep destination %q: %w", to.Name, err)
	}
	d.all[to.Name] = w
	d.start(w)
	return w.state(), nil
}

// Remove ends a destination. Errors wrap ErrNotFound.
func (d *Desk) Remove(name string) error {
	w, err := d.find(name)
	if err != nil {
		return err
	}
	d.end(w)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all[name] != w {
		return fmt.Errorf("%w: destination %q was changed meanwhile: look again", ErrInvalid, name)
	}
	if err := d.Store.RemoveDestination(name); err != nil {
		d.all[name] = newWorker(d, w.to, w.state().Progress)
		d.start(d.all[name])
		return fmt.Errorf("remove destination %q: %w", name, err)
	}
	delete(d.all, name)
	return nil
}

// Test sends a message that says that it is one, and tells whether it arrived as far as that can be known. Errors wrap
// ErrNotFound, or say what the receiver or the way to it did.
func (d *Desk) Test(ctx context.Context, name string) error {
	w, err := d.find(name)
	if err != nil {
		return err
	}
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	err = s.test(ctx)
	s.close(err == nil)
	return err
}

func (d *Desk) find(name string) (*worker, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.all[name]; w != nil {
		return w, nil
	}
	return nil, fmt.Errorf("destination %q: %w", name, ErrNotFound)
}
