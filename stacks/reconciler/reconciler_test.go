package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// engine is a composer and the engine behind it, at the level of containers. A bundle's compose.yml has one line per
// service: name and image; the image says how it behaves: "good", "gone" (cannot be pulled), "sick" (never healthy),
// "slow" (takes an hour to pull), "job" (does its work and ends).
type engine struct {
	mu         sync.Mutex
	containers map[string]protocol.Container // by name
	calls      []string
	running    map[string]bool // projects at work
	absent     bool
	changed    func(protocol.Snapshot)
	took       map[string]time.Duration // what an up of a project takes
}

func (e *engine) Run(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, error) {
	e.mu.Lock()
	e.calls = append(e.calls, req.Action+" "+req.Project)
	if e.running[req.Project] {
		e.mu.Unlock()
		return ipc.Event{}, errors.New("two composers of one project at the same time")
	}
	e.running[req.Project] = true
	took := e.took[req.Project]
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.running, req.Project)
		e.mu.Unlock()
		e.tell()
	}()
	progress(ipc.Event{Kind: ipc.KindStep, Text: "working"})
	select {
	case <-time.After(took + 100*time.Millisecond):
	case <-ctx.Done():
		return failed(ipc.CodeCancelled), nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.absent {
		return failed(ipc.CodeEngineUnreachable), nil
	}
	if req.Action == ipc.ActionDown {
		for name, c := range e.containers {
			if c.Project == req.Project {
				delete(e.containers, name)
			}
		}
		return ipc.Event{Kind: ipc.KindDone}, nil
	}
	return e.up(req)
}

func failed(code string) ipc.Event {
	return ipc.Event{Kind: ipc.KindFailed, Code: code, Detail: "because of " + code}
}

func (e *engine) up(req ipc.Request) (ipc.Event, error) {
	b, err := os.ReadFile(filepath.Join(req.Dir, "compose.yml"))
	if err != nil {
		return failed(ipc.CodeMissingFile), nil
	}
	text := string(b)
	switch {
	case strings.Contains(text, "gone"):
		return failed(ipc.CodeImageUnavailable), nil
	case strings.Contains(text, "???"):
		return failed(ipc.CodeComposeSyntax), nil
	}
	done := ipc.Event{Kind: ipc.KindDone}
	want := map[string]bool{}
	for line := range strings.Lines(text) {
		service, image, _ := strings.Cut(strings.TrimSpace(line), " ")
		name := req.Project + "-" + service + "-1"
		want[name] = true
		c := protocol.Container{Name: name, Project: req.Project, Service: service, ImageRef: image, Started: time.Now().Unix()}
		s := ipc.ServiceState{Service: service, Container: name, State: "running"}
		if image == "job" {
			c.State, s.State = protocol.ContainerExited, "exited"
		}
		e.containers[name] = c
		if image == "sick" {
			f := failed(ipc.CodeUnhealthy)
			f.Log = "cannot connect"
			return f, nil
		}
		done.Services = append(done.Services, s)
	}
	for name, c := range e.containers {
		if c.Project == req.Project && !want[name] {
			delete(e.containers, name)
		}
	}
	return done, nil
}

// tell sends a snapshot, as the engine's events would.
func (e *engine) tell() {
	e.mu.Lock()
	s := protocol.Snapshot{Host: protocol.Host{Booted: 1}}
	if e.absent {
		s.Engine = protocol.Engine{State: protocol.EngineAbsent, Reason: "no socket"}
	}
	for _, c := range e.containers {
		s.Containers = append(s.Containers, c)
	}
	changed := e.changed
	e.mu.Unlock()
	changed(s)
}

// with changes the engine behind the reconciler's back.
func (e *engine) with(fn func()) {
	e.mu.Lock()
	fn()
	e.mu.Unlock()
	e.tell()
}

func (e *engine) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := e.calls
	e.calls = nil
	return calls
}

