package runner_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

// at starts a device with one job in a bubble.
func at(t *testing.T, name string, spec protocol.Job, do func(g *rig)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, job(1, spec))
			g.start()
			do(g)
			g.stop()
		})
	})
}

// ask asks for a run of job 1.
func (g *rig) ask(command protocol.CommandID) (uint64, error) {
	id, err := g.r.RunNow(1, command)
	synctest.Wait()
	return id, err
}

func TestRunNow(t *testing.T) {
	manual := protocol.Job{}
	at(t, "a job without a schedule", manual, func(g *rig) {
		if id, err := g.ask(7); id != 1 || err != nil {
			g.t.Errorf("run %d, %v", id, err)
		}
		g.want("done")
		if r := g.disk.told()[0]; r.Command != 7 {
			g.t.Errorf("asked for by command %d", r.Command)
		}
	})
	at(t, "a command that comes again makes no second run", manual, func(g *rig) {
		first, _ := g.ask(7)
		second, err := g.ask(7)
		if first != second || err != nil {
			g.t.Errorf("runs %d and %d, %v", first, second, err)
		}
		g.want("done")
	})
	at(t, "a job that is not there", manual, func(g *rig) {
		if _, err := g.r.RunNow(2, 7); !errors.Is(err, runner.ErrUnknown) {
			g.t.Error(err)
		}
	})
	at(t, "skip: refused while another is under way", manual, func(g *rig) {
		g.with(func() { g.hands.takes = time.Minute })
		_, _ = g.ask(7)
		if _, err := g.ask(8); !errors.Is(err, runner.ErrBusy) {
			g.t.Error(err)
		}
		time.Sleep(2 * time.Minute)
		g.want("done")
	})
	at(t, "queue: each in its turn, up to a bound", protocol.Job{Overlap: protocol.OverlapQueue}, func(g *rig) {
		g.with(func() { g.hands.takes = time.Minute })
		for n := range runner.MaxQueued + 1 {
			if _, err := g.ask(protocol.CommandID(n + 1)); err != nil {
				g.t.Error(err)
			}
		}
		if _, err := g.ask(99); !errors.Is(err, runner.ErrBusy) {
			g.t.Error(err)
		}
		time.Sleep(20 * time.Minute)
		if n := len(g.began()); n != runner.MaxQueued+1 {
			g.t.Errorf("%d runs", n)
		}
	})
	at(t, "kill", protocol.Job{Overlap: protocol.OverlapKill}, func(g *rig) {
		g.with(func() { g.hands.takes = time.Minute })
		_, _ = g.ask(7)
		_, _ = g.ask(8)
		time.Sleep(2 * time.Minute)
		g.want("cancelled", "done")
	})
	at(t, "kill: where it cannot be journaled nothing is killed", protocol.Job{Overlap: protocol.OverlapKill}, func(g *rig) {
		g.with(func() { g.hands.takes = time.Minute })
		_, _ = g.ask(7)
		g.with(func() { g.disk.off = true })
		if _, err := g.ask(8); err == nil {
			g.t.Error("it is said to run")
		}
		g.with(func() { g.disk.off = false })
		time.Sleep(2 * time.Minute)
		g.want("done")
	})
}

