package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

var zones = []string{"Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Santiago"}

// fuse is a disk with a power that goes while something is being written, once it is armed.
type fuse struct {
	*disk
	arm     sync.Mutex
	left    int // changes until then; 0: it is not armed
	written bool
	blown   chan cut
}

func (f *fuse) set(left int, written bool) {
	f.arm.Lock()
	defer f.arm.Unlock()
	f.left, f.written = left, written
}

func (f *fuse) switchOff() {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.off = true
}

func (f *fuse) PutJobs(c runner.Change) error {
	f.arm.Lock()
	defer f.arm.Unlock()
	if f.left == 0 {
		return f.disk.PutJobs(c)
	}
	if f.left--; f.left > 0 {
		return f.disk.PutJobs(c)
	}
	gone := cut{at: time.Now(), phase: "end", written: f.written}
	switch {
	case len(c.Cursors) > 0:
		gone.phase = "account"
	case c.Runs[0].Stage == runner.Started:
		gone.phase = "start"
	}
	var err error
	if f.written {
		err = f.disk.PutJobs(c)
	}
	f.switchOff()
	f.blown <- gone
	if !f.written {
		return errPower
	}
	return err
}

// boat is a device that lives through a year.
type boat struct {
	t     *testing.T
	id    protocol.DeviceID
	rng   *rand.Rand
	disk  *fuse
	job   protocol.Entry
	every time.Duration
	seed  uint64
	began map[uint64]bool
	lives []life
}

// takes says how long the run of a due time takes, and how it ends.
func (b *boat) takes(due int64) (time.Duration, protocol.JobState) {
	rng := rand.New(rand.NewPCG(b.seed, uint64(due)))
	d := time.Duration(rng.Int64N(int64(4 * time.Minute)))
	if rng.IntN(16) == 0 {
		d = time.Duration(rng.Int64N(int64(4 * b.every)))
	}
	state := protocol.JobDone
	if rng.IntN(9) == 0 {
		state = protocol.JobFailed
	}
	return d.Truncate(time.Microsecond) + 7, state // never at a full second
}

// Run implements runner.Executor.
func (b *boat) Run(ctx context.Context, a runner.Attempt) (runner.Exit, error) {
	b.disk.mu.Lock()
	journaled := b.disk.runs[a.Run]
	off, again := b.disk.off, b.began[a.Run]
	b.began[a.Run] = true
	b.disk.mu.Unlock()
	switch {
	case off: // it leaves no trace
	case journaled.Stage != runner.Started:
		b.t.Errorf("%s: run %d began, and the journal says %v", b.id, a.Run, journaled.Stage)
	case again:
		b.t.Errorf("%s: run %d began twice", b.id, a.Run)
	}
	takes, state := b.takes(journaled.Due)
	select {
	case <-ctx.Done():
		return runner.Exit{Signal: "SIGTERM"}, ctx.Err()
	case <-time.After(takes):
	}
	if state == protocol.JobFailed {
		return runner.Exit{Code: 3}, nil
	}
	return runner.Exit{}, nil
}

// Clear implements runner.Executor.
func (b *boat) Clear(context.Context, uint64) error { return nil }

