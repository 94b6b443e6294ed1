package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

// Rules of jobs on a real host with its shell, and in containers of a real engine.
func TestJobsByTheirRules(t *testing.T) {
	t.Parallel()
	w := newWorking(t, newEngine(t))
	container := spec{"image": testengine.BusyboxImage, "pull": "never"}

	// What comes of output, by each policy.
	for policy, comes := range map[string][2]bool{"always": {true, true}, "on-failure": {false, true}, "on-request": {false, false}, "never": {false, false}} {
		for i, where := range []spec{nil, container} {
			name := fmt.Sprintf("%s-%d", policy, i)
			s := spec{"script": script(`printf 'out\377'; printf err >&2; exit $1`), "output": policy}
			if where != nil {
				if policy == "on-request" || policy == "never" {
					continue
				}
				s["container"] = where
			}
			for code, state := range []string{"done", "failed"} {
				s["args"] = []string{fmt.Sprint(code)}
				w.put(name, s)
				w.changed(name, code+1)
				w.run(name)
				states := []string{state}
				if code == 1 {
					states = append(states, "done")
				}
				r := w.stand(name, states...)[0]
				var out, problem []byte
				if r.Stdout != nil && r.Stdout.HaveTo > 0 {
					out, problem = w.output(name, r.Run, "stdout"), w.output(name, r.Run, "stderr")
				}
				if got := string(out) == "out\xff" && string(problem) == "err"; got != comes[code] || r.Code != code {
					t.Errorf("%s, exit code %d: %q and %q came, %+v", name, code, out, problem, r)
				}
				if kept := r.Stdout != nil; kept != (policy != "never") {
					t.Errorf("%s: the device kept output: %t", name, kept)
				}
			}
		}
	}
	r := w.runs("on-request-0")[0]
	w.must(http.MethodPost, fmt.Sprintf("/jobs/on-request-0/runs/%s/%d/output", w.device, r.Run), spec{})
	until(t, "output that was asked for comes", func() error {
		return wanted("output", string(w.output("on-request-0", r.Run, "stdout")), "out\xff")
	})

	// Bytes that are no text arrive as they are.
	saved := filepath.Join(w.dir, "bytes")
	w.put("bytes", spec{"script": script("head -c 50000 /dev/urandom | tee " + saved), "output": "always"})
	w.run("bytes")
	r = w.stand("bytes", "done")[0]
	if want, err := os.ReadFile(saved); err != nil || !bytes.Equal(w.output("bytes", r.Run, "stdout"), want) {
		t.Errorf("bytes do not arrive as they were written: %v", err)
	}

	// Retries, with a delay.
	count := filepath.Join(w.dir, "count")
	w.put("retry", spec{"script": script("echo x >>" + count + "; [ $(wc -l <" + count + ") = 3 ]"), "retries": 4, "retry_delay_seconds": 1})
	w.run("retry")
	if r = w.stand("retry", "done")[0]; r.Attempt != 3 || r.TookMS < 2000 {
		t.Errorf("retried: %+v", r)
	}

	// Timeout: all that it has started goes, a daemon too.
	for name, where := range map[string]spec{"timeout": nil, "timeout-container": container} {
		n := nap()
		s := spec{"script": script("(setsid " + n + " >/dev/null 2>&1 &)\n" + n + " &\n" + n), "timeout_seconds": 1}
		if where != nil {
			s["container"] = where
		}
		w.put(name, s)
		w.run(name)
		w.stand(name, "timed-out")
		w.gone(n)
	}

	// What is due while one is under way.
	for rule, want := range map[string][]string{"skip": {"running"}, "queue": {"running"}, "kill": {"running", "cancelled"}} {
		n := nap()
		w.put(rule, spec{"script": script(n), "overlap": rule})
		w.run(rule)
		w.stand(rule, "running")
		w.run(rule)
		if rule == "skip" {
			until(t, "the command is refused", func() error {
				var all []commandShown
				if err := w.h.ask(&all, "command", "ls", w.device); err != nil {
					return err
				}
				for _, c := range all {
					if strings.Contains(c.Text, "under way") {
						return nil
					}
				}
				return fmt.Errorf("they are %+v", all)
			})
		}
		r := w.stand(rule, want...)[0]
		w.must(http.MethodPost, fmt.Sprintf("/jobs/%s/runs/%s/%d/cancel", rule, w.device, r.Run), nil)
		if rule != "queue" {
			w.stand(rule, append([]string{"cancelled"}, want[1:]...)...)
			w.gone(n)
			continue
		}
		r = w.stand(rule, "running", "cancelled")[0]
		w.must(http.MethodDelete, "/jobs/"+rule, nil) // with one under way
		w.gone(n)
	}

	// What cannot be.
	w.put("no-image", spec{"script": script("true"), "container": spec{"image": "127.0.0.1:1/plant/none:1"}})
	w.run("no-image")
	if r := w.stand("no-image", "failed")[0]; !strings.Contains(r.Text, "127.0.0.1:1/plant/none:1") {
		t.Errorf("an image that is not there: %q", r.Text)
	}
	w.put("no-shell", spec{"script": "#!/usr/bin/no-such-thing\n"})
	w.run("no-shell")
	if r := w.stand("no-shell", "refused")[0]; !strings.Contains(r.Text, "/usr/bin/no-such-thing") {
		t.Errorf("an interpreter that is not there: %q", r.Text)
	}
	if text, code := w.ask(http.MethodPut, "/jobs/bad", spec{"script": "echo hello\n", "schedule": spec{"kind": "manual"}}); code != http.StatusUnprocessableEntity || !strings.Contains(string(text), "#!/bin/sh") {
		t.Errorf("a script without interpreter: %d %s", code, text)
	}
}