func TestCancel(t *testing.T) {
	queue := protocol.Job{Overlap: protocol.OverlapQueue, Retries: 1, RetryDelay: 600}
	cancel := func(g *rig, id uint64, want protocol.JobState) {
		g.t.Helper()
		state, err := g.r.Cancel(id)
		if err != nil || state != want {
			g.t.Errorf("%v, %v; want %v", state, err, want)
		}
		synctest.Wait()
	}
	at(t, "under way, and one that waits", queue, func(g *rig) {
		g.with(func() { g.hands.takes = time.Minute })
		_, _ = g.ask(7)
		_, _ = g.ask(8)
		_, _ = g.ask(9)
		cancel(g, 2, protocol.JobCancelled)
		cancel(g, 1, protocol.JobCancelled)
		time.Sleep(2 * time.Minute)
		g.want("cancelled", "cancelled", "done")
	})
	at(t, "between two attempts", queue, func(g *rig) {
		g.with(func() { g.hands.do = func(runner.Attempt) (runner.Exit, error) { return runner.Exit{Code: 1}, nil } })
		_, _ = g.ask(7)
		time.Sleep(time.Minute)
		cancel(g, 1, protocol.JobCancelled)
		g.want("cancelled")
		if n := len(g.began()); n != 1 {
			g.t.Errorf("%d attempts", n)
		}
	})
	at(t, "one that is over stays so", queue, func(g *rig) {
		_, _ = g.ask(7)
		cancel(g, 1, protocol.JobDone)
		g.want("done")
	})
	at(t, "all that there is of a job", queue, func(g *rig) {
		g.with(func() { g.hands.takes = time.Hour })
		for command := range protocol.CommandID(3) {
			_, _ = g.ask(command + 1)
		}
		for _, want := range []int{3, 0} {
			if n, err := g.r.CancelAll(1); n != want || err != nil {
				g.t.Errorf("%d were cancelled, %v; want %d", n, err, want)
			}
			time.Sleep(time.Minute)
		}
		g.want("cancelled", "cancelled", "cancelled")
		if _, err := g.r.CancelAll(41); !errors.Is(err, runner.ErrUnknown) {
			g.t.Errorf("a job that is not there: %v", err)
		}
	})
	at(t, "one that is not known", queue, func(g *rig) {
		if _, err := g.r.Cancel(41); !errors.Is(err, runner.ErrUnknown) {
			g.t.Error(err)
		}
	})
}

func TestOutputPolicies(t *testing.T) {
	fails := func(runner.Attempt) (runner.Exit, error) { return runner.Exit{Code: 2}, nil }
	for _, c := range []struct {
		policy protocol.JobOutputPolicy
		do     func(runner.Attempt) (runner.Exit, error)
		comes  bool
		asked  uint64 // that is there for who asks
	}{
		{protocol.OutputOnFailure, nil, false, 16},
		{protocol.OutputOnFailure, fails, true, 16},
		{protocol.OutputAlways, nil, true, 16},
		{protocol.OutputOnRequest, fails, false, 16},
		{protocol.OutputNever, fails, false, 0},
	} {
		at(t, fmt.Sprint(c.policy, c.do != nil), protocol.Job{Output: c.policy}, func(g *rig) {
			g.with(func() { g.hands.do = c.do })
			_, _ = g.ask(7)
			if (len(g.disk.output) > 0) != c.comes {
				g.t.Errorf("%d pieces of output", len(g.disk.output))
			}
			if s := g.disk.told()[0].Stdout; s != nil && (s.Follow > 0) != c.comes {
				g.t.Errorf("it says that %d bytes follow", s.Follow)
			}
			if n, err := g.r.Output(protocol.JobAsk{Run: 1}); n != c.asked || err != nil {
				g.t.Errorf("%d bytes for who asks, %v", n, err)
			}
		})
	}
	at(t, "the end of it, up to the cap", protocol.Job{Output: protocol.OutputAlways, OutputCap: 10_000}, func(g *rig) {
		g.hands.do = func(a runner.Attempt) (runner.Exit, error) {
			fmt.Fprint(a.Stderr, strings.Repeat("x", 30_000), "END")
			return runner.Exit{}, nil
		}
		_, _ = g.ask(7)
		var got []byte
		for _, p := range g.disk.output {
			if p.Stream == protocol.StreamStderr {
				if len(p.Data) > protocol.MaxJobOutputPiece || p.Offset != 20_003+uint64(len(got)) {
					g.t.Errorf("%d bytes at %d", len(p.Data), p.Offset)
				}
				got = append(got, p.Data...)
			}
		}
		if len(got) != 10_000 || !strings.HasSuffix(string(got), "END") {
			g.t.Errorf("%d bytes came", len(got))
		}
	})
}

