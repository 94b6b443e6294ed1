package exchange

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// longestSilence is how long an MQTT connection may go without a packet, whatever the ping frequency: the keep-alive
// of MQTT is at most 18 h 12 min.
const longestSilence = 12 * time.Hour

// pushEvery is how often a snapshot may be sent where it goes on change.
const pushEvery = 2 * time.Second

// tick is one of the device's rhythms. The zero tick never comes.
type tick struct {
	every time.Duration
	next  time.Time
}

// due reports whether the tick has come, or comes within protocol.TickJoin, and moves it on.
func (t *tick) due(now time.Time) bool {
	if t.every <= 0 || now.Add(protocol.TickJoin).Before(t.next) {
		return false
	}
	t.next = t.next.Add(t.every)
	if !t.next.After(now) { // the machine slept, or the link was down: keep the rhythm, do not catch up
		behind := now.Sub(t.next)/t.every + 1
		t.next = t.next.Add(behind * t.every)
	}
	return true
}

// ticks are the rhythms of one connection.
type ticks struct {
	ping, snapshot, command tick
}

// grid is what rhythms are laid on.
type grid struct {
	start time.Time
	slot  time.Duration // the device's own shift, so that a fleet does not tick together
	push  bool          // the hub can send by itself
}

// newTicks lays the rhythms of the settings on a grid. The first tick comes within one interval, for the hub counts
// from the last contact. A carrier that cannot push asks for commands at least as often as it pings.
func newTicks(s protocol.Settings, g grid) ticks {
	start, push := g.start, g.push
	lay := func(f protocol.Frequency) tick {
		d, ok := f.Duration()
		if !ok {
			return tick{}
		}
		first := g.slot % d
		if first < protocol.TickJoin {
			first = d
		}
		return tick{every: d, next: start.Add(first)}
	}
	t := ticks{ping: lay(s.Ping), snapshot: lay(s.Snapshot), command: lay(s.Command)}
	if push && (t.ping.every == 0 || t.ping.every > longestSilence) {
		t.ping = tick{every: longestSilence, next: start.Add(longestSilence)}
	}
	if !push && s.Command == protocol.FrequencyPush {
		t.command = t.ping
	}
	return t
}

// next is when the first of the ticks comes; ok is false when none ever does.
func (t *ticks) nextAt() (at time.Time, ok bool) {
	for _, k := range []tick{t.ping, t.snapshot, t.command} {
		if k.every > 0 && (!ok || k.next.Before(at)) {
			at, ok = k.next, true
		}
	}
	return at, ok
}
