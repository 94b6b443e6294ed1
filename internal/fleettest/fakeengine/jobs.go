package fakeengine

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/jobs/runner"
)

// Begun is an attempt that was begun.
type Begun struct {
	Run, Job uint64
	Number   uint32
	At       time.Time
	Script   string
	Env      []string
}

// Jobs runs attempts of jobs: it takes some time, says something, and sometimes fails, all of it by its seed, the job and
// the run. A script decides otherwise by lines such as "#: takes 30s", "#: exits 3" and "#: says 2000". It is safe for
// concurrent use.
type Jobs struct {
	// Seed makes devices different.
	Seed uint64

	mu    sync.Mutex
	begun []Begun         // guarded by mu
	live  map[uint64]bool // guarded by mu: runs of which something is under way, or was left by a power cut
}

// Run implements runner.Executor.
func (j *Jobs) Run(ctx context.Context, a runner.Attempt) (runner.Exit, error) {
	j.mu.Lock()
	j.begun = append(j.begun, Begun{a.Run, a.Job, a.Number, time.Now(), string(a.Script), a.Env})
	if j.live == nil {
		j.live = map[uint64]bool{}
	}
	j.live[a.Run] = true
	j.mu.Unlock()
	defer j.gone(a.Run)
	takes, code, says := j.fate(a)
	timer := time.NewTimer(takes)
	defer timer.Stop()
	fmt.Fprintf(a.Stdout, "%s, run %d, attempt %d\n", a.Name, a.Run, a.Number)
	line := []byte("nothing to see here, it all goes well\n")
	_, _ = a.Stdout.Write(bytes.Repeat(line, says/len(line)))
	select {
	case <-ctx.Done():
		return runner.Exit{Signal: "SIGTERM"}, fmt.Errorf("stopped: %w", ctx.Err())
	case <-timer.C:
	}
	if code != 0 {
		fmt.Fprintf(a.Stderr, "it ended with code %d\n", code)
	}
	return runner.Exit{Code: code}, nil
}

// fate is what becomes of an attempt.
func (j *Jobs) fate(a runner.Attempt) (takes time.Duration, code int32, says int) {
	r := rand.New(rand.NewPCG(j.Seed^a.Job, a.Run<<8|uint64(a.Number)))
	takes, says = time.Second+time.Duration(r.Int64N(int64(time.Minute))), r.IntN(2000)
	if r.IntN(20) == 0 {
		code = 1 + r.Int32N(3)
	}
	for line := range strings.Lines(string(a.Script)) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "#:" {
			continue
		}
		n, _ := strconv.Atoi(words[2])
		switch words[1] {
		case "takes":
			takes, _ = time.ParseDuration(words[2])
		case "exits":
			code = int32(n)
		case "says":
			says = n
		}
	}
	return takes, code, says
}

func (j *Jobs) gone(run uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.live, run)
}

// Clear implements runner.Executor.
func (j *Jobs) Clear(_ context.Context, run uint64) error {
	j.gone(run)
	return nil
}

// Begun are all attempts that were begun, in their order.
func (j *Jobs) Begun() []Begun {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Begun(nil), j.begun...)
}

// Live is of how many runs something is under way.
func (j *Jobs) Live() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.live)
}