// sail goes through the year, with power cuts.
func (b *boat) sail(end time.Time) {
	for first := true; time.Now().Before(end); first = false {
		r := runner.New(runner.Config{
			State: b.disk, Device: b.id, Host: b, Container: b, Outputs: &runner.Memory{}, Look: 1000 * 24 * time.Hour,
			Now: func() (time.Time, bool) { return time.Now().Round(0), true }, Log: slog.New(slog.DiscardHandler),
		})
		if !first && b.rng.IntN(2) == 0 {
			b.disk.set(1+b.rng.IntN(60), b.rng.IntN(2) == 0)
		}
		on := time.Duration(b.rng.Int64N(int64(40*24*time.Hour)))/1000*1000 + 13
		boot := time.Now()
		ctx, cancel := context.WithCancel(b.t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		var gone cut
		select {
		case gone = <-b.disk.blown:
		case <-time.After(min(on, end.Sub(boot))):
			b.disk.set(0, false)
			b.disk.switchOff()
			gone.at = time.Now()
		}
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
		b.lives = append(b.lives, life{boot, gone})
		b.disk.mu.Lock()
		b.disk.off = false
		b.disk.mu.Unlock()
		off := []time.Duration{time.Second, time.Minute, 3 * time.Hour, 10 * 24 * time.Hour}[b.rng.IntN(4)]
		time.Sleep(time.Duration(b.rng.Int64N(int64(off)))/1000*1000 + 29)
	}
}

// accounts is what the device told of each due time.
func (b *boat) accounts(t *testing.T, dues []int64) map[int64]string {
	t.Helper()
	out := map[int64]string{}
	account := func(due int64, word string) {
		if have := out[due]; have != "" {
			t.Errorf("%s: what was due at %v is accounted for twice: %s, %s", b.id, time.Unix(due, 0).UTC(), have, word)
		}
		out[due] = word
	}
	for _, run := range b.disk.told() {
		if run.Count == 0 {
			account(run.Due, run.State.String())
			continue
		}
		from, ok := slices.BinarySearch(dues, run.Due)
		to, ok2 := slices.BinarySearch(dues, run.Until)
		if !ok || !ok2 || uint64(to-from+1) != run.Count {
			t.Errorf("%s: run %d stands for %d due times from %v to %v", b.id, run.ID, run.Count, time.Unix(run.Due, 0), time.Unix(run.Until, 0))
			continue
		}
		for _, due := range dues[from : to+1] {
			account(due, run.State.String())
		}
	}
	for _, run := range b.disk.runs {
		if run.Stage != runner.Over {
			account(run.Due, "waiting")
		}
	}
	return out
}

// Devices live through a year of schedules in four zones, with changes of clocks, and with power cuts at any moment, also
// before and after each change of the journal. Each due time is accounted for once, as the naive model says.
func TestYear(t *testing.T) { year(t, 40) }

func year(t *testing.T, devices int) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when bubbles begin
	end := start.Add(366 * 24 * time.Hour)
	type key struct{ schedule, zone int }
	dues := map[key][]time.Time{}
	for s := range schedules {
		for z, name := range zones {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			dues[key{s, z}] = schedules[s].walk(zone, start.Add(-24*time.Hour), end)
		}
	}
	total, cuts := map[string]int{}, 0
	const fleet = 20 // in a bubble
	for first := 0; first < devices; first += fleet {
		var boats []*boat
		synctest.Test(t, func(t *testing.T) {
			var wait sync.WaitGroup
			for n := first; n < min(first+fleet, devices); n++ {
				rng := rand.New(rand.NewPCG(uint64(n), 5))
				s := schedules[n%len(schedules)]
				spec := protocol.Job{
					Schedule: protocol.JobSchedule{Cron: s.cron, Zone: zones[n/len(schedules)%4], Jitter: []uint32{0, 0, 600, 7200}[rng.IntN(4)]},
					Overlap:  protocol.JobOverlap(rng.IntN(3)), Missed: []uint32{0, 1, 5, 1000}[rng.IntN(4)], Timeout: 30 * 24 * 3600,
				}
				if s.days > 0 {
					spec.Schedule.Start = start.Add(time.Duration(rng.IntN(366-s.days)*24) * time.Hour).Unix()
					spec.Schedule.End = spec.Schedule.Start + int64(s.days)*24*3600
				}
				b := &boat{
					t: t, id: protocol.DeviceID(fmt.Sprintf("k3x9aaaaaaaa%04d", n)), rng: rng, job: job(uint64(n+1), spec), every: s.every, seed: uint64(n),
					began: map[uint64]bool{},
				}
				b.disk = &fuse{disk: newDisk(b.job), blown: make(chan cut, 1)}
				boats = append(boats, b)
				wait.Go(func() {
					time.Sleep(3 * time.Nanosecond)
					b.sail(end)
				})
			}
			wait.Wait()
		})
		for i, b := range boats {
			n := first + i
			spec := b.job.Job
			late := jobs.Late(b.job.ID, b.id, spec.Schedule.Jitter)
			var mine []int64
			for _, due := range dues[key{n % len(schedules), n / len(schedules) % 4}] {
				at := due.Unix()
				if spec.Schedule.Start != 0 && (at < spec.Schedule.Start || at > spec.Schedule.End) {
					continue
				}
				if at += int64(late / time.Second); at > start.Unix() {
					mine = append(mine, at)
				}
			}
			last := b.lives[len(b.lives)-1].cut.at.Unix()
			want := (&model{spec: *spec, takes: b.takes}).live(b.lives, mine)
			got := b.accounts(t, mine)
			for _, due := range mine {
				total[got[due]]++
				if got[due] != want[due] {
					t.Errorf("device %d, %s in %s, %s, missed %d: what was due at %v is %q, want %q\n%s", n, spec.Schedule.Cron, spec.Schedule.Zone,
						spec.Overlap, spec.Missed, time.Unix(due, 0).UTC(), got[due], want[due], around(b.lives, due))
					break
				}
				if got[due] == "" && due < last-11*24*3600 {
					t.Errorf("device %d: what was due at %v is not accounted for", n, time.Unix(due, 0).UTC())
				}
				delete(got, due)
			}
			for due, word := range got {
				if len(mine) > 0 && !t.Failed() {
					t.Errorf("device %d: %s at %v, which was not due", n, word, time.Unix(due, 0).UTC())
				}
			}
			cuts += len(b.lives)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d devices, %d power cuts: %v", devices, cuts, total)
}

// around are the lives of a device near a moment.
func around(lives []life, due int64) string {
	var out strings.Builder
	for _, l := range lives {
		if l.cut.at.Unix() > due-2*24*3600 && l.boot.Unix() < due+2*24*3600 {
			fmt.Fprintf(&out, "on %v, off %v %s %v\n", l.boot.UTC(), l.cut.at.UTC(), l.cut.phase, l.cut.written)
		}
	}
	return out.String()
}
