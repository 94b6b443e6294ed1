package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

// ErrNotHere: the stack is not desired on this device.
var ErrNotHere = errors.New("the stack is not on this device")

// Reconciler keeps the stacks of one device as desired.
type Reconciler struct {
	cfg Config
	// Places: of those that change something, of those that only wait for containers, and of those that fetch images.
	slots, waiting, fetches chan struct{}

	wake  chan struct{}
	done  chan *job
	ended chan struct{} // closed when Run has returned

	mu         sync.Mutex // guards the fields below
	seen       *protocol.Snapshot
	engineBack bool
	asked      []request

	stacks  map[protocol.EntryKey]*stack // owned by Run
	strange map[uint64]bool              // stacks that nobody knows and that were told of; owned by Run
}

// request is something that a caller wants of Run.
type request struct {
	redeploy uint64     // id of a stack, with reply
	decision *Decision  // or: of somebody at the device, with reply
	reply    chan error // buffered
	target   string     // or: a container that a command stopped or started
	stopped  bool
	until    time.Time // a target that no snapshot knows by then is forgotten
}

// stack is what Run knows of one stack beyond the journal. While it has a job, the job owns it.
type stack struct {
	key  protocol.EntryKey
	job  *job
	want *protocol.StackStatus // the last status, reported or not
	// reported: want is in the state.
	reported  bool
	target    protocol.Hash // what the following two are about; zero: removal
	fails     int
	retryAt   time.Time
	ready     protocol.Hash // content of the entry that was prepared last, and not applied since
	trial     *trial        // nil: none, or the agent was restarted in it
	heals     int
	healAt    time.Time
	judgeFrom time.Time
	spent     spending
	healing   *failure // why the last healing failed
	halting   *failure // why the containers could not be stopped
	redeploys []chan error
	forced    bool         // a redeploy is under way: what is applied is applied again
	answers   []chan error // to those who wait for what they decided at the device
}

// New returns a reconciler; Run starts it.
func New(cfg Config) *Reconciler {
	cfg.Workers = max(cfg.Workers, 1)
	cfg.Wait = cmp.Or(cfg.Wait, DefaultWait)
	cfg.ApplyTimeout = cmp.Or(cfg.ApplyTimeout, DefaultApplyTimeout)
	cfg.RetryFirst = cmp.Or(cfg.RetryFirst, DefaultRetryFirst)
	cfg.RetryCap = cmp.Or(cfg.RetryCap, DefaultRetryCap)
	cfg.Settle = cmp.Or(cfg.Settle, DefaultSettle)
	cfg.Silence = cmp.Or(cfg.Silence, DefaultSilence)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OpenSecrets == nil {
		cfg.OpenSecrets = func(e *protocol.Entry) (s protocol.Secrets, err error) { return s, unopened(e.Sealed) }
	}
	if cfg.OpenAccess == nil {
		cfg.OpenAccess = func(e *protocol.Entry) (a protocol.RegistryAccess, err error) { return a, unopened(e.Access) }
	}
	if cfg.Stager == nil {
		cfg.Stager = folders{dir: cfg.Dir}
	}
	return &Reconciler{
		cfg:     cfg,
		slots:   make(chan struct{}, cfg.Workers),
		waiting: make(chan struct{}, placesToWait),
		fetches: make(chan struct{}, placesToFetch),
		wake:    make(chan struct{}, 1),
		done:    make(chan *job),
		ended:   make(chan struct{}),
		stacks:  map[protocol.EntryKey]*stack{},
		strange: map[uint64]bool{},
	}
}

// A composer takes some 60 MB while it runs, so there are few places.
const (
	placesToWait  = 2
	placesToFetch = 2
)

func unopened(sealed []byte) error {
	if len(sealed) > 0 {
		return errors.New("this agent has no key for it")
	}
	return nil
}

// Wake tells that the desired set may have changed.
func (r *Reconciler) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Observed tells the latest complete snapshot, or one with an engine that is absent.
func (r *Reconciler) Observed(s protocol.Snapshot) {
	r.mu.Lock()
	if s.Engine.State == protocol.EngineRunning && r.seen != nil && r.seen.Engine.State != protocol.EngineRunning {
		r.engineBack = true
	}
	r.seen = &s
	r.mu.Unlock()
	r.Wake()
}

// Redeploy applies the desired version of a stack once more and waits for the outcome. The error is a sentence for
// people; it wraps ErrNotHere when the stack is not desired.
func (r *Reconciler) Redeploy(ctx context.Context, id uint64) error {
	reply := make(chan error, 1)
	r.ask(request{redeploy: id, reply: reply})
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ended:
		return errors.New("the agent is being stopped")
	}
}

// Stopped tells that a command stopped a container, named by name or id: it stays stopped, and its stack is not
// healed as long as it does.
func (r *Reconciler) Stopped(target string) {
	r.ask(request{target: target, stopped: true, until: time.Now().Add(targetKept)})
}

// Started tells that a command started a container again.
func (r *Reconciler) Started(target string) {
	r.ask(request{target: target, until: time.Now().Add(targetKept)})
}

// targetKept is how long a snapshot is awaited that knows a container: right after a start, or for one that was just
// made, there is none yet.
const targetKept = 5 * time.Minute

