package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
	"github.com/farshore/farshore/protocol"
)

func (a *app) jobOutputCommand() *cobra.Command {
	var which whichRun
	var onlyErr, follow, raw bool
	cmd := &cobra.Command{
		Use: "output NAME --device DEVICE", Short: "show what a run wrote", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		Long: `Shows what a run wrote, as far as the hub has it: its standard output as this program's, and its error output likewise. With -f the
device is asked for the rest, and for more while the run is under way, until all is here. Each question costs its link about a
hundred bytes beside the output; while nothing comes it is asked less and less often.`,
		Example: "  farshore jobs output backup --device crane-1\n  farshore jobs output backup --device crane-1 --run 17 --stderr -f",
		RunE: func(cmd *cobra.Command, args []string) error {
			if follow && a.format != formatTable {
				return usage(cmd, errors.New("-f shows output as it comes: leave --output out"))
			}
			r, err := which.one(cmd.Context(), a, args[0], func(r *resource.JobRun) bool { return r.Stdout != nil || r.Stderr != nil || follow && !r.Final })
			if err != nil {
				return err
			}
			if r == nil {
				return fmt.Errorf("%w: no run of %s on %s has written anything, as far as the hub knows", errNotFound, args[0], which.device)
			}
			if a.format != formatTable {
				return a.printOutput(cmd.Context(), args[0], r)
			}
			f := follower{a: a, job: args[0], run: r, stdout: tap{name: "stdout", to: a.out, raw: raw}, stderr: tap{name: "stderr", to: a.errOut, raw: raw}}
			if onlyErr {
				f.stdout.to, f.stderr.to = nil, a.out
			}
			if follow {
				return f.follow(cmd.Context())
			}
			return f.once(cmd.Context())
		},
	}
	which.flags(cmd, a, "the latest that wrote something")
	f := cmd.Flags()
	f.BoolVar(&onlyErr, "stderr", false, "only its error output, as this program's standard output")
	f.BoolVarP(&follow, "follow", "f", false, "ask the device for what is not here yet")
	f.BoolVar(&raw, "raw", false, "byte for byte, also what could take over a terminal")
	return cmd
}

// printOutput gives a run with its output as data.
func (a *app) printOutput(ctx context.Context, job string, r *resource.JobRun) error {
	type stream struct {
		From     uint64 `json:"from"`
		Encoding string `json:"encoding"`
		Data     string `json:"data"`
	}
	out := struct {
		Run    *resource.JobRun `json:"run"`
		Stdout stream           `json:"stdout"`
		Stderr stream           `json:"stderr"`
	}{Run: r}
	for name, to := range map[string]*stream{"stdout": &out.Stdout, "stderr": &out.Stderr} {
		data, from, err := a.outputBytes(ctx, job, outputPlace{r, name})
		if err != nil {
			return err
		}
		*to = stream{from, "utf-8", string(data)}
		if !utf8.Valid(data) {
			to.Encoding, to.Data = "base64", base64.StdEncoding.EncodeToString(data)
		}
	}
	return a.print(out, nil)
}

// outputPlace is a stream of a run.
type outputPlace struct {
	run    *resource.JobRun
	stream string
}

// outputBytes is what the hub has of a stream, and from where on.
func (a *app) outputBytes(ctx context.Context, job string, at outputPlace) (data []byte, from uint64, err error) {
	h, err := a.hub()
	if err != nil {
		return nil, 0, err
	}
	r := apiclient.Request{Method: http.MethodGet, Path: runPath(job, at.run) + "/output", Query: url.Values{"stream": {at.stream}}, Answered: http.Header{}}
	if err := h.Do(ctx, r, &data); err != nil {
		return nil, 0, err
	}
	from, err = strconv.ParseUint(r.Answered.Get("X-Farshore-From"), 10, 64)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: the hub does not say which part of the output this is: is it of another version?", apiclient.ErrUnreachable)
	}
	return data, from, nil
}

// tap shows one stream from where it was shown to.
type tap struct {
	name    string
	to      io.Writer // nil: it is not shown
	raw     bool
	next    uint64
	attempt uint32
	line    []byte // the beginning of one that has not ended
}

// said is what is known of the stream.
func (t *tap) said(r *resource.JobRun) *resource.JobStream {
	s := r.Stdout
	if t.name == "stderr" {
		s = r.Stderr
	}
	if s == nil || t.to == nil {
		return &resource.JobStream{}
	}
	return s
}

// show writes bytes that begin at an offset, and returns how many before them never came.
func (t *tap) show(data []byte, from uint64) (gap uint64) {
	if end := from + uint64(len(data)); end <= t.next {
		return 0
	}
	if from < t.next {
		data = data[t.next-from:]
		from = t.next
	}
	gap, t.next = from-t.next, from+uint64(len(data))
	if gap > 0 {
		t.flush()
	}
	if t.raw {
		_, _ = t.to.Write(data) // one who has gone sees nothing
		return gap
	}
	// A line is shown whole, so that no character or colour is cut in two.
	t.line = append(t.line, data...)
	if i := strings.LastIndexByte(string(t.line), '\n'); i >= 0 || len(t.line) > maxLine {
		if i < 0 {
			i = len(t.line) - 1
		}
		say(t.to, "%s", plainLines(string(t.line[:i+1])))
		t.line = append([]byte(nil), t.line[i+1:]...)
	}
	return gap
}

const maxLine = 16 << 10

// flush shows a line that has no end.
func (t *tap) flush() {
	if t.to != nil && len(t.line) > 0 {
		say(t.to, "%s\n", plainLines(string(t.line)))
		t.line = nil
	}
}