func (e *engine) has() (names []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name := range e.containers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// rig is a device: its state, its engine, a hub that may be out of reach, and the reconciler between them.
type rig struct {
	t      *testing.T
	store  *state.Store
	engine *engine
	dir    string
	mark   uint64
	mu     sync.Mutex
	blobs  map[protocol.Hash][]byte // what the hub has; with the next two guarded by mu
	online bool
	asked  []reconciler.FetchFile
	*reconciler.Reconciler
	stop func()
	cfg  func(*reconciler.Config)
}

func newRig(t *testing.T) *rig {
	r := &rig{
		t: t, store: state.NewMemory(1), dir: t.TempDir(), online: true,
		engine: &engine{containers: map[string]protocol.Container{}, running: map[string]bool{}, took: map[string]time.Duration{}},
		blobs:  map[protocol.Hash][]byte{}, cfg: func(*reconciler.Config) {},
	}
	return r
}

// boot starts the agent, for the first time or again.
func (r *rig) boot() {
	if r.stop != nil {
		r.stop()
		r.store = r.store.Reboot()
	}
	cfg := reconciler.Config{
		State: lawful{r.store, r.t}, Fetcher: r, Composer: r.engine, Dir: r.dir, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	r.cfg(&cfg)
	r.Reconciler = reconciler.New(cfg)
	r.engine.mu.Lock()
	r.engine.changed = r.Observed
	r.engine.mu.Unlock()
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	r.stop = func() { cancel(); <-done }
	r.engine.tell()
	synctest.Wait()
}

// lawful checks that every change of a stack's state is one that package stacks allows.
type lawful struct {
	*state.Store
	t *testing.T
}

func (l lawful) PutStatus(st protocol.StackStatus) error {
	from := protocol.StackOffered
	for _, old := range l.Statuses() {
		if old.Stack == st.Stack {
			from = old.State
		}
	}
	if from != protocol.StackRemoved && !stacks.Legal(from, st.State) || !stacks.Reported(st.State) {
		l.t.Errorf("stack %d went from %s to %s", st.Stack, from, st.State)
	}
	return l.Store.PutStatus(st)
}

// Fetch is the hub giving files.
func (r *rig) Fetch(ctx context.Context, files []reconciler.FetchFile) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, files...)
	for !r.online {
		r.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
		r.mu.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for _, f := range files {
		if err := r.store.PutBlob(f.File.Hash, r.blobs[f.File.Hash]); err != nil {
			return err
		}
	}
	return nil
}

// reach puts the hub in or out of reach.
func (r *rig) reach(online bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.online = online
}

func (r *rig) entry(id, version uint64, compose string) protocol.Entry {
	h := protocol.HashOf([]byte(compose))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blobs[h] = []byte(compose)
	return protocol.Entry{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: id}, Version: version, Name: fmt.Sprintf("s%d", id),
		Files: []protocol.File{{Path: "compose.yml", Hash: h, Size: int64(len(compose))}},
	}
}

// desire orders the whole set.
func (r *rig) desire(set ...protocol.Entry) {
	r.mark++
	if err := r.store.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Seq: r.mark}, Desired: &set}); err != nil {
		r.t.Fatal(err)
	}
	r.Wake()
}

// pass lets virtual time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// expect checks what the device says of one stack: state, version, the version that runs in its place, code.
func (r *rig) expect(id uint64, want string) {
	r.t.Helper()
	got := "nothing"
	for _, st := range r.store.Statuses() {
		if st.Stack == id {
			got = strings.TrimSpace(fmt.Sprintf("%s v%d running:%d %s", st.State, st.Version, st.Running, st.Code))
			if st.State != protocol.StackRunning && st.Code != "" && st.Detail == "" {
				r.t.Errorf("stack %d: %s without a sentence", id, got)
			}
		}
	}
	if got != want {
		r.t.Errorf("stack %d is %q, want %q", id, got, want)
	}
}

func (r *rig) expectCalls(want ...string) {
	r.t.Helper()
	if got := r.engine.take(); !slices.Equal(got, want) {
		r.t.Errorf("the composer was asked %q, want %q", got, want)
	}
}

