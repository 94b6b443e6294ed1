package doctor_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/doctor"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestJudgements(t *testing.T) {
	ends := func(in time.Duration) certificate.Status {
		return certificate.Status{Source: certificate.SourceUpload, Subject: "CN=hub", From: now.Add(-time.Hour), Until: now.Add(in)}
	}
	const day = 24 * time.Hour
	planned := func(last, next time.Duration, problem string) backup.State {
		return backup.State{
			Plan: backup.Plan{Folder: "/backups"}, LastSuccess: now.Add(last).UnixMilli(), Next: now.Add(next).UnixMilli(),
			Runs: []backup.Run{{Started: now.Add(last).UnixMilli(), Error: problem}},
		}
	}
	for name, c := range map[string]struct {
		got   []doctor.Finding
		level string
		says  string
	}{
		"certificate that lasts":          {doctor.Certificate(ends(90*day), "", now), doctor.OK, "2027-02-20"},
		"certificate of 29 days":          {doctor.Certificate(ends(29*day), "", now), doctor.Warn, "renew"},
		"certificate of 6 days":           {doctor.Certificate(ends(6*day), "", now), doctor.Fail, "renew it now"},
		"certificate that has ended":      {doctor.Certificate(ends(-day), "", now), doctor.Fail, "ended on 2026-11-21"},
		"certificate for another name":    {doctor.Certificate(ends(90*day), "hub.example", now), doctor.Warn, "not for hub.example"},
		"backups that nobody planned":     {doctor.Backups(backup.State{}, now), doctor.OK, "farshore backup plan"},
		"backup of last night":            {doctor.Backups(planned(-9*time.Hour, 15*time.Hour, ""), now), doctor.OK, "9h0m0s old"},
		"backup that has failed":          {doctor.Backups(planned(-9*time.Hour, time.Minute, "the share is away"), now), doctor.Fail, "the share is away"},
		"backup that is due":              {doctor.Backups(planned(-48*time.Hour, -24*time.Hour, ""), now), doctor.Fail, "due since 2026-11-21"},
		"clock that went on":              {doctor.Clock(now.Add(-time.Hour), now), doctor.OK, "after all that is recorded"},
		"clock without a record":          {doctor.Clock(time.Time{}, now), doctor.OK, ""},
		"clock that went back":            {doctor.Clock(now.Add(time.Hour), now), doctor.Fail, "1h0m0s behind the newest record"},
		"store in use":                    {doctor.Store(900<<20, 800<<20), doctor.OK, "800 MB"},
		"store that is mostly free":       {doctor.Store(900<<20, 100<<20), doctor.Warn, "farshore-hub compact to give 800 MB back"},
		"small store that is mostly free": {doctor.Store(1<<20, 1<<10), doctor.OK, ""},
		"trail that was changed": {
			doctor.Trail(audit.Report{Problem: &audit.Problem{Seq: 7, File: "x.jsonl", Line: 8, What: "that one was altered"}}, nil),
			doctor.Fail, "that one was altered",
		},
		"devices beyond the limit": {doctor.OpenFiles(1 << 40), doctor.Warn, "LimitNOFILE"},
	} {
		t.Run(name, func(t *testing.T) { want(t, c.got, c.level, c.says) })
	}
}

// want is that the first finding is of a level and says something.
func want(t *testing.T, got []doctor.Finding, level, says string) {
	t.Helper()
	if len(got) == 0 || got[0].Level != level || !strings.Contains(got[0].Text, says) {
		t.Errorf("got %+v, want %s with %q", got, level, says)
	}
}

func TestSecretsAreTheOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	key, trail := filepath.Join(dir, "hub.key"), filepath.Join(dir, "audit")
	for _, err := range []error{
		os.WriteFile(key, []byte("x"), 0o600), os.Mkdir(trail, 0o700), os.WriteFile(filepath.Join(trail, "1.jsonl"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	look := func() []doctor.Finding { return doctor.Secrets(dir, "hub.key", "audit") }
	want(t, look(), doctor.OK, "")
	mode := func(path string, to os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, to); err != nil {
			t.Fatal(err)
		}
	}
	mode(filepath.Join(trail, "1.jsonl"), 0o644)
	want(t, look(), doctor.Fail, "1.jsonl")
	mode(filepath.Join(trail, "1.jsonl"), 0o600)
	mode(key, 0o640)
	want(t, look(), doctor.Fail, "chmod 600")
	mode(key, 0o600)
	mode(dir, 0o777)
	want(t, look(), doctor.Fail, "take the hub over")
	mode(dir, 0o700)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	want(t, look(), doctor.Fail, "missing")
}

func TestPortIsFreeOrHeldBySomebody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	want(t, doctor.Port(t.Context(), "--listen", address), doctor.Fail, fmt.Sprintf("(process %d)", os.Getpid()))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, doctor.Port(t.Context(), "--listen", address), doctor.OK, "free")
	want(t, doctor.Port(t.Context(), "--listen", "192.0.2.1:80"), doctor.Fail, "cannot be used")
}

func TestDiskIsTimedAndLeftAsItWas(t *testing.T) {
	dir := t.TempDir()
	if got := doctor.Disk(dir, 0); len(got) == 0 || got[0].Level == doctor.Fail {
		t.Errorf("got %+v", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it has left %v, %v", left, err)
	}
	want(t, doctor.Disk(filepath.Join(dir, "none"), 0), doctor.Fail, "--data")
	if got := doctor.Disk(dir, 1<<60); got[0].Level == doctor.OK {
		t.Errorf("with a database larger than the disk: %+v", got)
	}
}

func TestClockAgainstAServer(t *testing.T) {
	apart := time.Duration(0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(apart).UTC().Format(http.TimeFormat))
	}))
	defer server.Close()
	want(t, doctor.ClockAgainst(t.Context(), server.URL), doctor.OK, "agrees")
	apart = 20 * time.Second
	want(t, doctor.ClockAgainst(t.Context(), server.URL), doctor.Warn, "apart")
	apart = -time.Hour
	want(t, doctor.ClockAgainst(t.Context(), server.URL), doctor.Fail, "apart")
	server.Close()
	want(t, doctor.ClockAgainst(t.Context(), server.URL), doctor.Warn, "could not be compared")
}

func TestReportNamesThingsAndFails(t *testing.T) {
	got := doctor.Run(t.Context(), []doctor.Check{
		{Thing: "a", Look: func(context.Context) []doctor.Finding { return doctor.Say(doctor.Warn, "so so") }},
		{Thing: "b", Look: func(context.Context) []doctor.Finding { return doctor.Say(doctor.Fail, "%d", 2) }},
	})
	if len(got) != 2 || got[0] != (doctor.Finding{Level: doctor.Warn, Thing: "a", Text: "so so"}) || got[1].Thing != "b" {
		t.Errorf("got %+v", got)
	}
	if doctor.Sound(got) || !doctor.Sound(got[:1]) {
		t.Error("a warning is taken for a failure, or the other way")
	}
}
