package commands_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/commands"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// fake is an engine and its stacks: it notes what is asked of it. Targets tell how it behaves: "absent" is not there,
// "slow" takes an hour.
type fake struct {
	mu    sync.Mutex
	calls []string
}

func (f *fake) do(ctx context.Context, format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	if strings.Contains(call, "absent") {
		return fmt.Errorf("container \"absent\": %w: look at the snapshot for what is there", snapshot.ErrNoSuch)
	}
	took := time.Second
	if strings.Contains(call, "slow") || strings.Contains(call, "redeploy 99") {
		took = time.Hour
	}
	select {
	case <-time.After(took):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fake) ContainerStart(ctx context.Context, t string) error { return f.do(ctx, "start %s", t) }

func (f *fake) ContainerStop(ctx context.Context, t string, d time.Duration) error {
	return f.do(ctx, "stop %s %s", t, d)
}

func (f *fake) ContainerRestart(ctx context.Context, t string, d time.Duration) error {
	return f.do(ctx, "restart %s %s", t, d)
}

func (f *fake) ContainerKill(ctx context.Context, t, s string) error {
	return f.do(ctx, "kill %s %s", t, s)
}

func (f *fake) ContainerRemove(ctx context.Context, t string, force snapshot.Force) error {
	return f.do(ctx, "remove %s %v", t, force)
}

func (f *fake) ContainerLogs(ctx context.Context, t string, tail, limit int) ([]byte, uint64, error) {
	return []byte("one\ntwo\n"), 5, f.do(ctx, "logs %s %d %d", t, tail, limit)
}

func (f *fake) ImageRemove(ctx context.Context, t string, force snapshot.Force) error {
	return f.do(ctx, "image %s %v", t, force)
}

func (f *fake) VolumeRemove(ctx context.Context, t string, force snapshot.Force) error {
	return f.do(ctx, "volume %s %v", t, force)
}

func (f *fake) Redeploy(ctx context.Context, id uint64) error { return f.do(ctx, "redeploy %d", id) }
func (f *fake) Stopped(t string)                              { f.note("stopped " + t) }
func (f *fake) Started(t string)                              { f.note("started " + t) }
func (f *fake) Snapshot(ctx context.Context) error            { return f.do(ctx, "snapshot") }

func (f *fake) note(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
}

func (f *fake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

type rig struct {
	*fake
	t     *testing.T
	store *state.Store
	run   *commands.Runner
	stop  func()
	known atomic.Bool
	seq   uint64

	jobs    commands.Jobs
	changed chan struct{} // not nil: only urgent commands are started
}

// hold lets only urgent commands be started, free all of them.
func (r *rig) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = make(chan struct{})
}

func (r *rig) free() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = nil
}

func (r *rig) holds() (bool, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed != nil, r.changed
}

// device runs a test in virtual time, with a runner that knows the hub's time.
func device(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{fake: &fake{}, t: t, store: state.NewMemory(1)}
		r.known.Store(true)
		r.boot(r.store)
		test(r)
		r.stop()
	})
}

func (r *rig) boot(j commands.Journal) {
	r.run = commands.New(commands.Config{
		Journal: j, Engine: r.fake, Stacks: r.fake, Snapshot: r.Snapshot,
		HubTime: func() (time.Time, bool) { return time.Now(), r.known.Load() },
		Holds:   r.holds, Jobs: r.jobs,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.run.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	r.stop = func() { cancel(); <-done }
}

// give orders commands that are good for a day; ids follow their place.
func (r *rig) give(list ...protocol.Command) {
	for i := range list {
		list[i].ID = protocol.CommandID(i + 1)
		if list[i].NotAfter == 0 {
			list[i].NotAfter = time.Now().Add(24 * time.Hour).Unix()
		}
	}
	r.seq++
	if err := r.store.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Seq: r.seq}, Commands: list}); err != nil {
		r.t.Fatal(err)
	}
	r.run.Wake()
}

func (r *rig) results() map[protocol.CommandID]protocol.CommandResult {
	out := map[protocol.CommandID]protocol.CommandResult{}
	for _, it := range r.store.Outbox(1 << 30) {
		if it.Kind != protocol.KindResult {
			continue
		}
		var res protocol.CommandResult
		if err := protocol.Unmarshal(it.Body, &res); err != nil {
			r.t.Fatal(err)
		}
		if _, twice := out[res.ID]; twice {
			r.t.Errorf("command %d has two results", res.ID)
		}
		out[res.ID] = res
	}
	return out
}