// expectAny is expectCalls for stacks that may come in any order.
func (r *rig) expectAny(want ...string) {
	r.t.Helper()
	if got := slices.Sorted(slices.Values(r.engine.take())); !slices.Equal(got, want) {
		r.t.Errorf("the composer was asked %q, want %q in any order", got, want)
	}
}

func (r *rig) expectContainers(want ...string) {
	r.t.Helper()
	if got := r.engine.has(); !slices.Equal(got, want) {
		r.t.Errorf("on the engine are %q, want %q", got, want)
	}
}

// device runs a test in virtual time.
func device(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.boot()
		test(r)
		r.stop()
	})
}

func TestStackFromFirstVersionToRemoval(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ninit job"))
		pass(10 * time.Second)
		r.expect(1, "running v1 running:0")
		r.expectContainers("s1-init-1", "s1-web-1")
		r.desire(r.entry(1, 2, "web good2\ninit job"))
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
		if last := r.asked[len(r.asked)-1]; last.Base != protocol.HashOf([]byte("web good\ninit job")) {
			t.Error("the new version was not asked for as a patch of the old one")
		}
		if len(r.store.Desired()[0].Files) != 1 || r.store.HasBlob(protocol.HashOf([]byte("web good\ninit job"))) {
			t.Error("the blob of the old version was kept")
		}
		r.expectCalls("up s1", "up s1")
		r.desire()
		pass(10 * time.Second)
		r.expect(1, "removed v2 running:0")
		r.expectContainers()
		r.expectCalls("down s1")
		if left, _ := os.ReadDir(r.dir); len(left) != 0 || len(r.store.Applied()) != 0 {
			t.Errorf("the removed stack left behind %v and %v", left, r.store.Applied())
		}
	})
}

func TestRestartTouchesNothingThatRunsAsDesired(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"), r.entry(2, 1, "db good\ninit job"))
		pass(10 * time.Second)
		r.expectAny("up s1", "up s2")
		items, _ := r.store.Pending()
		for range 3 {
			r.boot()
			pass(time.Hour)
		}
		r.expectCalls()
		if again, _ := r.store.Pending(); again != items {
			t.Errorf("restarts queued %d items for the hub", again-items)
		}
		r.expect(2, "running v1 running:0")
	})
}

func TestDesiredIsAppliedWithoutAHub(t *testing.T) {
	device(t, func(r *rig) {
		e := r.entry(1, 1, "web good")
		r.engine.with(func() { r.engine.absent = true })
		r.desire(e)
		pass(time.Minute) // files have come, the engine is away
		r.expect(1, "waiting v1 running:0 "+stacks.CodeEngineAbsent)
		r.reach(false)
		r.boot()
		pass(time.Minute)
		r.expectCalls() // a composer would only tell what the snapshot says
		r.engine.with(func() { r.engine.absent = false })
		pass(2 * time.Second)
		r.expect(1, "running v1 running:0")

		// What is not on the device yet waits for the hub, and holds up nobody.
		r.desire(r.entry(1, 2, "web good3"), r.entry(2, 1, "web good"))
		pass(time.Hour)
		r.expect(1, "fetching v2 running:1")
		r.expect(2, "running v1 running:0")
		r.reach(true)
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
	})
}

func TestVersionThatCannotBeHadLeavesThePreviousOneRunning(t *testing.T) {
	cases := []struct{ name, compose, want string }{
		{"image", "web gone", "failed v2 running:1 image-unavailable"},
		{"syntax", "???", "failed v2 running:1 compose-syntax"},
		{"health", "web sick", "failed v2 running:0 unhealthy"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			device(t, func(r *rig) {
				r.desire(r.entry(1, 1, "web good"))
				pass(10 * time.Second)
				r.desire(r.entry(1, 2, c.compose))
				pass(10 * time.Second)
				r.expect(1, c.want)
				r.expectContainers("s1-web-1")
				rev := r.store.Statuses()[0].Rev
				r.boot()
				pass(24 * time.Hour)
				r.expect(1, c.want)
				if now := r.store.Statuses()[0].Rev; now != rev {
					t.Errorf("attempts that fail the same way were reported %d times", now-rev)
				}
				tries := len(r.engine.take())
				permanent := c.name == "syntax"
				if permanent && tries != 3 || !permanent && (tries < 50 || tries > 200) {
					t.Errorf("%d tries in a day", tries)
				}
				r.desire(r.entry(1, 3, "web good"))
				pass(10 * time.Second)
				r.expect(1, "running v3 running:0")
			})
		})
	}
}

