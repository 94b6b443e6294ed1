package runner

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// oneByOne gathers what is due as due does, going from time to time.
func oneByOne(j *job, until, now time.Time) (d dues) {
	want := int(min(j.entry.Job.Missed, protocol.MaxJobMissed))
	for t := until; ; {
		next, ok := j.plan.Next(t)
		if !ok || next.After(now) {
			break
		}
		t, d.last = next, next.Unix()
		if j.cursor.DoneFrom < d.last && d.last <= j.cursor.DoneTo {
			continue
		}
		if d.count++; d.count == 1 {
			d.first = d.last
		}
		d.newest = append(d.newest, d.last)
		if len(d.newest) > max(want, 1) {
			d.missed, d.newest = d.newest[0], d.newest[1:]
		}
	}
	if d.count > 0 && want == 0 && now.Sub(time.Unix(d.last, 0)) > onTime {
		d.missed, d.newest = d.newest[0], nil
	}
	return d
}

func planned(t testing.TB, spec protocol.Job) *job {
	t.Helper()
	plan, err := jobs.NewPlan(spec.Schedule, 7, "k3x9aaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	return &job{plan: plan, entry: protocol.Entry{Job: &spec}}
}

// What is due is the same counted as it is one by one, with stretches that were accounted for before a clock was set back.
func TestWhatIsDueIsCountedAsOneByOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	some := 0
	for i := range 400 {
		spec := protocol.Job{
			Schedule: protocol.JobSchedule{
				Cron: []string{"*/5 1-22 * * *", "30 2 * * *", "*/7 * * * *", "0 0 1 * *"}[i%4],
				Zone: []string{"Europe/Oslo", "America/Santiago", "UTC"}[i%3], Jitter: []uint32{0, 7200}[rng.IntN(2)],
			},
			Missed: []uint32{0, 1, 5, 1000}[rng.IntN(4)],
		}
		from := time.Date(2027, 1, 1, 0, 0, rng.IntN(60), 0, time.UTC)
		day := func(n int64) time.Time { return from.Add(time.Duration(rng.Int64N(n * int64(24*time.Hour)))) }
		until, now := day(200).Truncate(time.Second), day(250)
		if rng.IntN(4) == 0 {
			spec.Schedule.Start, spec.Schedule.End = day(100).Unix(), day(300).Unix()
		}
		j := planned(t, spec)
		if rng.IntN(2) == 0 {
			j.cursor.DoneFrom = day(200).Unix()
			j.cursor.DoneTo = j.cursor.DoneFrom + rng.Int64N(60*24*3600)
		}
		got, want := (*Runner)(nil).due(j, until, now), oneByOne(j, until, now)
		if len(got.newest) == 0 && len(want.newest) == 0 {
			got.newest, want.newest = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, done %d to %d, from %v to %v:\n%+v, want\n%+v", spec.Schedule, j.cursor.DoneFrom, j.cursor.DoneTo, until, now, got, want)
		}
		if want.count > 1 {
			some++
		}
	}
	if some < 100 {
		t.Errorf("only %d cases had anything due", some)
	}
}

// A clock that was a year behind.
func BenchmarkDueAfterAYear(b *testing.B) {
	for name, missed := range map[string]uint32{"Skip": 0, "All": 1000} {
		b.Run(name, func(b *testing.B) {
			j := planned(b, protocol.Job{Schedule: protocol.JobSchedule{Cron: "* 1-22 * * *", Zone: "Europe/Oslo"}, Missed: missed})
			now := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				if d := (*Runner)(nil).due(j, now.AddDate(-1, 0, 0), now); d.count < 480_000 {
					b.Fatal(d.count)
				}
			}
		})
	}
}

// The same, going from time to time.
func BenchmarkDueAfterAYearOneByOne(b *testing.B) {
	j := planned(b, protocol.Job{Schedule: protocol.JobSchedule{Cron: "* 1-22 * * *", Zone: "Europe/Oslo"}})
	now := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		if d := oneByOne(j, now.AddDate(-1, 0, 0), now); d.count < 480_000 {
			b.Fatal(d.count)
		}
	}
}
