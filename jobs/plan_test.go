package jobs_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

const device = protocol.DeviceID("k3x9aaaaaaaaaaaa")

func plan(t *testing.T, s protocol.JobSchedule) jobs.Plan {
	t.Helper()
	p, err := jobs.NewPlan(s, 9, device)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name     string
		schedule protocol.JobSchedule
		after    string
		want     []string
	}{
		{
			"clocks go forward: the first moment after the gap",
			protocol.JobSchedule{Cron: "30 2 * * *", Zone: "Europe/Oslo"},
			"2027-03-27T12:00:00Z",
			[]string{"2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"},
		},
		{
			"clocks go back: once",
			protocol.JobSchedule{Cron: "30 2 * * *", Zone: "Europe/Oslo"},
			"2027-10-30T12:00:00Z",
			[]string{"2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"},
		},
		{"start and end count", protocol.JobSchedule{
			Cron: "0 * * * *", Zone: "UTC", Start: moment(t, "2027-01-01T10:00:00Z").Unix(), End: moment(t, "2027-01-01T11:00:00Z").Unix(),
		}, "2026-01-01T00:00:00Z", []string{"2027-01-01T10:00:00Z", "2027-01-01T11:00:00Z"}},
		{"once", protocol.JobSchedule{At: moment(t, "2027-01-01T10:00:00Z").Unix()}, "2026-01-01T00:00:00Z", []string{"2027-01-01T10:00:00Z"}},
		{"once, after its end", protocol.JobSchedule{At: 1000, End: 999}, "1960-01-01T00:00:00Z", nil},
		{"only when asked for", protocol.JobSchedule{}, "1960-01-01T00:00:00Z", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, at := range plan(t, c.schedule).Upcoming(moment(t, c.after), 2) {
				got = append(got, at.UTC().Format(time.RFC3339))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// All runs of a job with jitter are later by the same time, none is lost or doubled at start, end, or from call to call.
func TestJitterMovesEachRunByTheSame(t *testing.T) {
	s := protocol.JobSchedule{Cron: "*/7 * * * *", Zone: "Europe/Oslo", Start: moment(t, "2027-03-28T00:00:00Z").Unix(), End: moment(t, "2027-03-28T03:00:00Z").Unix()}
	exact := plan(t, s).Upcoming(time.Unix(0, 0), 1000)
	s.Jitter = 3600
	late := jobs.Late(9, device, s.Jitter)
	if late <= 0 || late > time.Hour {
		t.Fatalf("late by %v", late)
	}
	moved := plan(t, s).Upcoming(time.Unix(0, 0), 1000)
	if len(exact) < 20 || len(moved) != len(exact) {
		t.Fatalf("%d runs with jitter, %d without", len(moved), len(exact))
	}
	for i := range exact {
		if !moved[i].Equal(exact[i].Add(late)) {
			t.Fatalf("run %d is due at %v, want %v", i, moved[i], exact[i].Add(late))
		}
	}
}

func TestJitterIsSpreadOverDevices(t *testing.T) {
	var quarters [4]int
	for i := range 4000 {
		late := jobs.Late(9, protocol.DeviceID(fmt.Sprintf("%016d", i)), 3999)
		quarters[late/(1000*time.Second)]++
	}
	for q, n := range quarters {
		if n < 850 || n > 1150 {
			t.Errorf("quarter %d has %d of 4000 devices", q, n)
		}
	}
}

func TestBadSchedules(t *testing.T) {
	for _, s := range []protocol.JobSchedule{{Cron: "61 * * * *", Zone: "UTC"}, {Cron: "* * * * *", Zone: "Europe/Atlantis"}, {Cron: "* * * * *"}, {Cron: "* * * * *", Zone: "Local"}} {
		if _, err := jobs.NewPlan(s, 1, device); !errors.Is(err, jobs.ErrInvalid) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