func TestOtherStacksAreNotHeldUpByAFailingOne(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web gone"), r.entry(2, 1, "web good"), r.entry(3, 1, "???"))
		pass(5 * time.Second)
		r.expect(2, "running v1 running:0")
		r.expect(1, "failed v1 running:0 image-unavailable")
	})
}

func TestOnlyOneComposerAtATime(t *testing.T) {
	device(t, func(r *rig) {
		var set []protocol.Entry
		for id := range uint64(4) {
			set = append(set, r.entry(id+1, 1, "web good"))
			r.engine.took[fmt.Sprintf("s%d", id+1)] = time.Minute
		}
		r.desire(set...)
		pass(90 * time.Second)
		r.engine.mu.Lock()
		if n := len(r.engine.running); n != 1 {
			t.Errorf("%d composers run at the same time", n)
		}
		r.engine.mu.Unlock()
		pass(10 * time.Minute)
		r.expectAny("up s1", "up s2", "up s3", "up s4")
	})
}

func TestNewerOrderEndsTheWorkOnTheOlder(t *testing.T) {
	device(t, func(r *rig) {
		r.engine.took["s1"] = 50 * time.Minute
		r.desire(r.entry(1, 1, "web good"))
		pass(time.Minute)
		r.expect(1, "applying v1 running:0")
		r.engine.mu.Lock()
		r.engine.took["s1"] = 0
		r.engine.mu.Unlock()
		r.desire(r.entry(1, 2, "web better"))
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
		r.engine.mu.Lock()
		r.engine.took["s1"] = 50 * time.Minute
		r.engine.mu.Unlock()
		r.desire(r.entry(1, 3, "web best"))
		pass(time.Minute)
		r.engine.mu.Lock()
		r.engine.took["s1"] = 0
		r.engine.mu.Unlock()
		r.desire() // removed in the middle of an update
		pass(10 * time.Second)
		r.expect(1, "removed v3 running:0")
		r.expectContainers()
	})
}

func TestContainerThatSomebodyRemovedComesBack(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ndb good"))
		pass(10 * time.Second)
		r.engine.take()
		r.engine.with(func() { delete(r.engine.containers, "s1-web-1") })
		synctest.Wait()
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceMissing)
		pass(10 * time.Second)
		r.expect(1, "running v1 running:0")
		r.expectContainers("s1-db-1", "s1-web-1")
		// Somebody who removes it again and again is not fought without pause.
		for range 600 {
			r.engine.with(func() { delete(r.engine.containers, "s1-web-1") })
			pass(time.Second)
		}
		if n := len(r.engine.take()); n < 4 || n > 12 {
			t.Errorf("healed %d times in 10 minutes", n)
		}
	})
}

func TestContainerStoppedByACommandStaysStopped(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ndb good"))
		pass(10 * time.Second)
		r.engine.take()
		stop := func(name string) {
			c := r.engine.containers[name]
			c.State, c.ExitCode = protocol.ContainerExited, 137
			r.engine.containers[name] = c
		}
		r.Stopped("s1-web-1")
		r.engine.with(func() { stop("s1-web-1") })
		pass(time.Hour)
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceStopped)
		r.boot()
		r.engine.with(func() { delete(r.engine.containers, "s1-db-1") })
		pass(time.Hour)
		r.expectCalls() // healing would start what was stopped
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceMissing)
		if err := r.Redeploy(r.t.Context(), 1); err != nil { // the operator's own word
			t.Error(err)
		}
		pass(10 * time.Second)
		r.expect(1, "running v1 running:0")
		// One that ended by itself is told apart.
		r.engine.with(func() { stop("s1-db-1") })
		pass(10 * time.Second)
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceDown)
		r.engine.take()
	})
}

