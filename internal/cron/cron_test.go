package cron_test

import (
	"errors"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/cron"
)

func TestNext(t *testing.T) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, oslo)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ cron, from, want string }{
		{"0 2 * * *", "2026-01-31 02:00", "2026-02-01 02:00"},
		{"*/15 8-9 * * 1-5", "2026-11-20 09:45", "2026-11-23 08:00"}, // Friday to Monday
		{"30 23 31 * *", "2026-02-01 00:00", "2026-03-31 23:30"},
		{"0 0 1 * 7", "2026-11-23 00:00", "2026-11-29 00:00"}, // the first of a month, or a Sunday
		{"0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"},
		{"5,10/20 4 * 12 *", "2026-11-22 00:00", "2026-12-01 04:05"},
		{"30 2 * * *", "2026-03-28 12:00", "2026-03-29 03:30"}, // the clocks go forward at 2
	} {
		s, err := cron.Parse(c.cron)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Next(at(c.from)); !got.Equal(at(c.want)) {
			t.Errorf("%q after %s is %s, want %s", c.cron, c.from, got, c.want)
		}
	}
	if s, err := cron.Parse("0 0 31 2 *"); err != nil || !s.Next(at("2026-01-01 00:00")).IsZero() {
		t.Errorf("a day that never comes: %v", err)
	}
}

func TestTextsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *", ",* * * * *"} {
		if _, err := cron.Parse(text); !errors.Is(err, cron.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0 2 * * 6,7")
	f.Add("*/5 1-3/2 * 2 1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := cron.Parse(text)
		if err != nil {
			return
		}
		from := time.Unix(1_760_000_000, 0).UTC()
		if next := s.Next(from); !next.IsZero() && (!next.After(from) || next.Second() != 0) {
			t.Errorf("%q after %s is %s", text, from, next)
		}
	})
}
