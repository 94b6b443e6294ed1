package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/protocol"
)

const nightly = `name: nightly
script_file: scripts/backup.sh
args: [--all]
env: {TARGET: nas, DEPTH: 3}
schedule: {kind: cron, cron: "0 2 * * *", zone: Europe/Oslo, jitter: 10m}
timeout: 20m
retries: 2
output: always
`

// jobDesk is a desk with one device that is in contact.
func jobDesk(t *testing.T) (*desk, *fleettest.Device) {
	d := newDesk(t)
	d.login()
	dev := d.Device(fleettest.DeviceSpec{Seed: 1, Mode: protocol.ModeStandard})
	d.Until("the device is in contact", 30*time.Second, func() bool {
		var x resource.Device
		d.read(&x, "devices", "show", string(dev.ID))
		return x.Liveness.Connected
	})
	d.ok("devices", "set", string(dev.ID), "--name", "crane-1")
	return d, dev
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}

// A job is tried, made, changed, and looked at; a file that it is written to makes it the same again.
func TestJobsFromFiles(t *testing.T) {
	d, _ := jobDesk(t)
	d.write("scripts/backup.sh", "#!/bin/sh\n#: takes 1s\n#: exits 0\n")
	file := d.write("nightly.yml", nightly)
	wants(t, d.ok("jobs", "apply", "--dry-run", file), "would be made", "every day at 02:00, Europe/Oslo, each device up to 10 min later", "Next:", ":00:00 UTC")
	d.fails(exitNotFound, "nightly", "jobs", "show", "nightly")
	wants(t, d.ok("jobs", "apply", file), "nightly is made: version 1, for 1 device.", "It runs every day at 02:00")
	wants(t, d.ok("jobs", "apply", file), "is so already: version 1")
	d.write("nightly.yml", strings.ReplaceAll(strings.ReplaceAll(nightly, "20m", "30m"), "0 2", "0 3"))
	for _, c := range []struct{ flag, says string }{{"--dry-run", "would be changed"}, {"--message=slower", "is changed"}} {
		out := d.ok("jobs", "apply", file, c.flag)
		wants(t, out, c.says+": version 2", "schedule (every day at 03:00", "was: every day at 02:00", "timeout_seconds (1800, was: 1200)")
		if strings.Contains(out, "nas") || strings.Contains(out, "retries") {
			t.Errorf("what did not change is said to:\n%s", out)
		}
	}
	wants(t, d.ok("jobs", "show", "nightly"), "the host", "timeout 30m, 2 retries 1m apart", "DEPTH, TARGET", "output always", "slower")
	wants(t, d.ok("jobs", "versions", "nightly"), "every day at 02:00", "every day at 03:00", "slower", "admin")
	d.write("copy.yml", d.ok("jobs", "show", "nightly", "--definition"))
	wants(t, d.ok("jobs", "apply", filepath.Join(d.dir, "copy.yml")), "is so already: version 2")

	two := d.write("two.yml", "name: a\nscript: \"#!/bin/sh\\n\"\nschedule: {kind: manual}\n---\nname: b\ncontainer: {image: \"alpine:3.22\"}\nschedule: {kind: manual}\npaused: true\n")
	var made []resource.Job
	d.read(&made, "jobs", "apply", two)
	if len(made) != 2 || made[1].Name != "b" || made[1].Container.Image != "alpine:3.22" || !made[1].IsPaused {
		t.Errorf("made were %+v", made)
	}
	d.ok("jobs", "resume", "b")
	d.ok("jobs", "pause", "nightly")
	out := d.ok("jobs", "ls")
	wants(t, out, "NAME", "nightly", "paused", "only when somebody asks for it")
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if _, offered, _ := d.run("__complete", "jobs", "show", "ni"); !strings.HasPrefix(offered, "nightly\n") {
		t.Errorf("offered is %q", offered)
	}
	if _, offered, _ := d.run("__complete", "jobs", "runs", "nightly", "--device", "cr"); !strings.HasPrefix(offered, "crane-1\n") {
		t.Errorf("offered is %q", offered)
	}
	d.fails(exitUsage, "--yes", "jobs", "rm", "nightly")
	d.ok("jobs", "rm", "nightly", "--yes")
	d.fails(exitNotFound, "nightly", "jobs", "show", "nightly")
}