func TestContainersThatARebootEndedAreStarted(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ninit job"))
		pass(10 * time.Second)
		r.engine.take()
		r.stop()
		c := r.engine.containers["s1-web-1"]
		c.State, c.ExitCode = protocol.ContainerExited, 255
		r.engine.containers["s1-web-1"] = c
		booted := time.Now().Add(time.Minute)
		pass(5 * time.Minute)
		r.boot()
		s := protocol.Snapshot{Host: protocol.Host{Booted: booted.Unix()}}
		for _, c := range r.engine.containers {
			s.Containers = append(s.Containers, c)
		}
		r.Observed(s)
		pass(10 * time.Second)
		r.expectCalls("up s1")
		r.expect(1, "running v1 running:0")
	})
}

func TestRedeploy(t *testing.T) {
	device(t, func(r *rig) {
		if err := r.Redeploy(r.t.Context(), 9); !errors.Is(err, reconciler.ErrNotHere) {
			t.Errorf("redeploy of a stack that is not here: %v", err)
		}
		r.desire(r.entry(1, 1, "web good"), r.entry(2, 1, "???"))
		pass(10 * time.Second)
		r.engine.take()
		if err := r.Redeploy(r.t.Context(), 1); err != nil {
			t.Error(err)
		}
		if err := r.Redeploy(r.t.Context(), 2); err == nil || !strings.Contains(err.Error(), "compose-syntax") {
			t.Errorf("redeploy of a stack that cannot be applied: %v", err)
		}
		r.expectCalls("up s1", "up s2")
	})
}

func TestNameIsFreedBeforeItIsTaken(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(7, 1, "web good\nold good"))
		pass(10 * time.Second)
		r.engine.take()
		next := r.entry(3, 1, "web good")
		next.Name = "s7" // removed and made anew with the same name
		r.desire(next)
		pass(10 * time.Second)
		r.expectCalls("down s7", "up s7")
		r.expectContainers("s7-web-1")
		r.expect(7, "removed v1 running:0")
		r.expect(3, "running v1 running:0")
		next.Name, next.Version = "renamed", 2
		r.desire(next)
		pass(10 * time.Second)
		r.expectCalls("down s7", "up renamed")
		r.expectContainers("renamed-web-1")
		r.expect(3, "running v2 running:0")
	})
}

// fullState is a state on a full disk.
type fullState struct {
	*state.Store
	mu   sync.Mutex
	full bool
}

func (f *fullState) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	return nil
}

func (f *fullState) PutApplied(a reconciler.Applied) error {
	return errors.Join(f.err(), f.Store.PutApplied(a))
}

func TestFullDiskIsSaidAndGotOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		f := &fullState{Store: r.store, full: true}
		r.cfg = func(c *reconciler.Config) { c.State = f }
		r.boot()
		defer r.stop()
		r.desire(r.entry(1, 1, "web good"))
		pass(time.Minute)
		r.expect(1, "waiting v1 running:0 "+stacks.CodeDiskFull)
		r.expectCalls() // what cannot be journaled is not done
		f.mu.Lock()
		f.full = false
		f.mu.Unlock()
		pass(time.Hour)
		r.expect(1, "running v1 running:0")
	})
}

func TestAbsentComposerIsSaid(t *testing.T) {
	device(t, func(r *rig) {
		r.stop()
		r.cfg = func(c *reconciler.Config) { c.Composer = noComposer{} }
		r.boot()
		r.desire(r.entry(1, 1, "web good"))
		pass(time.Minute)
		r.expect(1, "waiting v1 running:0 "+stacks.CodeComposerAbsent)
		r.cfg = func(*reconciler.Config) {}
		r.boot()
		pass(time.Minute)
		r.expect(1, "running v1 running:0")
	})
}

type noComposer struct{}

func (noComposer) Run(context.Context, ipc.Request, func(ipc.Event)) (ipc.Event, error) {
	return failed(stacks.CodeComposerAbsent), nil
}
