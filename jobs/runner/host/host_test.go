//go:build linux

package host_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/jobs/runner/host"
	"github.com/farshore/farshore/jobs/runner/outputs"
	"github.com/farshore/farshore/protocol"
)

// buffer is written by an executor and read by a test.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// device is different for each test, so that none finds another's processes.
func device(t *testing.T) protocol.DeviceID {
	return protocol.DeviceID(fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), os.Getpid()))
}

type result struct {
	exit      runner.Exit
	err       error
	out, err2 string
}

func executor(t *testing.T) (*host.Executor, string) {
	t.Helper()
	dir := t.TempDir()
	return host.New(host.Config{Dir: dir, Device: device(t)}), dir
}

// run runs a script, and sees to it that nothing is left of it.
func run(t *testing.T, ctx context.Context, text string, change func(*runner.Attempt)) result {
	t.Helper()
	x, dir := executor(t)
	var out, errs buffer
	a := runner.Attempt{Run: 7, Job: 1, Number: 1, Name: "test", Script: []byte(text), Stdout: &out, Stderr: &errs}
	if change != nil {
		change(&a)
	}
	exit, err := x.Run(ctx, a)
	if left := processes(t, string(device(t))); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("files are left: %v", files)
	}
	return result{exit, err, out.String(), errs.String()}
}

// processes are the command lines of those that have the text in their environment, and the test's children.
func processes(t *testing.T, text string) (found []string) {
	t.Helper()
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		if b, _ := os.ReadFile(path); bytes.Contains(b, []byte(text)) && filepath.Base(filepath.Dir(path)) != strconv.Itoa(os.Getpid()) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			found = append(found, string(line))
		}
	}
	return found
}