// What is wrong in a file is refused with line and word, before anything is applied.
func TestJobFilesThatAreWrong(t *testing.T) {
	d := newDesk(t)
	d.login()
	fine := d.write("fine.yml", "name: fine\nscript: \"#!/bin/sh\\n\"\nschedule: {kind: manual}\n")
	d.write("binary", "\x7fELF\x00")
	for text, says := range map[string]string{
		"name: x\nscedule: {}":                          "line 2: nobody knows the word \"scedule\": there are args",
		"name: x\nschedule: {kind: cron, chron: x}":     "line 2: nobody knows the word \"chron\" in schedule: there are at, cron",
		"name: x\ncontainer:\n  mounts:\n  - {from: /}": "line 4: nobody knows the word \"from\" in container.mounts",
		"name: x\ntimeout: 10":                          "line 2: timeout: want a duration of whole seconds such as 90s",
		"name: x\ntimeout: 10m\ntimeout_seconds: 3":     "line 3: timeout_seconds is said twice",
		"name: x\nretries: many":                        "line 2: retries: want a whole number, not \"many\"",
		"name: x\nargs: a b":                            "line 2: args: want a list",
		"name: x\nenv:\n  A:":                           "line 3: env.A: want a value",
		"name: x\noverlap: never":                       "line 2: overlap",
		"name: x\nschedule: {kind: at, at: tomorrow}":   "line 2: schedule.at: want a time such as 2027-01-31T02:00:00Z",
		"script: x":                    "the job has no name",
		"- x":                          "line 1: the job: want words",
		"a: b: c":                      "no YAML",
		"":                             "there is none",
		"name: x\nscript_file: binary": "is no text",
		"name: x\nscript_file: none":   "no such file",
		"name: x\nscript: a\nscript_file: binary":             "give one of them",
		"name: fine\nschedule: {kind: manual}":                "is there twice",
		"name: y\nscript: \"true\"\nschedule: {kind: manual}": "it has no interpreter line",
	} {
		file := d.write("wrong.yml", text)
		args := []string{"jobs", "apply", fine, file}
		if strings.HasPrefix(text, "name: y") { // the hub says so
			args = append(args, "--dry-run")
		}
		d.fails(exitFailed, says, args...)
	}
	d.fails(exitNotFound, "fine", "jobs", "show", "fine")
}

// A job runs on demand, and its output is shown: apart, as the hub has it, and from the device.
func TestRunsOfJobs(t *testing.T) {
	d, _ := jobDesk(t)
	file := d.write("j.yml", "name: good\nscript: \"#!/bin/sh\\n#: takes 10ms\\n#: exits 0\\n#: says 400\\n\"\nschedule: {kind: manual}\noutput: on-request\n"+
		"---\nname: bad\nscript: \"#!/bin/sh\\n#: takes 10ms\\n#: exits 3\\n#: says 0\\n\"\nschedule: {kind: manual}\n"+
		"---\nname: long\nscript: \"#!/bin/sh\\n#: takes 1h\\n\"\nschedule: {kind: manual}\n")
	d.ok("jobs", "apply", file)
	d.Until("the device has them", 30*time.Second, func() bool {
		var c resource.Command
		code, out, _ := d.run("jobs", "run", "good", "--all", "--wait", "-o", "json")
		_ = json.Unmarshal([]byte(out), &c)
		return code == exitOK
	})
	wants(t, d.ok("jobs", "run", "good", "--device", "crane-1", "--wait"), "crane-1  done in")
	d.fails(exitOutcome, "bad did not run well on 1 of 1 device", "jobs", "run", "bad", "--all", "--wait")
	wants(t, d.ok("jobs", "runs", "bad"), "failed, exit code 3", "admin", "crane-1")
	wants(t, d.ok("jobs", "status", "bad"), "failed, exit code 3", "x")
	wants(t, d.ok("jobs", "ls", "--device", "crane-1"), "good", "done", "bad", "failed, exit code 3")
	wants(t, d.ok("jobs", "ls"), "1 failed", "1 done")

	code, _, errOut := d.run("jobs", "output", "good", "--device", "crane-1")
	if code != exitOK || !strings.Contains(errOut, "are not here yet: -f asks the device") {
		t.Errorf("exit %d, %s", code, errOut)
	}
	wants(t, d.ok("jobs", "output", "good", "--device", "crane-1", "-f"), "good, run ", "nothing to see here, it all goes well\n")
	d.Until("its output is here", 30*time.Second, func() bool {
		_, _, errOut := d.run("jobs", "output", "bad", "--device", "crane-1")
		return strings.Contains(errOut, "it ended with code 3")
	})
	if out := d.ok("jobs", "output", "bad", "--device", "crane-1", "--stderr"); out != "it ended with code 3\n" {
		t.Errorf("error output is %q", out)
	}
	var data struct {
		Run            resource.JobRun
		Stdout, Stderr struct{ Data, Encoding string }
	}
	d.read(&data, "jobs", "output", "bad", "--device", "crane-1")
	if data.Run.Code != 3 || data.Stderr.Data != "it ended with code 3\n" || data.Stderr.Encoding != "utf-8" {
		t.Errorf("as data it is %+v", data)
	}

	d.ok("jobs", "run", "long", "--all")
	d.Until("it is under way", 30*time.Second, func() bool {
		return strings.Contains(d.ok("jobs", "runs", "long", "--state", "running"), "crane-1")
	})
	wants(t, d.ok("jobs", "cancel", "long", "--device", "crane-1"), "1 device asked to end what is under way")
	d.Until("it is cancelled", 30*time.Second, func() bool {
		return strings.Contains(d.ok("jobs", "runs", "long"), "cancelled")
	})
	d.fails(exitUsage, "--run goes with one --device", "jobs", "cancel", "long", "--all", "--run", "1")
	d.fails(exitFailed, "it ended as cancelled", "jobs", "cancel", "long", "--device", "crane-1", "--run", "4")
	d.fails(exitNotFound, "nobody", "jobs", "run", "long", "--device", "nobody")
	d.fails(exitOutcome, "no such device", "jobs", "run", "long", "--selector", "site=nowhere")
	d.fails(exitUsage, "at least one of the flags", "jobs", "run", "long")
}

