package gitsource_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
	"github.com/farshore/farshore/stacks/planner"
)

// noDevices is a fleet with none.
type noDevices struct{}

func (noDevices) Reachable(protocol.DeviceID) (bool, time.Time) { return true, time.Time{} }

func (noDevices) Check(string) error                                    { return nil }
func (noDevices) Matching(stacks.Reach) ([]protocol.DeviceID, error)    { return nil, nil }
func (noDevices) Matches(stacks.Reach, protocol.DeviceID) (bool, error) { return false, nil }
func (noDevices) Target(protocol.DeviceID) (stacks.Target, bool)        { return stacks.Target{}, false }

// oneDevice is a fleet of one, which is meant by all stacks.
type oneDevice struct{ noDevices }

const theDevice = protocol.DeviceID("aaaaaaaaaaaaaaaa")

func (oneDevice) Matching(stacks.Reach) ([]protocol.DeviceID, error) {
	return []protocol.DeviceID{theDevice}, nil
}

func (oneDevice) Matches(_ stacks.Reach, d protocol.DeviceID) (bool, error) {
	return d == theDevice, nil
}

func (oneDevice) Target(d protocol.DeviceID) (stacks.Target, bool) {
	return stacks.Target{Name: "crane", Confirmed: true}, d == theDevice
}

var errPolicy = errors.New("the policy does not allow it")

// desk is a Desk on a real store, vault and planner, which can be stopped and started.
type desk struct {
	*gitsource.Desk
	t      testing.TB
	dir    string
	limits gitsource.Limits
	local  bool
	fleet  planner.Fleet
	store  *store.Store
	plan   *planner.Planner
	log    *lockedText
	stop   func()

	mu      sync.Mutex
	notices []gitsource.Notice
	forbid  bool // guarded by mu: a policy refuses all
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), local: true, fleet: noDevices{}, log: &lockedText{}}
	d.start()
	t.Cleanup(func() { d.stop() })
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) start() {
	d.t.Helper()
	v, err := vault.Open(d.dir)
	d.must(err)
	d.store, err = store.Open(d.dir)
	d.must(err)
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d.plan, err = planner.New(planner.Config{
		Store: d.store, Fleet: d.fleet, Vault: v, Log: log, Validate: compose.Validate,
		Allows: func(string, []stacks.Asks) error { return nil }, Notify: func(protocol.DeviceID) {}, Events: func(planner.Notice) {},
	})
	d.must(err)
	d.Desk, err = gitsource.New(gitsource.Config{
		Store: d.store, Vault: v, Stacks: adapter{d}, Log: log, AllowLocal: d.local, Limits: d.limits,
		Notice: func(n gitsource.Notice) { d.mu.Lock(); d.notices = append(d.notices, n); d.mu.Unlock() },
	})
	d.must(err)
	ctx, cancel := contextOf()
	done := make(chan error, 1)
	go func() { done <- d.Desk.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		d.must(<-done)
		d.must(d.store.Close())
	})
}

func (d *desk) restart() { d.t.Helper(); d.stop(); d.start() }

// adapter does what the hub's assembly does.
type adapter struct{ *desk }

func (a adapter) Apply(b gitsource.Bundle) (uint64, error) {
	a.mu.Lock()
	forbid := a.forbid
	a.mu.Unlock()
	if forbid {
		return 0, fmt.Errorf("%w: %w", gitsource.ErrRefused, errPolicy)
	}
	_, v, err := a.plan.Apply(planner.ApplySpec{
		Name: b.Stack, Selector: b.Target.Selector, Group: b.Target.Group, Owner: b.Target.Owner, Files: b.Files, Env: b.Env, Pull: b.Pull,
		Author: b.Author, Message: b.Message, Source: b.Source, Expect: b.Expect, During: planner.Queue,
	})
	return v.Number, err
}

func (a adapter) Redeploy(stack, by string) error {
	_, err := a.plan.Deploy(planner.DeploySpec{Stack: stack, Force: true, During: planner.Queue, By: by})
	return err
}

func (a adapter) Named(name string) (stacks.Stack, bool) { return a.plan.Named(name) }

// put makes a source for the stack web.
func (d *desk) put(c gitsource.Change) gitsource.State {
	d.t.Helper()
	c.Source.Stack = "web"
	s, err := d.Put(c)
	d.must(err)
	return s
}

// sync looks now.
func (d *desk) sync() gitsource.Outcome {
	d.t.Helper()
	out, err := d.Sync(d.t.Context(), "web")
	d.must(err)
	return out
}

// fails looks now, and expects that it fails so, with these words.
func (d *desk) fails(code string, words ...string) {
	d.t.Helper()
	out := d.sync()
	s, _ := d.Get("web")
	if out.Code != code || s.Progress.Code != code || s.Progress.Problem != out.Text || s.Progress.Since == 0 {
		d.t.Fatalf("the look came to %+v, and the source says %+v; want the code %s", out, s.Progress, code)
	}
	for _, w := range words {
		if !strings.Contains(out.Text, w) {
			d.t.Errorf("%q does not say %q", out.Text, w)
		}
	}
	d.silent(out.Text)
}

// silent checks that no secret is in a text, or in the log.
func (d *desk) silent(text string) {
	d.t.Helper()
	if all := text + d.log.String(); strings.Contains(all, token1) || strings.Contains(all, "PRIVATE KEY") || strings.Contains(all, hookSecret) {
		d.t.Errorf("a secret is told: %s", all)
	}
}

// version is the latest of the stack; 0: there is none.
func (d *desk) version() uint64 {
	o, err := d.plan.Get("web")
	if errors.Is(err, stacks.ErrNotFound) {
		return 0
	}
	d.must(err)
	return o.Latest
}

func (d *desk) content(file string) string {
	d.t.Helper()
	files, err := d.plan.Bundle("web", 0)
	d.must(err)
	return string(files[file])
}

// until waits for what another goroutine brings about.
func (d *desk) until(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func (d *desk) kinds() (out []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.notices {
		out = append(out, n.Kind)
	}
	return out
}

func composeOf(image string) string { return "services:\n  web:\n    image: " + image + "\n" }

func ptr[T any](v T) *T { return &v }

func (s *server) source(r *repository) gitsource.Change {
	at, err := filepath.Rel(r.root, r.bare)
	if err != nil {
		panic(err)
	}
	return gitsource.Change{
		Source:   gitsource.Source{URL: s.URL + "/" + at, SignIn: gitsource.SignInPassword, User: user1, CA: s.ca(), Path: "web"},
		Password: ptr(token1),
	}
}

func (s *sshServer) source(r *repository) gitsource.Change {
	return gitsource.Change{
		Source: gitsource.Source{URL: s.url(r.bare), SignIn: gitsource.SignInKey, HostKeys: []string{s.hostKey}, Path: "web"}, Key: &s.key,
	}
}
