package cron_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/cron"
)

var texts = []string{
	"*/4 1-22 * * *", "30 2 * * *", "*/20 1-3 * * *", "0 0 * * *", "15,45 0-2,23 * * 6,0", "*/7 * * * *", "59 23 1 * *", "0 0 29 2 *", "* * * * 1",
	"0 0 31 2 *",
}

var places = []string{"UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Pacific/Apia"}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func schedule(t testing.TB, text string) cron.Schedule {
	t.Helper()
	s, err := cron.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Counting by the day gives what going from moment to moment gives, wherever it begins and ends, also on days with a change
// of clocks and on one that a zone left out (Apia, 30 December 2011).
func TestManyAtOnceAreThoseOneByOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, text := range texts {
		s := schedule(t, text)
		for _, name := range places {
			start := time.Date(2011, 1, 1, 0, 0, 0, 0, zone(t, name))
			var all []time.Time
			for next := s.Next(start); !next.IsZero() && next.Year() < 2012; next = s.Next(next) {
				all = append(all, next)
			}
			for range 20 {
				after := start.Add(time.Duration(rng.Int64N(int64(370 * 24 * time.Hour))))
				to := after.Add(time.Duration(rng.Int64N(int64(time.Hour) << rng.IntN(14))))
				if rng.IntN(2) == 0 {
					after, to = after.Truncate(30*time.Minute), to.Truncate(30*time.Minute)
				}
				if to.Year() > 2011 {
					continue
				}
				var want []time.Time
				for _, at := range all {
					if at.After(after) && !at.After(to) {
						want = append(want, at)
					}
				}
				if got := s.Count(after, to); got != uint64(len(want)) {
					t.Fatalf("%s in %s: %d from %v to %v, want %d", text, name, got, after, to, len(want))
				}
				n := rng.IntN(2000)
				if got := s.Newest(after, to, n); !slices.EqualFunc(got, want[max(0, len(want)-n):], time.Time.Equal) {
					t.Fatalf("%s in %s: the newest %d from %v to %v are %d, want %d", text, name, n, after, to, len(got), min(n, len(want)))
				}
			}
		}
	}
}

func TestShifts(t *testing.T) {
	const layout = "2006-01-02 15:04"
	for _, c := range []struct {
		cron, zone string
		want       []string
	}{
		{"30 2 * * *", "Europe/Oslo", []string{"2027-03-28 02:30 left out", "2027-10-31 02:30 twice"}},
		{"0 2 * * *", "Europe/Oslo", []string{"2027-03-28 02:00 left out", "2027-10-31 02:00 twice"}},
		{"0 3 * * *", "Europe/Oslo", nil},
		{"30 2 * * 1", "Europe/Oslo", nil}, // both are Sundays
		{"30 2 28 3 *", "Europe/Oslo", []string{"2027-03-28 02:30 left out"}},
		{"*/5 * * * *", "Europe/Oslo", nil},
		{"30 2 * * *", "UTC", nil},
		{"45 1 * * *", "Australia/Lord_Howe", []string{"2027-04-04 01:45 twice"}},
		{"15 0 * * *", "America/Santiago", []string{"2027-09-05 00:15 left out"}},
	} {
		var got []string
		from := time.Date(2027, 1, 1, 0, 0, 0, 0, zone(t, c.zone))
		for _, s := range schedule(t, c.cron).Shifts(from, from.AddDate(1, 0, 0)) {
			word := " left out"
			if s.Twice {
				word = " twice"
			}
			got = append(got, s.Clock.Format(layout)+word)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s in %s: %q, want %q", c.cron, c.zone, got, c.want)
		}
	}
}

// Package time has bounds of zones that lie behind, at the end of leap years.
func TestLeapYearsEnd(t *testing.T) {
	s := schedule(t, "0 2 * * *")
	from := time.Date(2028, 12, 30, 0, 0, 0, 0, zone(t, "Europe/Oslo"))
	if got := s.Shifts(from, from.AddDate(0, 6, 0)); len(got) != 1 || got[0].Clock.Format("2006-01-02 15:04") != "2029-03-25 02:00" {
		t.Errorf("%+v", got)
	}
	if n := s.Count(from, from.AddDate(0, 0, 4)); n != 4 {
		t.Errorf("%d", n)
	}
}

func BenchmarkCountYear(b *testing.B) {
	s, from := schedule(b, "* 1-22 * * *"), time.Date(2027, 1, 1, 0, 0, 0, 0, zone(b, "Europe/Oslo"))
	for b.Loop() {
		if n := s.Count(from, from.AddDate(1, 0, 0)); n < 480_000 {
			b.Fatal(n)
		}
	}
}
