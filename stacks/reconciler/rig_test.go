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
// service: name and image; the image says how it behaves: "good", "gone" (cannot be pulled), "away" (its registry does not
// answer), "hang" (its registry never says a word), "sick" (never healthy), "job" (does its work and ends), "port" (its port
// is taken).
type engine struct {
	mu         sync.Mutex
	containers map[string]protocol.Container // by name
	calls      []string
	fetches    int             // how often images were fetched
	last       ipc.Request     // of the last up
	pulled     []ipc.Event     // what fetching tells of its progress, one every pulls
	pulls      time.Duration   // see pulled
	running    map[string]bool // projects at work
	absent     bool
	changed    func(protocol.Snapshot)
	took       map[string]time.Duration // what an up of a project takes
}

func (e *engine) Run(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, error) {
	e.mu.Lock()
	if req.Action == ipc.ActionFetch {
		e.fetches++
	} else {
		e.calls = append(e.calls, req.Action+" "+req.Project)
	}
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
	switch req.Action {
	case ipc.ActionFetch:
		return e.fetch(ctx, req, progress)
	case ipc.ActionImages:
		return ipc.Event{Kind: ipc.KindDone, Images: []ipc.Image{{Ref: "good", Policy: ipc.PullMissing, Service: "web"}}}, nil
	}
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
	if req.Action == ipc.ActionStop {
		for name, c := range e.containers {
			if c.Project == req.Project && c.State == protocol.ContainerRunning {
				c.State, c.ExitCode = protocol.ContainerExited, 143
				e.containers[name] = c
			}
		}
		return ipc.Event{Kind: ipc.KindDone}, nil
	}
	e.last = req
	return e.up(req)
}

func (e *engine) fetch(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, error) {
	b, err := os.ReadFile(filepath.Join(req.Dir, "compose.yml"))
	if err != nil {
		return failed(ipc.CodeMissingFile), nil
	}
	e.mu.Lock()
	pulled, pulls, absent := e.pulled, e.pulls, e.absent
	e.mu.Unlock()
	for _, p := range pulled {
		progress(p)
		time.Sleep(pulls)
	}
	f := failed(ipc.CodeImageUnavailable)
	switch text := string(b); {
	case absent:
		return failed(ipc.CodeEngineUnreachable), nil
	case strings.Contains(text, "gone"):
		return f, nil
	case strings.Contains(text, "away"):
		f.Away = true
		return f, nil
	case strings.Contains(text, "???"):
		return failed(ipc.CodeComposeSyntax), nil
	case strings.Contains(text, "hang"):
		<-ctx.Done()
		return failed(ipc.CodeCancelled), nil
	}
	return ipc.Event{Kind: ipc.KindDone}, nil
}

func failed(code string) ipc.Event {
	return ipc.Event{Kind: ipc.KindFailed, Code: code, Detail: "because of " + code, Unchanged: true}
}

func (e *engine) up(req ipc.Request) (ipc.Event, error) {
	b, err := os.ReadFile(filepath.Join(req.Dir, "compose.yml"))
	if err != nil {
		return failed(ipc.CodeMissingFile), nil
	}
	text := string(b)
	if strings.Contains(text, "port") {
		return failed(ipc.CodePortInUse), nil
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
		if old, ok := e.containers[name]; ok && old.ImageRef == image && old.State == protocol.ContainerRunning {
			c = old
		}
		e.containers[name] = c
		if image == "sick" {
			f := failed(ipc.CodeUnhealthy)
			f.Unchanged = false
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

// fileCost is what each question for a file costs on the link.
const fileCost = 40_000

// Fetch is the hub giving files.
func (r *rig) Fetch(ctx context.Context, files []reconciler.FetchFile) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, files...)
	for _, f := range files {
		if f.Spent != nil {
			f.Spent(fileCost)
		}
	}
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
