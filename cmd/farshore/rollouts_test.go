package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/stacks/rollout"
)

func TestRollouts(t *testing.T) {
	d := newDesk(t)
	d.login()
	dir := t.TempDir()
	file := filepath.Join(dir, "compose.yml")
	write := func(image string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("services:\n  web:\n    image: "+image+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("web:1")
	d.ok("edge-groups", "create", "canaries", "--selector", "ring=canary")
	d.ok("stacks", "apply", "--name", "web", "-f", file, "--include", "canaries", "--env", "LEVEL=3", "--env", "TOKEN=hunter2", "--secret", "TOKEN",
		"--batch", "10%", "--double", "--soak", "15m", "--on-failure", "roll-back-all", "--order-label", "ring", "--order-values", "canary,early",
		"--window", "0 2 * * 6,7 for 2h", "--zone", "Europe/Oslo", "--approve", "--watch", "30s")
	var s resource.Stack
	d.read(&s, "stacks", "show", "web")
	if s.Plan.Batch != (rollout.Amount{Percent: 10}) || !s.Plan.Doubling || s.Plan.Soak != 900 || s.Plan.OnFailure != rollout.RollBackAll || s.Plan.Order == nil ||
		!slices.Equal(s.Plan.Order.Values, []string{"canary", "early"}) || !slices.Equal(s.Include, []string{"canaries"}) ||
		len(s.Change.Windows) != 1 || s.Change.Windows[0].Minutes != 120 || !s.Change.Approve || s.Current.Health.Watch != 30 || !slices.Equal(s.Current.Secret, []string{"TOKEN"}) {
		t.Errorf("applied: %+v", s)
	}
	if out := d.ok("stacks", "show", "web"); !strings.Contains(out, "canaries") || !strings.Contains(out, "0 2 * * 6,7 for 2h0m0s in Europe/Oslo") || !strings.Contains(out, "Batches that double, from 10%") {
		t.Errorf("shown:\n%s", out)
	}
	// What is not given stays, also without files.
	d.ok("stacks", "apply", "--name", "web", "--include", "", "--fetch-late")
	d.read(&s, "stacks", "show", "web")
	if s.Version != 1 || len(s.Include) != 0 || len(s.Change.Windows) != 1 || !s.Change.Approve || !s.Change.FetchLate || s.Plan.Soak != 900 {
		t.Errorf("aimed anew: %+v", s)
	}
	d.ok("stacks", "apply", "--name", "web", "--window", "none", "--approve=false", "--fetch-late=false")

	write("web:2")
	later := []string{"stacks", "apply", "--name", "web", "-f", file, "--keep-env", "--env", "LEVEL=4", "--begin", "2126-01-01T00:00:00Z", "-m", "two"}
	d.ok(append(later, "--replace")...)
	var r resource.Rollout
	if d.read(&r, "rollouts", "show", "web"); r.Phase != "planned" || r.Version != 2 || r.Message != "two" || r.Begin.Year() != 2126 {
		t.Errorf("planned: %+v", r)
	}
	if out := d.ok("rollouts", "ls"); !strings.Contains(out, "planned") || !strings.Contains(out, "web") {
		t.Errorf("under way:\n%s", out)
	}
	write("web:3")
	d.fails(exitFailed, "queue", "stacks", "apply", "--name", "web", "-f", file, "--keep-env")
	if out := d.ok("stacks", "apply", "--name", "web", "-f", file, "--keep-env", "--dry-run"); !strings.Contains(out, "give --replace or --queue") {
		t.Errorf("dry run:\n%s", out)
	}
	d.ok("stacks", "apply", "--name", "web", "-f", file, "--keep-env", "--queue")
	if out := d.ok("rollouts", "ls", "web"); !strings.Contains(out, "queued") {
		t.Errorf("of the stack:\n%s", out)
	}
	d.ok("rollouts", "pause", "web")
	d.fails(exitOutcome, "paused by admin", "rollouts", "watch", "web")
	d.fails(exitFailed, "waits for no approval", "rollouts", "approve", "web")
	if out := d.ok("stacks", "diff", "web", "1", "2"); !strings.Contains(out, "+    image: web:2") || !strings.Contains(out, "variable LEVEL: changed") || strings.Contains(out, "hunter2") {
		t.Errorf("difference:\n%s", out)
	}
	d.ok("rollouts", "devices", "web")
	d.ok("rollouts", "abort", "web")
	d.ok("stacks", "deploy", "web", "--version", "1", "--at-once", "--replace", "--wait")
	if d.read(&s, "stacks", "show", "web"); s.Deployed != 1 || s.Version != 3 {
		t.Errorf("version 1 again: %+v", s)
	}
}

func TestMistakesAboutRollouts(t *testing.T) {
	d := newDesk(t)
	d.login()
	for _, x := range []struct {
		says string
		args []string
	}{
		{"such as 10, or a share such as 25%", []string{"--batch", "200%"}},
		{"the size of the first batch", []string{"--double"}},
		{"want pause, continue", []string{"--on-failure", "panic"}},
		{"at most 30 days", []string{"--soak", "10000h"}},
		{"no less than 0s", []string{"--soak", "-3s"}},
		{"a number from 1", []string{"--batch", "0"}},
		{"--failures: ", []string{"--failures", "some"}},
		{"such as 90s", []string{"--wait", "--wait-timeout", "-5s"}},
		{"five fields of cron", []string{"--window", "at night"}},
		{"--zone needs --window", []string{"--zone", "Europe/Oslo"}},
		{"such as Europe/Oslo", []string{"--window", "0 2 * * 6 for 2h", "--zone", "Oslo"}},
		{"--order-values needs --order-label", []string{"--order-values", "a,b"}},
		{"2026-12-01T02:00:00Z", []string{"--begin", "tomorrow"}},
		{"at most 24h", []string{"--watch", "48h"}},
		{"replace queue", []string{"--replace", "--queue"}},
		{"at-once", []string{"--at-once", "--batch", "1"}},
	} {
		d.fails(exitUsage, x.says, append([]string{"stacks", "apply", "--name", "web"}, x.args...)...)
	}
	d.fails(exitFailed, "give its files", "stacks", "apply", "--name", "web")
	d.fails(exitUsage, "want its number", "rollouts", "show", "web", "latest")
	d.fails(exitNotFound, "web", "rollouts", "show", "web")
}
