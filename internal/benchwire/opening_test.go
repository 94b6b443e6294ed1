//go:build bench && linux

package benchwire

import (
	"slices"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/wirelab"
	"github.com/farshore/farshore/protocol"
)

// opening is what it costs to be connected, in bytes on the wire, with the profile satellite.
type opening struct {
	connect, least, most int // a new connection of a running agent
	named                int // the same by a host name
	whole                int // with a new session
}

// settle is how long the wire is silent when an exchange is over: longer than the gathering of results and the
// longest delayed acknowledgement.
const settle = 400 * time.Millisecond

// openings measures on a site that is otherwise idle.
func openings(t *testing.T, r *report) (o opening) {
	t.Helper()
	const times = 5
	s := newSite(t)
	d := s.device(t, deviceSpec{seed: 10, carrier: protocol.CarrierMQTT, profile: fleet.ProfileSatellite, containers: 5})
	d.settled(t, 5)
	costs, last := make([]int, 0, times), wirelab.Traffic{}
	for range times {
		last = d.reconnected(t)
		costs = append(costs, last.Bytes())
	}
	slices.Sort(costs)
	o.connect, o.least, o.most = costs[times/2], costs[0], costs[times-1]
	r.detail("A new connection, profile `satellite`", last.String())

	s.Wire.Quiet(t, settle)
	mark := s.Wire.Mark()
	d.restart(t)
	s.until(t, "the agent is connected again", time.Minute, func() bool { return len(s.Wire.Since(mark).On(d.last())) > 0 })
	s.Wire.Quiet(t, time.Second)
	whole := s.Wire.Since(mark).On(d.last())
	o.whole = whole.Bytes()
	r.detail("A restarted agent: new connection and session", whole.String())

	n := s.device(t, deviceSpec{seed: 11, carrier: protocol.CarrierMQTT, profile: fleet.ProfileSatellite, containers: 5, hostname: "fleet.example.com"})
	n.settled(t, 5)
	o.named = n.reconnected(t).Bytes()
	return o
}

// reconnected cuts the device's link and returns what its next connection costs until it is idle.
func (d *device) reconnected(t *testing.T) wirelab.Traffic {
	t.Helper()
	wire := d.site.Wire
	wire.Quiet(t, 1500*time.Millisecond)
	mark, before := wire.Mark(), len(d.flows())
	d.cut()
	d.site.until(t, "the agent connects again", time.Minute, func() bool { return len(d.flows()) > before })
	wire.Quiet(t, settle)
	if n := len(d.flows()); n != before+1 {
		t.Fatalf("the agent made %d connections", n-before)
	}
	return wire.Since(mark).On(d.last())
}