func TestSchedulesThatChange(t *testing.T) {
	version := func(v uint64, spec protocol.Job) protocol.Entry {
		e := job(1, spec)
		e.Version = v
		return e
	}
	at(t, "a change applies from the next run, and nothing runs twice", every5(protocol.Job{}), func(g *rig) {
		g.with(func() { g.hands.takes = time.Minute })
		time.Sleep(5*time.Minute + 10*time.Second)
		g.put(version(2, every5(protocol.Job{})))
		time.Sleep(5 * time.Minute)
		g.put(version(3, every5(protocol.Job{Retries: 1})))
		time.Sleep(2 * time.Minute)
		var got []string
		for _, r := range g.disk.told() {
			got = append(got, fmt.Sprint(r.Version, " at ", time.Unix(r.Due, 0).UTC().Format("15:04")))
		}
		if want := "[1 at 00:05 2 at 00:10]"; fmt.Sprint(got) != want {
			g.t.Errorf("%v, want %s", got, want)
		}
	})
	at(t, "what was due by the earlier schedule while the device was off is missed", every5(protocol.Job{}), func(g *rig) {
		g.cut()
		time.Sleep(12 * time.Minute)
		g.with(func() {
			g.disk.desired = []protocol.Entry{version(2, protocol.Job{Schedule: protocol.JobSchedule{Cron: "0 * * * *", Zone: "UTC"}})}
		})
		g.start()
		time.Sleep(50 * time.Minute)
		g.want("missed x2", "done")
	})
	at(t, "at once, which is changed after it ran, does not run again", protocol.Job{Schedule: protocol.JobSchedule{At: 1}, Missed: 1}, func(g *rig) {
		g.put(version(2, protocol.Job{Schedule: protocol.JobSchedule{At: 1, Jitter: 3600}, Missed: 1, Retries: 3}))
		time.Sleep(2 * time.Hour)
		g.want("done")
		g.put(version(3, protocol.Job{Schedule: protocol.JobSchedule{At: 2}, Missed: 1}))
		g.want("done", "done")
	})
	at(t, "once, and its end is over when it comes", protocol.Job{Schedule: protocol.JobSchedule{At: 1, End: 900}, Missed: 1}, func(g *rig) {
		g.want("missed")
	})
	at(t, "start and end", protocol.Job{Schedule: protocol.JobSchedule{
		Cron: "*/5 * * * *", Zone: "UTC",
		Start: time.Date(2000, 1, 1, 0, 10, 0, 0, time.UTC).Unix(), End: time.Date(2000, 1, 1, 0, 20, 0, 0, time.UTC).Unix(),
	}}, func(g *rig) {
		time.Sleep(time.Hour)
		g.want("done", "done", "done")
	})
	at(t, "a bad schedule is told once, and a good one follows", protocol.Job{Schedule: protocol.JobSchedule{Cron: "61 * * * *", Zone: "UTC"}}, func(g *rig) {
		g.cut()
		g.start()
		time.Sleep(time.Hour)
		g.want("refused")
		if text := g.disk.told()[0].Text; !strings.Contains(text, "minute") {
			g.t.Error(text)
		}
		g.put(version(2, every5(protocol.Job{})))
		time.Sleep(6 * time.Minute)
		g.want("refused", "done")
	})
	at(t, "a removed job tells of what waited", every5(protocol.Job{Overlap: protocol.OverlapQueue}), func(g *rig) {
		g.with(func() { g.hands.takes = time.Hour })
		time.Sleep(11 * time.Minute)
		g.put()
		g.want("cancelled", "cancelled")
		if len(g.disk.runs) > 0 || len(g.disk.cursors) > 0 {
			g.t.Errorf("left: %v %v", g.disk.runs, g.disk.cursors)
		}
	})
	at(t, "what cannot be journaled does not run", every5(protocol.Job{Missed: 1}), func(g *rig) {
		time.Sleep(4 * time.Minute)
		g.with(func() { g.disk.off = true })
		time.Sleep(10 * time.Minute)
		if len(g.began()) > 0 {
			g.t.Errorf("runs %v", g.began())
		}
		g.with(func() { g.disk.off = false })
		time.Sleep(20 * time.Second)
		g.want("missed", "done")
	})
	at(t, "what comes while nothing can be journaled begins when it can", protocol.Job{}, func(g *rig) {
		g.with(func() { g.disk.off = true })
		e := job(2, every5(protocol.Job{}))
		g.put(e)
		time.Sleep(7 * time.Minute)
		g.with(func() { g.disk.off = false })
		time.Sleep(5 * time.Minute)
		g.want("done")
	})
}