// Kill -9 of the agent while a run is under way and another waits, before the end of one is told, and at any moment of the
// beginning of one: each has one report, what ran is interrupted, and nothing of it is left.
func TestJobsWhenTheAgentIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorking(t, newEngine(t))
	for name, where := range map[string]spec{"host": nil, "container": {"image": testengine.BusyboxImage, "pull": "never"}} {
		n, began := nap(), filepath.Join(w.dir, name)
		s := spec{"overlap": "queue"}
		if where != nil {
			where["mounts"] = []spec{{"source": w.dir, "target": w.dir}}
			s["container"] = where
		}
		s["script"] = script("[ -e " + began + " ] && exit 0\n>" + began + "\n(setsid " + n + " >/dev/null 2>&1 &)\n" + n)
		w.put(name, s)
		w.run(name)
		w.stand(name, "running")
		until(t, "it has begun", func() error { _, err := os.Stat(began); return err })
		w.run(name)
		until(t, "one waits", func() error {
			text, err := w.a.box("jobs", "--json")
			if err == nil && !strings.Contains(text, `"waiting": 1`) && !strings.Contains(text, `"waiting":1`) {
				err = fmt.Errorf("%s", text)
			}
			return err
		})
		w.a.kill()
		w.a.start()
		w.stand(name, "done", "interrupted")
		w.gone(n)
	}

	// Over, and not told.
	ended := filepath.Join(w.dir, "ended")
	w.put("untold", spec{"script": script("sleep 2; >" + ended + "; exit 7")})
	w.run("untold")
	w.stand("untold", "running")
	w.h.stop()
	until(t, "it is over", func() error {
		text, err := w.a.box("jobs", "--json")
		if err == nil && !strings.Contains(text, `"failed"`) {
			err = fmt.Errorf("%s", text)
		}
		return err
	})
	w.a.kill()
	w.a.start()
	w.h.start()
	if r := w.stand("untold", "failed")[0]; r.Code != 7 {
		t.Errorf("told after all: %+v", r)
	}
	killedAsItBegins(w, 4)
}

// killedAsItBegins kills the agent at any moment while a run begins.
func killedAsItBegins(w *working, rounds int) {
	t := w.t
	marks, n := filepath.Join(w.dir, "marks"), nap()
	w.put("begins", spec{"script": script("echo $FARSHORE_RUN >>" + marks + "\nsleep 0.2; " + n + " & wait $!"), "timeout_seconds": 1, "overlap": "queue"})
	for round := range rounds {
		w.run("begins")
		at := time.Duration(rand.Int64N(int64(700 * time.Millisecond)))
		t.Logf("killed after %s", at)
		time.Sleep(at)
		w.a.kill()
		w.a.start()
		until(t, "the run is over", func() error {
			// A command that was under way is interrupted, and may have made no run.
			runs, interrupted := w.runs("begins"), 0
			var all []commandShown
			if err := w.h.ask(&all, "command", "ls", w.device); err != nil {
				return err
			}
			for _, c := range all {
				if c.State == "interrupted" && c.Kind == "job.run" {
					interrupted++
				}
			}
			if len(runs) > round+1 || len(runs)+interrupted < round+1 {
				return fmt.Errorf("%d runs are told of, %d commands are interrupted", len(runs), interrupted)
			}
			if len(runs) == 0 {
				return nil
			}
			if s := runs[0].State; s != "timed-out" && s != "interrupted" {
				return fmt.Errorf("it is %+v", runs[0])
			}
			return nil
		})
	}
	w.gone(n)
	b, _ := os.ReadFile(marks)
	times := map[string]int{}
	for _, run := range strings.Fields(string(b)) {
		if times[run]++; times[run] > 1 {
			t.Errorf("run %s began twice", run)
		}
	}
}

// Output without end costs the device its cap on disk and the link its cap, and no more.
func TestJobsThatWriteWithoutEnd(t *testing.T) {
	t.Parallel()
	w := newWorking(t, nil)
	up := func() int {
		var u struct {
			Classes []struct {
				Class string
				Up    int
			}
		}
		decode(t, w.a.mustBox("usage", "--json"), &u)
		for _, c := range u.Classes {
			if c.Class == "output" {
				return c.Up
			}
		}
		return 0
	}
	before := up()
	w.put("much", spec{"script": script("head -c 1073741824 /dev/urandom"), "output": "always"})
	w.put("endless", spec{"script": script("exec cat /dev/urandom"), "timeout_seconds": 1, "output": "on-failure", "output_cap": 20000})
	for name, want := range map[string]int{"much": 65536, "endless": 20000} {
		w.run(name)
		var most int64
		until(t, name+" has ended", func() error {
			most = max(most, sizeOf(t, filepath.Join(w.a.data, "outputs")))
			r := w.runs(name)
			if len(r) == 0 || !r[0].Final || r[0].Stdout.Coming {
				return fmt.Errorf("%+v", r)
			}
			return nil
		})
		s := w.runs(name)[0].Stdout
		t.Logf("%s: %d MB written, at most %d kB on disk, %d bytes at the hub", name, s.Size>>20, most>>10, s.HaveTo-s.HaveFrom)
		if name == "much" && s.Size != 1<<30 || s.HaveTo != s.Size || s.HaveTo-s.HaveFrom != want || most > 3<<20 {
			t.Errorf("%s: %+v, and %d bytes on disk", name, *s, most)
		}
		if got := len(w.output(name, w.runs(name)[0].Run, "stdout")); got != want {
			t.Errorf("%s: %d bytes are given out", name, got)
		}
	}
	if n := up() - before; n < 65536+20000 || n > 65536+20000+20000 {
		t.Errorf("%d bytes of output went up", n)
	}
}