func TestScriptsEndAsTheyDo(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		exit     runner.Exit
		out, err string
	}{
		"done":                   {"#!/bin/sh\necho out\necho err >&2\n", runner.Exit{}, "out\n", "err\n"},
		"code":                   {"#!/bin/sh\nexit 42\n", runner.Exit{Code: 42}, "", ""},
		"signal":                 {"#!/bin/sh\nkill -SEGV $$\n", runner.Exit{Signal: "SIGSEGV"}, "", ""},
		"argument of the line":   {"#!/bin/sh -e\nfalse\necho no\n", runner.Exit{Code: 1}, "", ""},
		"found by env":           {"#!/usr/bin/env sh\necho yes\n", runner.Exit{}, "yes\n", ""},
		"no input":               {"#!/bin/sh\ncat\n", runner.Exit{}, "", ""},
		"not UTF-8":              {"#!/bin/sh\nprintf '\\377\\000x'\n", runner.Exit{}, "\xff\x00x", ""},
		"no file of the agent's": {"#!/bin/sh\nls /proc/$$/fd | tr '\\n' ' '\n", runner.Exit{}, "0 1 10 2 ", ""},
		"its folder":             {"#!/bin/sh\nstat -c %a \"$0\"; stat -c %a .; touch here && ls\n", runner.Exit{}, "700\n700\nhere\n", ""},
		"a folder it protects":   {"#!/bin/sh\nmkdir a; touch a/b; chmod 0 a\n", runner.Exit{}, "", ""},
		"a session of its own":   {"#!/bin/sh\n[ \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$ ] && echo own\n", runner.Exit{}, "own\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, t.Context(), c.text, nil)
			if r.err != nil || r.exit != c.exit || r.out != c.out || r.err2 != c.err {
				if name == "no file of the agent's" && r.out == "0 1 2 255 " { // bash keeps the script there
					return
				}
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestEnvironmentIsTheJobsAndLittleElse(t *testing.T) {
	t.Setenv("AGENT_SECRET", "no script shall see this")
	r := run(t, t.Context(), "#!/usr/bin/env -S cat /proc/self/environ\n", func(a *runner.Attempt) {
		a.Env = []string{"LINES=one\ntwo", "LANG=de_DE.UTF-8", "FARSHORE_RUN=7", "FARSHORE_DEVICE=forged"}
	})
	names := map[string]string{}
	for _, v := range strings.Split(strings.Split(r.out, "\x00#!")[0], "\x00") {
		name, value, _ := strings.Cut(v, "=")
		names[name] = value
	}
	delete(names, "TZ")
	delete(names, "")
	if r.err != nil || names["LINES"] != "one\ntwo" || names["LANG"] != "de_DE.UTF-8" || names["FARSHORE_DEVICE"] != string(device(t)) {
		t.Errorf("got %+v, %v", names, r.err)
	}
	for _, want := range []string{"PATH", "HOME", "USER", "LANG", "LINES", "FARSHORE_RUN", "FARSHORE_DEVICE"} {
		if names[want] == "" {
			t.Errorf("there is no %s", want)
		}
		delete(names, want)
	}
	for name := range names {
		if !strings.HasPrefix(name, "#!") {
			t.Errorf("there is %q too", name)
		}
	}
}

func TestArgumentsArriveAsTheyAre(t *testing.T) {
	args := []string{"two words", `"quoted'`, "$HOME", "", "a\nb", "*"}
	r := run(t, t.Context(), "#!/bin/sh\nfor a; do printf '<%s>' \"$a\"; done\n", func(a *runner.Attempt) { a.Spec.Args = args })
	if want := "<" + strings.Join(args, "><") + ">"; r.err != nil || r.out != want {
		t.Errorf("got %q, %v; want %q", r.out, r.err, want)
	}
}

func TestUserAndFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	who := func(a *runner.Attempt) { a.Spec.User = "nobody" }
	r := run(t, t.Context(), "#!/bin/sh\nid -un; id -u; echo $USER; touch mine && pwd >/dev/null && cat \"$0\" | head -n 1\n", who)
	if want := "nobody\n65534\nnobody\n#!/bin/sh\n"; r.err != nil || r.out != want {
		t.Errorf("as nobody: %+v", r)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "farshore-run-7-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	dir := t.TempDir()
	r = run(t, t.Context(), "#!/bin/sh\npwd\n", func(a *runner.Attempt) { a.Spec.Dir = dir })
	if r.err != nil || r.out != dir+"\n" {
		t.Errorf("in a folder: %+v", r)
	}
	r = run(t, t.Context(), "#!/bin/sh\n", func(a *runner.Attempt) { a.Spec.Dir = dir + "/none" })
	if r.err == nil || errors.Is(r.err, runner.ErrNever) || !strings.Contains(r.err.Error(), dir+"/none") {
		t.Errorf("in a folder that is not there: %v", r.err)
	}
}

func TestWhatCannotRunIsRefused(t *testing.T) {
	elf, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text, says string
		user       string
	}{
		"no interpreter line":     {"echo hello\n", "no interpreter line", ""},
		"binary":                  {string(elf[:4096]), "is binary", ""},
		"interpreter missing":     {"#!/opt/none/python9 -u\n", "its interpreter /opt/none/python9 is not on this device", ""},
		"interpreter not in PATH": {"#!/usr/bin/env python9\n", "its interpreter python9 is in no folder of PATH", ""},
		"line ends of Windows":    {"#!/bin/sh\r\necho\r\n", "CR LF", ""},
		"no such user":            {"#!/bin/sh\n", "there is no user \"farshore-none\"", "farshore-none"},
		"no such group":           {"#!/bin/sh\n", "there is no group \"farshore-none\"", "root:farshore-none"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, t.Context(), c.text, func(a *runner.Attempt) { a.Spec.User = c.user })
			if !errors.Is(r.err, runner.ErrNever) || !strings.Contains(r.err.Error(), c.says) {
				t.Errorf("got %v", r.err)
			}
		})
	}
	x := host.New(host.Config{Dir: t.TempDir(), Device: "d", Root: "/host"})
	if _, err := x.Run(t.Context(), runner.Attempt{Run: 1, Script: []byte("#!/bin/sh\n")}); !errors.Is(err, runner.ErrNever) {
		t.Errorf("an agent in a container: %v", err)
	}
}

// started runs a script that says when it is ready, and ends ctx then.
func started(t *testing.T, text string) result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return run(t, ctx, text, func(a *runner.Attempt) { a.Stdout = writeFunc(func(p []byte) { cancel() }) })
}

type writeFunc func([]byte)

