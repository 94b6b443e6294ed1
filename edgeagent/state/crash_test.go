package state_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/commands"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// The crash test kills a process with the real state, runner and reconciler at random points, again and again, and
// then looks at what the outside has seen: an engine and a hub that live in files and survive.
const (
	crashDir   = "FARSHORE_CRASH_DIR"
	crashSteps = 100
	crashKills = 12
)

// outside is what survives the process: the engine's containers, what was done to it, and what the hub was told.
type outside struct{ dir string }

// note appends one line; a line is there whole or not at all.
func (o outside) note(file, format string, args ...any) {
	f, err := os.OpenFile(filepath.Join(o.dir, file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, format+"\n", args...); err != nil {
		panic(err)
	}
}

func (o outside) lines(t *testing.T, file string) (out []string) {
	f, err := os.Open(filepath.Join(o.dir, file))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}

// crashDesired is what step n orders: three stacks that come, change and go.
func crashDesired(n uint64) (set []protocol.Entry) {
	for id := uint64(1); id <= 3; id++ {
		if (n/5+id)%3 == 0 && n != crashSteps {
			continue // away for five steps
		}
		version := n/4 + 1
		body := crashFile(id, version)
		set = append(set, protocol.Entry{
			EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: id}, Version: version, Name: fmt.Sprintf("s%d", id),
			Files: []protocol.File{{Path: "compose.yml", Hash: protocol.HashOf(body), Size: int64(len(body))}},
		})
	}
	return set
}

func crashFile(id, version uint64) []byte {
	return fmt.Appendf(nil, "stack %d version %d", id, version)
}

// crashEngine is the engine and the composer.
type crashEngine struct {
	outside
	observed func(protocol.Snapshot)
}

func (e *crashEngine) act(_ context.Context, what string) error {
	e.note("ledger", "%s", what)
	time.Sleep(time.Millisecond)
	return nil
}

func (e *crashEngine) ContainerStart(ctx context.Context, t string) error { return e.act(ctx, t) }
func (e *crashEngine) ContainerStop(ctx context.Context, t string, _ time.Duration) error {
	return e.act(ctx, t)
}

func (e *crashEngine) ContainerRestart(ctx context.Context, t string, _ time.Duration) error {
	return e.act(ctx, t)
}
func (e *crashEngine) ContainerKill(ctx context.Context, t, _ string) error { return e.act(ctx, t) }
func (e *crashEngine) ContainerRemove(ctx context.Context, t string, _ snapshot.Force) error {
	return e.act(ctx, t)
}

func (e *crashEngine) ContainerLogs(ctx context.Context, t string, _, _ int) ([]byte, uint64, error) {
	return []byte(strings.Repeat("log\n", 5000)), 0, e.act(ctx, t)
}

func (e *crashEngine) ImageRemove(ctx context.Context, t string, _ snapshot.Force) error {
	return e.act(ctx, t)
}

func (e *crashEngine) VolumeRemove(ctx context.Context, t string, _ snapshot.Force) error {
	return e.act(ctx, t)
}

func (e *crashEngine) Run(_ context.Context, req ipc.Request, _ func(ipc.Event)) (ipc.Event, error) {
	path := filepath.Join(e.dir, "engine", req.Project)
	done := ipc.Event{Kind: ipc.KindDone}
	defer e.observe()
	if req.Action == ipc.ActionDown {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return ipc.Event{}, err
		}
		return done, nil
	}
	body, err := os.ReadFile(filepath.Join(req.Dir, "compose.yml"))
	if err != nil {
		return ipc.Event{}, err
	}
	for _, content := range []string{"half " + string(body), string(body)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return ipc.Event{}, err
		}
		time.Sleep(time.Millisecond)
	}
	done.Services = []ipc.ServiceState{{Service: "main", Container: req.Project, State: "running"}}
	return done, nil
}

func (e *crashEngine) observe() {
	var s protocol.Snapshot
	files, err := os.ReadDir(filepath.Join(e.dir, "engine"))
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		s.Containers = append(s.Containers, protocol.Container{Name: f.Name(), Project: f.Name(), Service: "main"})
	}
	e.observed(s)
}

// crashFetcher is the hub giving files.
type crashFetcher struct{ store *state.Store }