func (r *rig) expectCalls(want ...string) {
	r.t.Helper()
	if got := r.take(); !slices.Equal(got, want) {
		r.t.Errorf("done were:\n%q, want\n%q", got, want)
	}
}

func (r *rig) expectStates(want ...protocol.CommandState) {
	r.t.Helper()
	res := r.results()
	for i, w := range want {
		if got := res[protocol.CommandID(i+1)].State; got != w {
			r.t.Errorf("command %d is %s, want %s", i+1, got, w)
		}
	}
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestEveryCommandDoesWhatItSays(t *testing.T) {
	device(t, func(r *rig) {
		r.give(
			protocol.Command{Kind: protocol.CommandContainerStart, Target: "web"},
			protocol.Command{Kind: protocol.CommandContainerStop, Target: "web", Timeout: 3},
			protocol.Command{Kind: protocol.CommandContainerRestart, Target: "web"},
			protocol.Command{Kind: protocol.CommandContainerKill, Target: "web"},
			protocol.Command{Kind: protocol.CommandContainerKill, Target: "web", Signal: "SIGHUP"},
			protocol.Command{Kind: protocol.CommandContainerRemove, Target: "web", Force: true},
			protocol.Command{Kind: protocol.CommandContainerLogs, Target: "web"},
			protocol.Command{Kind: protocol.CommandContainerLogs, Target: "web", Tail: 1 << 30},
			protocol.Command{Kind: protocol.CommandImageRemove, Target: "img"},
			protocol.Command{Kind: protocol.CommandVolumeRemove, Target: "vol"},
			protocol.Command{Kind: protocol.CommandSnapshot},
			protocol.Command{Kind: protocol.CommandContainerStart, Target: "absent"},
		)
		pass(time.Minute)
		r.expectCalls("start web", "started web", "stop web 3s", "stopped web", "restart web 0s", "started web",
			"kill web SIGKILL", "stopped web", "kill web SIGHUP", "remove web true", "logs web 100 262144",
			"logs web 10000 262144", "image img false", "volume vol false", "snapshot", "start absent")
		const done = protocol.CommandDone
		r.expectStates(done, done, done, done, done, done, done, done, done, done, done, protocol.CommandFailed)
		res := r.results()
		if logs := res[7]; logs.OutputSize != 8 || logs.OutputDropped != 5 || logs.Ended-logs.Started != 1000 {
			t.Errorf("result of the logs: %+v", logs)
		}
		if text := res[12].Text; !strings.Contains(text, "absent") {
			t.Errorf("the failure says %q", text)
		}
	})
}

func TestCommandsThatAreNotRun(t *testing.T) {
	device(t, func(r *rig) {
		r.give(
			protocol.Command{Kind: protocol.CommandContainerStart, Target: "web", NotAfter: time.Now().Unix() - 1},
			protocol.Command{Kind: 99, Target: "web"},
			protocol.Command{Kind: protocol.CommandContainerStop},
			protocol.Command{Kind: protocol.CommandStackRedeploy, Target: "web"},
			protocol.Command{Kind: protocol.CommandContainerKill, Target: "web", Signal: "; reboot"},
		)
		pass(time.Minute)
		r.expectCalls()
		const refused = protocol.CommandRefused
		r.expectStates(protocol.CommandExpired, refused, refused, refused, refused)
		for id, res := range r.results() {
			if id > 1 && res.Text == "" || res.Started != 0 {
				t.Errorf("result %+v: want a sentence, and no start", res)
			}
		}
	})
}

func TestNothingIsRunWhileTheHubsTimeIsNotKnown(t *testing.T) {
	device(t, func(r *rig) {
		r.known.Store(false)
		r.give(protocol.Command{Kind: protocol.CommandSnapshot}, protocol.Command{Kind: protocol.CommandSnapshot, NotAfter: time.Now().Add(time.Hour).Unix()})
		pass(2 * time.Hour)
		r.expectCalls()
		r.known.Store(true)
		r.run.Wake()
		pass(time.Minute)
		r.expectCalls("snapshot")
		r.expectStates(protocol.CommandDone, protocol.CommandExpired)
	})
}

func TestUrgentFirstAndRedeploysHoldUpNobody(t *testing.T) {
	device(t, func(r *rig) {
		r.give(
			protocol.Command{Kind: protocol.CommandStackRedeploy, Target: "99"},
			protocol.Command{Kind: protocol.CommandContainerStop, Target: "a"},
			protocol.Command{Kind: protocol.CommandContainerStart, Target: "b", Urgent: true},
		)
		pass(time.Minute)
		calls := slices.DeleteFunc(r.take(), func(c string) bool { return strings.HasPrefix(c, "redeploy") })
		if want := []string{"start b", "started b", "stop a 0s", "stopped a"}; !slices.Equal(calls, want) {
			t.Errorf("done were %q, want %q", calls, want)
		}
		r.expectStates(0, protocol.CommandDone, protocol.CommandDone)
		pass(time.Hour)
		r.expectStates(protocol.CommandDone)
	})
}

// Near the hard cap only urgent commands are started. The others wait in the journal, which the hub is told, until they
// may go on or expire.
func TestOnlyUrgentCommandsNearTheCap(t *testing.T) {
	device(t, func(r *rig) {
		r.hold()
		r.give(
			protocol.Command{Kind: protocol.CommandContainerStop, Target: "a"},
			protocol.Command{Kind: protocol.CommandContainerStart, Target: "b", Urgent: true},
			protocol.Command{Kind: protocol.CommandStackRedeploy, Target: "7"},
			protocol.Command{Kind: protocol.CommandContainerStop, Target: "c", NotAfter: time.Now().Add(time.Hour).Unix()},
		)
		pass(time.Minute)
		const waiting, done = protocol.CommandWaiting, protocol.CommandDone
		r.expectCalls("start b", "started b")
		r.expectStates(waiting, done, waiting, waiting)
		if code := r.results()[1].Code; code != protocol.WaitsForBudget {
			t.Errorf("it waits for %q", code)
		}
		pass(time.Hour)
		r.expectCalls()
		r.expectStates(waiting, done, waiting, protocol.CommandExpired)
		r.stop() // what waits is in the journal
		r.boot(r.store)
		pass(time.Hour)
		r.expectCalls()
		r.free()
		pass(time.Minute)
		calls := r.take()
		slices.Sort(calls)
		if want := []string{"redeploy 7", "stop a 0s", "stopped a"}; !slices.Equal(calls, want) {
			t.Errorf("done were %q, want %q", calls, want)
		}
		r.expectStates(done, done, done, protocol.CommandExpired)
	})
}

func TestStopOfTheAgentInterrupts(t *testing.T) {
	device(t, func(r *rig) {
		r.give(protocol.Command{Kind: protocol.CommandContainerStop, Target: "slow", Timeout: 7200}, protocol.Command{Kind: protocol.CommandSnapshot})
		pass(time.Minute)
		r.stop()
		r.expectStates(protocol.CommandInterrupted, 0)
		r.boot(r.store)
		pass(time.Minute)
		r.expectCalls("stop slow 2h0m0s", "snapshot")
	})
}

func TestCommandThatTakesTooLongIsGivenUp(t *testing.T) {
	device(t, func(r *rig) {
		r.give(protocol.Command{Kind: protocol.CommandVolumeRemove, Target: "slow"}, protocol.Command{Kind: protocol.CommandSnapshot})
		pass(10 * time.Minute)
		r.expectStates(protocol.CommandInterrupted, protocol.CommandDone)
	})
}

// fullJournal fails a number of times.
type fullJournal struct {
	*state.Store
	starts, finishes int
}

func (f *fullJournal) StartCommand(id protocol.CommandID) error {
	if f.starts--; f.starts >= 0 {
		return errors.New("disk is full")
	}
	return f.Store.StartCommand(id)
}

func (f *fullJournal) FinishCommand(r protocol.CommandResult, out []byte) error {
	if f.finishes--; f.finishes >= 0 {
		return errors.New("disk is full")
	}
	return f.Store.FinishCommand(r, out)
}

func TestFullDiskDelaysButLosesNothing(t *testing.T) {
	device(t, func(r *rig) {
		r.stop()
		r.boot(&fullJournal{Store: r.store, starts: 3, finishes: 3})
		r.give(protocol.Command{Kind: protocol.CommandSnapshot})
		pass(15 * time.Second)
		r.expectCalls() // what cannot be journaled is not done
		pass(time.Hour)
		r.expectCalls("snapshot")
		r.expectStates(protocol.CommandDone)
	})
}