// A script runs once: its output is shown, and its end is the end of the program. Secrets come from files and the environment.
func TestScripts(t *testing.T) {
	d, dev := jobDesk(t)
	script := d.write("s.sh", "#!/bin/sh\n#: takes 3s\n#: exits 7\n#: says 100\n")
	code, out, errOut := d.run("script", "crane-1", "-f", script)
	if code != 7 || !strings.Contains(out, "nothing to see here") || errOut != "it ended with code 7\n" {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	wants(t, d.ok("jobs", "ls", "--once"), "run-", "1 failed")
	d.write("fine.sh", "#!/bin/sh\n#: takes 10ms\n#: exits 0\n#: says 0\n")
	d.env["TOKEN"] = "hunter2"
	d.ok("script", "crane-1", "-f", filepath.Join(d.dir, "fine.sh"), "--secret-env", "TOKEN", "--secret-env", "KEY="+d.write("key", "1\n"), "--env", "A=b")
	d.fails(exitSignalled+15, "timed-out, SIGTERM", "script", "crane-1", "--timeout", "1s", "--", "sleep", "-x", "--flag")
	last := dev.Jobs.Begun()
	if got := last[len(last)-1].Script; got != oneLiner {
		t.Errorf("run was %q", got)
	}
	audit := d.ok("audit", "ls", "--operation", "scripts.", "-o", "json")
	wants(t, audit, "SHA-256")
	if strings.Contains(audit, "hunter2") || strings.Contains(audit, "#!/bin") {
		t.Errorf("the trail has\n%s", audit)
	}
	d.fails(exitUsage, "after --", "script", "crane-1", "uname")
	d.fails(exitUsage, "nothing to run", "script", "crane-1")
	d.fails(exitUsage, "NAME=FILE", "script", "crane-1", "--secret-env", "=x", "--", "true")
	d.fails(exitNotRun, "nobody", "script", "nobody", "--", "true")
	d.fails(exitNotRun, "interpreter", "script", "crane-1", "-f", d.write("plain", "true\n"))
}

// Of a script for a device that is away it is said until when it waits, and Ctrl-C leaves it.
func TestScriptForADeviceThatIsAway(t *testing.T) {
	d, dev := jobDesk(t)
	dev.Disconnect()
	d.Until("it is away", 30*time.Second, func() bool {
		var x resource.Device
		d.read(&x, "devices", "show", "crane-1")
		return !x.Liveness.Connected
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	said := &signalled{says: "does not begin after", do: cancel}
	a := &app{in: strings.NewReader(""), out: &out, errOut: said, getenv: func(k string) string { return d.env[k] }}
	if code := run(ctx, a, []string{"script", "crane-1", "--", "true"}); code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
	wants(t, said.String(), "is not connected", "jobs rm run-")
	d.fails(exitNotRun, "did not hear of it in time", "script", "crane-1", "--wait", "1s", "--", "true")
}

// signalled does something when something is said.
type signalled struct {
	bytes.Buffer
	says string
	do   func()
}

func (s *signalled) Write(b []byte) (int, error) {
	n, err := s.Buffer.Write(b)
	if strings.Contains(s.String(), s.says) {
		s.do()
	}
	return n, err
}

// What a device says cannot take over the terminal, in whatever pieces it comes.
func TestOutputIsPlain(t *testing.T) {
	var out bytes.Buffer
	tap := tap{to: &out}
	whole := []byte("caf\xc3\xa9 \x1b[31mred\x1b[0m\x1b]0;title\a\r\nend")
	for i := range whole {
		if gap := tap.show(whole[max(0, i-3):i+1], uint64(max(0, i-3))); gap != 0 {
			t.Errorf("a gap of %d at %d", gap, i)
		}
	}
	if gap := tap.show([]byte("later"), uint64(len(whole)+5)); gap != 5 {
		t.Errorf("the gap is %d", gap)
	}
	tap.flush()
	if got, want := out.String(), "café red\\x1b]0;title\\a\nend\nlater\n"; got != want {
		t.Errorf("shown is %q, want %q", got, want)
	}
}