func (f crashFetcher) Fetch(_ context.Context, files []reconciler.FetchFile) error {
	for _, want := range files {
		for id := uint64(1); id <= 3; id++ {
			for v := uint64(1); v <= crashSteps; v++ {
				body := crashFile(id, v)
				if protocol.HashOf(body) != want.File.Hash {
					continue
				}
				part := state.Partial{Size: int64(len(body))}
				if err := f.store.AppendPartial(want.File.Hash, part, body[:4]); err != nil {
					return err
				}
				if err := f.store.PutBlob(want.File.Hash, body); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// TestCrashChild is the process that is killed. It does nothing unless the crash test starts it.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("started by TestKilledAtAnyPoint only")
	}
	o := outside{dir}
	store, err := state.OpenDisk(filepath.Join(dir, "agent"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	o.note("hub", "boot %d", store.Identity().Boot.Counter)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	engine := &crashEngine{outside: o}
	rec := reconciler.New(reconciler.Config{
		State: store, Fetcher: crashFetcher{store}, Composer: engine, Dir: filepath.Join(dir, "stacks"), Log: log,
		RetryFirst: 2 * time.Millisecond, Settle: time.Millisecond,
	})
	engine.observed = rec.Observed
	engine.observe()
	run := commands.New(commands.Config{
		Journal: store, Engine: engine, Stacks: rec, Snapshot: func(ctx context.Context) error { return engine.act(ctx, "snapshot") },
		HubTime: func() (time.Time, bool) { return time.Now(), true }, Log: log,
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for _, r := range []func(context.Context) error{rec.Run, run.Run} {
		wait.Go(func() {
			if err := r(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	defer wait.Wait()
	defer cancel()
	for step := store.Orders().Mark.Seq + 1; step <= crashSteps; step++ {
		crashOrder(t, store, step)
		rec.Wake()
		run.Wake()
		crashHub(t, o, store)
	}
	for deadline := time.Now().Add(time.Minute); !crashSettled(store); time.Sleep(time.Millisecond) {
		crashHub(t, o, store)
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to rest: pending %v, journal %+v", store.PendingCommands(), store.Applied())
		}
	}
	crashHub(t, o, store)
}

func crashOrder(t *testing.T, store *state.Store, step uint64) {
	desired := crashDesired(step)
	if err := store.PutEvent(fmt.Sprintf("step-%d", step), ""); err != nil {
		t.Fatal(err)
	}
	var list []protocol.Command
	for i := range uint64(3) {
		id := step*10 + i
		kinds := []protocol.CommandKind{protocol.CommandContainerStop, protocol.CommandContainerLogs, protocol.CommandContainerStart}
		list = append(list, protocol.Command{ID: protocol.CommandID(id), Kind: kinds[i], Target: fmt.Sprint(id), NotAfter: 1 << 40})
	}
	if err := store.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Seq: step}, Desired: &desired, Commands: list}); err != nil {
		t.Fatal(err)
	}
}

// crashHub takes what waits and acknowledges it.
func crashHub(t *testing.T, o outside, store *state.Store) {
	var ids []uint64
	for _, it := range store.Outbox(8 << 10) {
		line := map[protocol.Kind]any{
			protocol.KindResult: &protocol.CommandResult{}, protocol.KindStatus: &protocol.StackStatus{},
			protocol.KindEvent: &protocol.DeviceEvent{}, protocol.KindOutput: &protocol.Output{},
		}[it.Kind]
		if err := protocol.Unmarshal(it.Body, line); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		o.note("hub", "%s %s", it.Kind, b)
		ids = append(ids, it.ID)
	}
	if err := store.AckOutbox(ids); err != nil {
		t.Fatal(err)
	}
}

func crashSettled(store *state.Store) bool {
	items, _ := store.Pending()
	if items > 0 || len(store.PendingCommands()) > 0 {
		return false
	}
	want := map[protocol.EntryKey]protocol.Hash{}
	for _, e := range store.Desired() {
		want[e.EntryKey] = e.Hash()
	}
	have := map[protocol.EntryKey]protocol.Hash{}
	for _, a := range store.Applied() {
		if a.Phase == reconciler.PhaseApplied {
			have[a.Entry.EntryKey] = a.Entry.Hash()
		} else {
			return false
		}
	}
	for _, st := range store.Statuses() {
		if st.State != protocol.StackRunning {
			return false
		}
	}
	return maps.Equal(want, have)
}

func TestKilledAtAnyPoint(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "engine"), 0o700); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kills := 0
	for round := 0; ; round++ {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCrashChild$", "-test.count=1")
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if round < crashKills {
			timer := time.AfterFunc(time.Duration(10+random.IntN(90))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
		}
		err := cmd.Wait()
		cancel()
		if err == nil {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() || round >= crashKills {
			t.Fatalf("round %d: %v\n%s", round, err, &said)
		}
		kills++
	}
	t.Logf("killed %d times", kills)
	if kills < crashKills/4 {
		t.Errorf("killed only %d times: the run is too short for this test to mean much", kills)
	}
	checkCrash(t, outside{dir})
}

func checkCrash(t *testing.T, o outside) {
	ran := map[string]int{}
	for _, line := range o.lines(t, "ledger") {
		if ran[line]++; ran[line] > 1 {
			t.Errorf("command %s ran twice", line)
		}
	}
	results := map[protocol.CommandID]protocol.CommandResult{}
	events := map[string]bool{}
	statuses := map[uint64]protocol.StackStatus{}
	revs := map[uint64]protocol.StackStatus{}
	boots := map[string]bool{}
	for _, line := range o.lines(t, "hub") {
		kind, body, _ := strings.Cut(line, " ")
		switch kind {
		case "boot":
			if boots[body] {
				t.Errorf("boot %s happened twice", body)
			}
			boots[body] = true
		case "event":
			events[parse[protocol.DeviceEvent](t, body).Kind] = true
		case "result":
			r := parse[protocol.CommandResult](t, body)
			if old, ok := results[r.ID]; ok && old != r {
				t.Errorf("command %d has two results: %+v and %+v", r.ID, old, r)
			}
			results[r.ID] = r
		case "status":
			st := parse[protocol.StackStatus](t, body)
			if old, ok := revs[st.Rev]; ok && old != st {
				t.Errorf("revision %d was given twice: %+v and %+v", st.Rev, old, st)
			}
			revs[st.Rev] = st
			if st.Rev > statuses[st.Stack].Rev {
				statuses[st.Stack] = st
			}
		}
	}
	interrupted := 0
	for step := uint64(1); step <= crashSteps; step++ {
		if !events[fmt.Sprintf("step-%d", step)] {
			t.Errorf("the event of step %d was lost", step)
		}
		for id := step * 10; id < step*10+3; id++ {
			switch r := results[protocol.CommandID(id)]; r.State {
			case protocol.CommandDone:
				if ran[fmt.Sprint(id)] == 0 {
					t.Errorf("command %d is said to be done, but was not", id)
				}
			case protocol.CommandInterrupted:
				interrupted++
			default:
				t.Errorf("command %d ended as %s", id, r.State)
			}
		}
	}
	t.Logf("%d commands were interrupted", interrupted)
	var want []string
	for _, e := range crashDesired(crashSteps) {
		want = append(want, e.Name)
		if st := statuses[e.ID]; st.State != protocol.StackRunning || st.Version != e.Version {
			t.Errorf("the hub believes of stack %d: %+v", e.ID, st)
		}
		b, err := os.ReadFile(filepath.Join(o.dir, "engine", e.Name))
		if err != nil || string(b) != string(crashFile(e.ID, e.Version)) {
			t.Errorf("on the engine stack %d is %q: %v", e.ID, b, err)
		}
	}
	have, err := os.ReadDir(filepath.Join(o.dir, "engine"))
	if err != nil {
		t.Fatal(err)
	}
	if len(have) != len(want) {
		t.Errorf("on the engine are %v, want %q", have, want)
	}
	blobs, err := filepath.Glob(filepath.Join(o.dir, "agent", "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(blobs) > 2*len(want) { // the version before is kept, so that somebody at the device can go back to it
		t.Errorf("%d blobs are left, want at most two for each of %d stacks: %q", len(blobs), len(want), slices.Sorted(slices.Values(blobs)))
	}
}

func parse[T any](t *testing.T, body string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return v
}