func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		for id := range uint64(runner.MaxRunning + 5) {
			g.with(func() { g.disk.desired = append(g.disk.desired, job(id+1, every5(protocol.Job{}))) })
		}
		g.with(func() { g.hands.takes = time.Minute })
		g.start()
		time.Sleep(5*time.Minute + 30*time.Second)
		if n := len(g.began()); n != runner.MaxRunning {
			t.Errorf("%d at once", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(g.disk.told()); n != runner.MaxRunning+5 {
			t.Errorf("%d ran", n)
		}
		g.stop()
	})
}

func TestClocks(t *testing.T) {
	minutely := protocol.Job{Schedule: protocol.JobSchedule{Cron: "* * * * *", Zone: "UTC"}}
	for _, vouched := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var off time.Duration
			g := newRig(t, job(1, minutely))
			g.clock = func() (time.Time, bool) { return time.Now().Round(0).Add(off), vouched }
			g.start()
			time.Sleep(90*time.Minute + 30*time.Second)
			g.with(func() { off = -time.Hour })
			time.Sleep(90 * time.Minute)
			ran := map[int64]bool{}
			for _, r := range g.disk.told() {
				if r.State != protocol.JobDone || ran[r.Due] {
					t.Errorf("run %d of %v: %s", r.ID, time.Unix(r.Due, 0), r.State)
				}
				ran[r.Due] = true
			}
			if len(ran) != 120 {
				t.Errorf("a clock that is set back an hour, vouched %v: %d runs in 120 minutes of it", vouched, len(ran))
			}
			g.stop()
		})
	}
	synctest.Test(t, func(t *testing.T) { // a year forward and back, without contact
		var off time.Duration
		g := newRig(t, job(1, every5(protocol.Job{})))
		g.clock = func() (time.Time, bool) { return time.Now().Round(0).Add(off), false }
		g.start()
		time.Sleep(12 * time.Minute)
		g.with(func() { off = 365 * 24 * time.Hour })
		time.Sleep(10 * time.Minute)
		g.with(func() { off = 0 })
		time.Sleep(time.Hour)
		done := 0
		for _, r := range g.disk.told() {
			if r.State == protocol.JobDone {
				done++
			}
		}
		if done != 16 {
			t.Errorf("%d runs in 82 minutes, want 16", done)
		}
		g.stop()
	})
	synctest.Test(t, func(t *testing.T) { // a power cut resets the clock to 1970, and contact comes later
		reset := false
		var boot time.Time
		g := newRig(t, job(1, every5(protocol.Job{})))
		g.clock = func() (time.Time, bool) {
			if reset {
				return time.Unix(0, 0).Add(time.Since(boot)), false
			}
			return time.Now().Round(0), true
		}
		g.start()
		time.Sleep(11 * time.Minute)
		g.cut()
		time.Sleep(time.Hour)
		g.with(func() { reset, boot = true, time.Now() })
		g.start()
		time.Sleep(11 * time.Minute) // time goes on from 00:10
		g.want("done", "done", "done", "done")
		if r := g.disk.told()[3]; !r.Clock {
			t.Errorf("run by its own clock does not say so: %+v", r)
		}
		g.with(func() { reset = false })
		g.r.Wake()
		synctest.Wait()
		g.want("done", "done", "done", "done", "missed x12")
		time.Sleep(4 * time.Minute)
		g.want("done", "done", "done", "done", "missed x12", "done")
		g.stop()
	})
}
