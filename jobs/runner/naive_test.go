package runner_test

import (
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
)

// What follows says a second time, and as plainly as it can, what the package is to do: nothing of it is used by it.

// times are a schedule as people would check it, minute by minute.
type times struct {
	cron    string
	matches func(clock time.Time) bool // by what clocks show
	passes  bool                       // it goes by what passes, in all hours
	every   time.Duration              // about
	days    int                        // that it lasts, around the year's middle or a change of clocks; 0: all year
}

func hm(t time.Time, hour, minute int) bool { return t.Hour() == hour && t.Minute() == minute }

var schedules = []times{
	{"30 2 * * *", func(t time.Time) bool { return hm(t, 2, 30) }, false, 24 * time.Hour, 0},
	{"5 0 * * *", func(t time.Time) bool { return hm(t, 0, 5) }, false, 24 * time.Hour, 0},
	{"15 */6 * * *", func(t time.Time) bool { return t.Hour()%6 == 0 && t.Minute() == 15 }, false, 6 * time.Hour, 0},
	{"0,40 1-3 * * *", func(t time.Time) bool {
		return t.Hour() >= 1 && t.Hour() <= 3 && (t.Minute() == 0 || t.Minute() == 40)
	}, false, 40 * time.Minute, 200},
	{"0 2 * * mon-fri", func(t time.Time) bool {
		return hm(t, 2, 0) && t.Weekday() != time.Saturday && t.Weekday() != time.Sunday
	}, false, 24 * time.Hour, 0},
	{"10 3 1,15 * *", func(t time.Time) bool { return hm(t, 3, 10) && (t.Day() == 1 || t.Day() == 15) }, false, 24 * time.Hour, 0},
	{"45 2 * * 0", func(t time.Time) bool { return hm(t, 2, 45) && t.Weekday() == time.Sunday }, false, 24 * time.Hour, 0},
	{"*/20 * * * *", func(t time.Time) bool { return t.Minute()%20 == 0 }, true, 20 * time.Minute, 12},
	{"7 * * * *", func(t time.Time) bool { return t.Minute() == 7 }, true, time.Hour, 30},
}

// walk gives all moments of a schedule from one to another, by walking along the clock of a zone.
func (s times) walk(zone *time.Location, from, to time.Time) (out []time.Time) {
	shown := map[int64]bool{} // what clocks showed at which it was due
	var before int64
	for t := from.Truncate(time.Minute); !t.After(to); t = t.Add(time.Minute) {
		local := t.In(zone)
		_, offset := local.Zone()
		clock := t.Unix() + int64(offset)
		due := false
		if s.passes {
			due = s.matches(local)
		} else {
			first := clock
			if before != 0 && clock > before+60 { // clocks left something out
				first = before + 60
			}
			for c := first; c <= clock; c += 60 {
				if s.matches(time.Unix(c, 0).UTC()) && !shown[c] {
					due, shown[c] = true, true
				}
			}
		}
		before = clock
		if due {
			out = append(out, t)
		}
	}
	return out
}

// life is what happened to the power of a device.
type life struct {
	boot time.Time
	cut  cut
}

// cut is how the power went: at a moment, or while a change was being written.
type cut struct {
	at      time.Time
	phase   string // "": nothing was being written
	written bool
}

// model says what should become of each due time of a job.
type model struct {
	spec  protocol.Job
	takes func(due int64) (time.Duration, protocol.JobState)

	state  map[int64]string
	queue  []int64
	active int64 // 0: none
	ends   time.Time
	cut    cut
}

// write reports whether a change that is due at a moment is written, and whether the device goes on.
func (m *model) write(phase string, at time.Time) (written, on bool) {
	if m.cut.phase == phase && m.cut.at.Equal(at) {
		return m.cut.written, false
	}
	return true, true
}

func (m *model) end(state string, at time.Time) bool {
	written, on := m.write("end", at)
	if written {
		m.state[m.active], m.active = state, 0
	}
	return on
}

func (m *model) start(at time.Time) bool {
	if m.active != 0 || len(m.queue) == 0 {
		return true
	}
	written, on := m.write("start", at)
	if written {
		m.active, m.queue = m.queue[0], m.queue[1:]
		takes, _ := m.takes(m.active)
		m.ends = at.Add(takes)
	}
	return on
}

// overlap decides about what is due while something is under way or waits. True: it killed what is.
func (m *model) overlap(due int64) (kill bool) {
	switch {
	case m.active == 0 && len(m.queue) == 0:
		m.queue = append(m.queue, due)
	case m.spec.Overlap == protocol.OverlapKill:
		for _, waiting := range m.queue {
			m.state[waiting] = "cancelled"
		}
		m.queue = []int64{due}
		return m.active != 0
	case m.spec.Overlap == protocol.OverlapQueue && len(m.queue) < 16:
		m.queue = append(m.queue, due)
	default:
		m.state[due] = "skipped"
	}
	return false
}

// live goes through the lives of a device.
func (m *model) live(lives []life, dues []int64) map[int64]string {
	m.state = map[int64]string{}
	for _, l := range lives {
		m.cut = l.cut
		dues = m.one(l.boot, dues)
	}
	for _, due := range m.queue {
		m.state[due] = "waiting"
	}
	if m.active != 0 {
		m.state[m.active] = "waiting"
	}
	return m.state
}

// one goes through one life, and returns what is not accounted for after it.
func (m *model) one(boot time.Time, dues []int64) []int64 {
	if m.active != 0 && !m.end("interrupted", boot) {
		return dues
	}
	past := 0
	for past < len(dues) && dues[past] <= boot.Unix() {
		past++
	}
	if past > 0 {
		written, on := m.write("account", boot)
		if written {
			m.wake(boot, dues[:past])
			dues = dues[past:]
		}
		if !on {
			return dues
		}
	}
	if !m.start(boot) {
		return dues
	}
	for {
		at := m.cut.at
		if len(dues) > 0 && !time.Unix(dues[0], 0).After(at) {
			at = time.Unix(dues[0], 0)
		}
		if m.active != 0 && !m.ends.After(at) {
			at = m.ends
			_, state := m.takes(m.active)
			if !m.end(state.String(), at) || !m.start(at) {
				return dues
			}
			continue
		}
		if len(dues) == 0 || dues[0] != at.Unix() || at.Nanosecond() != 0 {
			return dues // the power went
		}
		written, on := m.write("account", at)
		if !written {
			return dues
		}
		kill := m.overlap(dues[0])
		dues = dues[1:]
		if !on || kill && !m.end("cancelled", at) || !m.start(at) {
			return dues
		}
	}
}

// wake decides about what was due while the device was off.
func (m *model) wake(boot time.Time, past []int64) {
	made := int(m.spec.Missed)
	last := past[len(past)-1]
	fresh := boot.Sub(time.Unix(last, 0)) <= time.Minute
	if made == 0 && fresh {
		made = 1
	}
	made = min(made, len(past))
	for _, due := range past[:len(past)-made] {
		m.state[due] = "missed"
	}
	busy := len(m.queue) > 0
	for _, due := range past[len(past)-made:] {
		if due == last && fresh && busy {
			m.overlap(due)
		} else {
			m.queue = append(m.queue, due)
		}
	}
	m.queue = slices.Clip(m.queue)
}
