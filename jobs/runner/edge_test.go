package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

// lostDisk is the state of a device that lost its journal.
type lostDisk struct {
	*disk
	lost int64
}

func (d lostDisk) Jobs() runner.Book {
	book := d.disk.Jobs()
	book.Lost = d.lost
	return book
}

// under starts a runner on other terms than the rig's.
func (g *rig) under(state runner.State, enter func() (func(), bool)) {
	r := runner.New(runner.Config{
		State: state, Device: device, Host: g.hands, Container: g.hands, Outputs: &runner.Memory{}, Enter: enter,
		Now: g.now, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(g.t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	g.stop = func() {
		cancel()
		if err := <-done; err != nil {
			g.t.Error(err)
		}
	}
}

// What was to run once, and may have run before the journal was lost, does not run again; what came later does.
func TestLostJournalRunsNothingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Unix()
		g := newRig(t, job(1, protocol.Job{Schedule: protocol.JobSchedule{At: at}, Missed: 1}), job(2, protocol.Job{Schedule: protocol.JobSchedule{At: at + 120}, Missed: 1}))
		time.Sleep(time.Minute)
		for range 2 {
			g.under(lostDisk{g.disk, at + 30}, nil)
			time.Sleep(3 * time.Minute)
			g.stop()
		}
		g.want("interrupted", "done")
		if n := len(g.began()); n != 1 {
			t.Errorf("%d runs were begun", n)
		}
	})
}

// Where the agent is about to stop no run begins; those that are due wait for the next agent, and run once.
func TestNothingBeginsBeforeAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, job(1, every5(protocol.Job{})))
		var inside atomic.Int32
		var open atomic.Bool
		open.Store(true)
		enter := func() (func(), bool) {
			if !open.Load() {
				return nil, false
			}
			inside.Add(1)
			return func() { inside.Add(-1) }, true
		}
		g.with(func() { g.hands.takes = time.Minute })
		g.under(g.disk, enter)
		time.Sleep(5*time.Minute + 10*time.Second)
		if inside.Load() != 1 {
			t.Error("a run that is under way is not known to be")
		}
		time.Sleep(time.Minute)
		if inside.Load() != 0 {
			t.Error("a run that is over is thought to be under way")
		}
		open.Store(false)
		time.Sleep(5 * time.Minute)
		g.stop()
		if n := len(g.began()); n != 1 {
			t.Errorf("%d runs were begun", n)
		}
		g.start()
		time.Sleep(2 * time.Minute)
		g.stop()
		g.want("done", "done")
		if fmt.Sprint(g.began()) != "[1 2]" {
			t.Errorf("begun were %v", g.began())
		}
	})
}