func (r *Reconciler) ask(q request) {
	r.mu.Lock()
	r.asked = append(r.asked, q)
	r.mu.Unlock()
	r.Wake()
}

// Run reconciles until ctx is done, and returns when the last job has ended. It is called once.
func (r *Reconciler) Run(ctx context.Context) error {
	defer close(r.ended)
	r.keepImages()
	for _, st := range r.cfg.State.Statuses() {
		s := r.stack(protocol.EntryKey{Kind: protocol.EntryStack, ID: st.Stack})
		s.want, s.reported = &st, true
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due := r.evaluate(ctx)
		var tick <-chan time.Time
		if !due.IsZero() {
			timer.Reset(max(time.Until(due), 0))
			tick = timer.C
		}
		select {
		case <-ctx.Done():
			r.drain()
			return nil
		case <-r.wake:
		case j := <-r.done:
			r.finish(j)
		case <-tick:
		}
	}
}

// drain waits for the jobs; their context is done.
func (r *Reconciler) drain() {
	for _, s := range r.stacks {
		for s.job != nil {
			r.finish(<-r.done)
		}
	}
}

func (r *Reconciler) stack(key protocol.EntryKey) *stack {
	s, ok := r.stacks[key]
	if !ok {
		s = &stack{key: key}
		r.stacks[key] = s
	}
	return s
}

// view is one look at everything that decides.
type view struct {
	now     time.Time
	desired map[protocol.EntryKey]*protocol.Entry
	journal map[protocol.EntryKey]*Applied
	seen    *protocol.Snapshot // nil: not yet
}

func (r *Reconciler) look() (view, []request) {
	v := view{
		now:     time.Now(),
		desired: map[protocol.EntryKey]*protocol.Entry{},
		journal: map[protocol.EntryKey]*Applied{},
	}
	for _, e := range r.cfg.State.Desired() {
		if e.Kind == protocol.EntryStack {
			v.desired[e.EntryKey] = &e
		}
	}
	for _, a := range r.cfg.State.Applied() {
		v.journal[a.Entry.EntryKey] = &a
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v.seen = r.seen
	if r.engineBack {
		r.engineBack = false
		for _, s := range r.stacks {
			if s.job == nil {
				s.retryAt, s.fails = time.Time{}, 0
			}
		}
	}
	asked := r.asked
	r.asked = nil
	return v, asked
}

// evaluate starts what has to be started, reports what has to be reported, and returns when to look again; zero when
// nothing is due.
func (r *Reconciler) evaluate(ctx context.Context) (due time.Time) {
	if ctx.Err() != nil {
		return due
	}
	v, asked := r.look()
	for key := range v.desired {
		r.stack(key)
	}
	for key := range v.journal {
		r.stack(key)
	}
	r.putBack(slices.DeleteFunc(asked, func(q request) bool { return r.take(q, &v) }))
	r.orphans(&v)
	for _, s := range r.order(&v) {
		if s.job != nil {
			if !s.job.fits(v.desired[s.key]) {
				s.job.cancel()
			}
			continue
		}
		if at := r.step(ctx, s, &v); !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}

// order puts removals first: another stack may wait for the name that they free.
func (r *Reconciler) order(v *view) []*stack {
	out := make([]*stack, 0, len(r.stacks))
	for _, s := range r.stacks {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *stack) int {
		stays := func(s *stack) int {
			if v.desired[s.key] != nil {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(stays(a), stays(b)), protocol.CompareKeys(a.key, b.key))
	})
	return out
}

// putBack keeps requests for the next look, in front of what came meanwhile.
func (r *Reconciler) putBack(kept []request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(kept, r.asked...)
}

// take handles what a caller asked for, and reports whether that is done. What is about a stack that has a job, or a
// container that no snapshot knows yet, is looked at again.
func (r *Reconciler) take(q request, v *view) (done bool) {
	if q.decision != nil {
		return r.decided(q, v)
	}
	if q.reply != nil {
		key := protocol.EntryKey{Kind: protocol.EntryStack, ID: q.redeploy}
		if v.desired[key] == nil {
			q.reply <- fmt.Errorf("stack %d: %w: give it to the device first", q.redeploy, ErrNotHere)
			return true
		}
		s := r.stack(key)
		s.redeploys = append(s.redeploys, q.reply)
		return true
	}
	c := find(v.seen, q.target)
	if c == nil {
		return v.now.After(q.until)
	}
	a := owner(v, c)
	if a == nil {
		return true // not of a stack
	}
	if r.stack(a.Entry.EntryKey).job != nil {
		return false
	}
	r.hold(a, c.Name, q.stopped)
	return true
}

// hold notes that a container stays stopped, or does not any more.
func (r *Reconciler) hold(a *Applied, name string, stopped bool) {
	if slices.Contains(a.Stopped, name) == stopped {
		return
	}
	next := slices.DeleteFunc(slices.Clone(a.Stopped), func(n string) bool { return n == name })
	if stopped {
		next = append(next, name)
	}
	line := *a
	line.Stopped = next
	if err := r.cfg.State.PutApplied(line); err != nil {
		r.cfg.Log.Warn("cannot note that a command stopped or started a container", "stack", a.Entry.ID, "error", err)
		return
	}
	*a = line
}