func (f writeFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestCancelKillsAll(t *testing.T) {
	for name, text := range map[string]string{
		"sleeps":               "echo ready\nsleep 1000\n",
		"a child in its group": "sleep 1000 &\nsleep 1001 &\necho ready\nwait\n",
		"a session of its own": "setsid sleep 1000 &\necho ready\nwait\n",
		"a double fork":        "( (sleep 1000 &) & )\nsleep 0.1; echo ready\nwait; sleep 1000\n",
		"a daemon":             "( setsid sh -c 'setsid sleep 1000 >/dev/null 2>&1 </dev/null &' & )\nsleep 0.3; echo ready\nsleep 1000\n",
		"no environment":       "env -i sleep 1000 &\necho ready\nwait\n",
		"stopped":              "sleep 1000 & kill -STOP $!\necho ready\nkill -STOP $$\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := started(t, "#!/bin/sh\n"+text); !errors.Is(r.err, context.Canceled) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestWhatIgnoresSIGTERMIsKilled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r := run(t, ctx, "#!/bin/sh\ntrap '' TERM\nsh -c 'trap \"\" TERM; while :; do sleep 1; done' &\nwhile :; do sleep 1; done\n", nil)
	if !errors.Is(r.err, context.DeadlineExceeded) || r.exit.Signal != "SIGKILL" {
		t.Errorf("got %+v", r)
	}
}

func TestDaemonThatHoldsTheOutputDoesNotHang(t *testing.T) {
	r := run(t, t.Context(), "#!/bin/sh\nsetsid sh -c 'trap \"\" HUP; sleep 1000' &\necho bye\n", nil)
	if r.err != nil || r.exit != (runner.Exit{}) || r.out != "bye\n" {
		t.Errorf("got %+v", r)
	}
}

func TestGigabyteOfOutputIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("writes much")
	}
	dir := t.TempDir()
	o, err := outputs.New(outputs.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := o.Begin(7)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r := run(t, ctx, "#!/bin/sh\nhead -c 1073741824 /dev/zero\necho the end\n", func(a *runner.Attempt) { a.Stdout, a.Stderr = stdout, stderr })
	size, _ := o.Sizes(7)
	var disk int64
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			disk += info.Size()
		}
	}
	end := make([]byte, 8)
	_, readErr := o.ReadAt(7, 0, end, size.Size-8)
	if r.err != nil || size.Size != 1<<30+8 || disk > outputs.MaxStream || size.Kept < outputs.MaxStream/2 || string(end) != "the end\n" || readErr != nil {
		t.Errorf("%+v, %+v, %d bytes on disk, ends with %q, %v", r, size, disk, end, readErr)
	}
}

// TestMain is also the agent that is killed in the middle of a run.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HOST_TEST_DIR"); dir != "" {
		x := host.New(host.Config{Dir: dir, Device: protocol.DeviceID(os.Getenv("HOST_TEST_DEVICE"))})
		_, err := x.Run(context.Background(), runner.Attempt{
			Run: 9, Job: 1, Number: 1, Script: []byte(os.Getenv("HOST_TEST_SCRIPT")), Stdout: os.Stdout, Stderr: os.Stderr,
		})
		fmt.Println(err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestClearAfterTheAgentWasKilled(t *testing.T) {
	for name, text := range map[string]string{
		"children and daemons": "#!/bin/sh\nsleep 1000 &\nsetsid sleep 1000 >/dev/null 2>&1 &\n(sleep 1000 &)\nsleep 0.2\necho ready\nwait\n",
		"no environment":       "#!/usr/bin/env -S -i /bin/sh\n/bin/sleep 1000 &\necho ready\nwait\n",
	} {
		t.Run(name, func(t *testing.T) {
			x, dir := executor(t)
			agent := exec.Command(os.Args[0])
			agent.Env = append(os.Environ(), "HOST_TEST_DIR="+dir, "HOST_TEST_DEVICE="+string(device(t)), "HOST_TEST_SCRIPT="+text)
			out, err := agent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := agent.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			var session string
			for session == "" { // it is noted right after the start, and the script may be ready before
				note, _ := os.ReadFile(filepath.Join(dir, "9", "process"))
				session, _, _ = strings.Cut(strings.TrimSpace(string(note)), " ")
				time.Sleep(time.Millisecond)
			}
			_ = agent.Process.Kill()
			_ = agent.Wait()
			if _, err := os.Stat("/proc/" + session); err != nil {
				t.Fatal("the run did not outlive its agent")
			}
			if err := x.Clear(t.Context(), 8); err != nil { // another
				t.Error(err)
			}
			if _, err := os.Stat("/proc/" + session); err != nil {
				t.Error("clearing another run killed this one")
			}
			if err := x.Clear(t.Context(), 9); err != nil {
				t.Error(err)
			}
			if left := processes(t, string(device(t))); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			all, _ := filepath.Glob("/proc/[0-9]*/stat")
			for _, path := range all {
				b, _ := os.ReadFile(path)
				if f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])); len(f) > 3 && f[3] == session && f[0] != "Z" {
					t.Errorf("left: %s", b)
				}
			}
			if files, _ := os.ReadDir(dir); len(files) > 0 {
				t.Errorf("left: %v", files)
			}
		})
	}
}