// follower shows what a run writes.
type follower struct {
	a              *app
	job            string
	run            *resource.JobRun
	stdout, stderr tap
	asked          protocol.CommandID // the last question to the device; 0: none
	answered       time.Time          // when the last question was, since the run was over; zero: none was
	refused        bool               // the device has no more
	fresh          bool               // something came since the last question
	pause          time.Duration
	lull           time.Time // nothing is asked before
}

func (f *follower) taps() [2]*tap { return [2]*tap{&f.stdout, &f.stderr} }

// note says something about the output, apart from it.
func (f *follower) note(format string, args ...any) {
	say(f.a.errOut, "farshore: %s\n", plain(fmt.Sprintf(format, args...)))
}

// show shows what the hub has that was not shown.
func (f *follower) show(ctx context.Context) error {
	for _, t := range f.taps() {
		s := t.said(f.run)
		if f.run.Writer > t.attempt {
			if t.attempt != 0 && t.to != nil {
				t.flush()
				f.note("attempt %d begins anew", f.run.Writer)
			}
			t.attempt, t.next = f.run.Writer, 0
		}
		if t.to == nil || s.HaveTo <= t.next || s.HaveTo == s.HaveFrom {
			continue
		}
		data, from, err := f.a.outputBytes(ctx, f.job, outputPlace{f.run, t.name})
		if err != nil {
			return err
		}
		if len(data) > 0 {
			f.fresh = true
		}
		if gap := t.show(data, from); gap > 0 {
			f.note("%s of %s before this are not here", size(gap), t.name)
		}
	}
	return nil
}

// once shows what is here, and says what is not.
func (f *follower) once(ctx context.Context) error {
	err := f.show(ctx)
	f.end()
	for _, t := range f.taps() {
		s := t.said(f.run)
		switch {
		case err != nil || s.Size <= t.next && !s.Lost:
		case s.Lost:
			f.note("%s of %s were lost on the way", size(s.Size-t.next), t.name)
		default:
			f.note("%s of %s are not here yet: -f asks the device for them", size(s.Size-t.next), t.name)
		}
	}
	if err == nil && !f.run.Final {
		f.note("the run is under way: -f shows what it writes")
	}
	return err
}

func (f *follower) end() {
	f.stdout.flush()
	f.stderr.flush()
}

// Between questions to the hub, and to the device.
const (
	lookAgain  = 2 * time.Second
	leastPause = 2 * time.Second
	mostPause  = time.Minute
	// onItsWay is how long output of a run that is over may take after the device has said that it sends it.
	onItsWay = time.Minute
)

// follow shows what comes, until the run is over and all of it is here.
func (f *follower) follow(ctx context.Context) error {
	defer f.end()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		over, err := f.step(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case over:
			f.end()
			f.sayLost()
			return nil
		case err != nil && exitCode(ctx, err) != exitUnreachable: // the hub comes back
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// step looks once, and reports whether all is here that will come.
func (f *follower) step(ctx context.Context) (over bool, err error) {
	waits, err := f.waits(ctx) // before the run: what an answer has brought is in it
	if err != nil {
		return false, err
	}
	var now resource.JobRun
	if err := f.a.get(ctx, runPath(f.job, f.run), nil, &now); err != nil {
		return false, err
	}
	was := f.run.Final
	f.run = &now
	if err := f.show(ctx); err != nil {
		return false, err
	}
	if now.Final && !was {
		f.lull, f.answered, f.refused = time.Time{}, time.Time{}, false // what it wrote last has not been asked for
	}
	missing, coming := f.missing()
	switch {
	case now.Final && !missing:
		return true, nil
	case waits, coming:
		return false, nil
	case now.Final && f.refused:
		return true, nil
	case now.Final && !f.answered.IsZero() && !f.fresh: // it is on its way, or was dropped
		return time.Since(f.answered) > onItsWay, nil
	case time.Now().Before(f.lull):
		return false, nil
	}
	return false, f.ask(ctx)
}

// missing reports whether something that was written is not here, and whether it comes by itself.
func (f *follower) missing() (missing, coming bool) {
	for _, t := range f.taps() {
		s := t.said(f.run)
		if s.Size > t.next && !s.Lost && s.Kept > 0 {
			missing = true
		}
		coming = coming || s.Coming
	}
	return missing, coming
}

// waits reports whether the device has not answered the last question yet.
func (f *follower) waits(ctx context.Context) (bool, error) {
	if f.asked == 0 {
		return false, nil
	}
	var c resource.Command
	if err := f.a.get(ctx, "/commands/"+f.asked.String(), nil, &c); err != nil {
		return false, err
	}
	if !c.Final {
		return true, nil
	}
	f.asked = 0
	if f.refused = c.State != "done"; f.refused && f.run.Final {
		f.note("the device gives no more of it: %s", or(c.Text, "the command is "+c.State))
	}
	f.answered = time.Now()
	return false, nil
}

// ask asks the device for more, and not again for a while, which is the longer the less comes.
func (f *follower) ask(ctx context.Context) error {
	if f.pause = min(f.pause*2, mostPause); f.fresh || f.pause == 0 {
		f.pause = leastPause
	}
	var c resource.JobCommand
	if err := f.a.call(ctx, http.MethodPost, runPath(f.job, f.run)+"/output", resource.AskOutput{}, &c); err != nil {
		return err
	}
	f.asked, f.fresh, f.lull = c.Command, false, time.Now().Add(f.pause)
	return nil
}

// sayLost says what of the output will not come.
func (f *follower) sayLost() {
	for _, t := range f.taps() {
		if s := t.said(f.run); s.Size > t.next {
			f.note("%s of %s did not come: the device has not kept them, they were dropped, or they wait for its link", size(s.Size-t.next), t.name)
		}
	}
}
