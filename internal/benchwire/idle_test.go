//go:build bench && linux

package benchwire

import (
	"fmt"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/wirelab"
	"github.com/farshore/farshore/protocol"
)

// Cycles that the idle rows measure.
const (
	idlePings      = 120 // with a snapshot tick for every fifth, as 60 s and 5 min
	satellitePings = 72  // a day of the profile: 72 pings, 24 snapshot ticks
	realPings      = 2   // at the real interval of 60 s
)

// idleRows measures devices that have nothing to say.
func idleRows(t *testing.T, r *report) {
	s := newSite(t)
	async := s.device(t, deviceSpec{seed: 1, carrier: protocol.CarrierMQTT, containers: 5, settings: protocol.Settings{Ping: 1, Snapshot: 5, Command: 1}})
	satellite := s.device(t, deviceSpec{seed: 2, carrier: protocol.CarrierMQTT, containers: 5, profile: fleet.ProfileSatellite, settings: protocol.Settings{Ping: 1, Snapshot: 3}})
	slow := s.device(t, deviceSpec{seed: 3, carrier: protocol.CarrierMQTT, containers: 5})
	silent := s.device(t, deviceSpec{seed: 4, carrier: protocol.CarrierMQTT, containers: 5, settings: protocol.Settings{Ping: protocol.FrequencyOff, Snapshot: 2, Command: 1}})
	https := s.device(t, deviceSpec{seed: 5, carrier: protocol.CarrierHTTPS, containers: 5, settings: protocol.Settings{Ping: 1, Snapshot: 5, Command: 1}})
	for _, d := range []*device{async, satellite, slow, silent, https} {
		d.settled(t, 5)
	}
	// The new ping interval is taken into force by a new connection; wait until each device has its last one.
	time.Sleep(5 * time.Second)
	mark, flows := s.Wire.Mark(), map[*device]wirelab.Flow{}
	for _, d := range []*device{async, satellite, slow, silent, https} {
		flows[d] = d.last()
	}
	time.Sleep((idlePings + realPings + 5) * time.Second)
	all := s.Wire.Since(mark)
	for d, f := range flows {
		if d.last() != f {
			t.Fatalf("device %s made a new connection while it was measured", d.id)
		}
	}
	opening := openings(t, r)

	n := perPing(t, all.On(flows[async]), idlePings)
	day := opening.whole + 1440*n/idlePings
	r.add(t, row{
		what: "idle device, 60 s ping, MQTT, 24 h", where: "wire", target: "≤ 310 kB", got: kB(day), verdict: atMost(day, 310_000),
		how: fmt.Sprintf("%s B in %d pings with snapshot and command ticks in proportion (1 s, 5 s, 1 s): %.1f B a ping × 1,440, and %s B to connect and open the session",
			thousands(n), idlePings, float64(n)/idlePings, thousands(opening.whole)),
	})
	n = perPing(t, all.On(flows[slow]), realPings)
	r.add(t, row{
		what: "the same, at the real interval", where: "wire", target: "", got: fmt.Sprintf("%d B a ping", n/realPings),
		how: fmt.Sprintf("%d pings 60 s apart: shows that the short interval above does not flatter", realPings),
	})
	n = perPing(t, all.On(flows[satellite]), satellitePings)
	day = opening.whole + n
	r.add(t, row{
		what: "idle device, 20 min ping, MQTT, 24 h, profile `satellite`", where: "wire", target: "≤ 20 kB", got: kB(day), verdict: atMost(day, 20_000),
		how: fmt.Sprintf("%s B in the 72 pings and 24 snapshot ticks of a day (1 s and 3 s apart), and %s B to connect and open the session", thousands(n), thousands(opening.whole)),
	})
	r.add(t, row{
		what: "connect, authenticate, subscribe, first ping, profile `satellite`", where: "wire", target: "≤ 2.1 kB",
		got: thousands(opening.connect) + " B", verdict: atMost(opening.connect, 2100), how: "a running agent's new connection after its link was lost, from SYN to the acknowledged ping; the median of 5 (least " + fmt.Sprint(opening.least) + ", most " + fmt.Sprint(opening.most) + ")",
	})
	r.add(t, row{
		what: "the same where the edge key names the hub by a host name of 17 characters", where: "wire", got: thousands(opening.named) + " B",
		how: "the name travels in the TLS handshake, for proxies that go by it",
	})
	r.add(t, row{
		what: "the same with hello, welcome and orders: a restarted agent", where: "wire", got: thousands(opening.whole) + " B",
		how: "first session of a new run of the agent, nothing to report",
	})
	quiet := all.On(flows[silent])
	if len(quiet) > 0 {
		t.Logf("what passed though nothing changed (a capture that is overdue on a busy machine is told of):\n%s", quiet)
	}
	r.add(t, row{
		what: "nothing changed", where: "both", target: "0 B", got: fmt.Sprintf("%d B", quiet.Bytes()), verdict: atMost(quiet.Bytes(), 0),
		how: fmt.Sprintf("%d snapshot ticks and twice as many command ticks of a device whose ping is off", idlePings/2),
	})
	posts := all.On(flows[https])
	r.add(t, row{
		what: "HTTPS, kept alive: one contact", where: "wire", got: fmt.Sprintf("%d B", perExchange(posts)),
		how: "for comparison; a POST that asks and its empty answer, so 60 s apart about " + kB(1440*perExchange(posts)) + " a day",
	})
	r.detail("One ping", all.On(flows[slow]).String())
}

// perPing is what passed from one ping to the n-th after it.
func perPing(t *testing.T, tr wirelab.Traffic, n int) int {
	t.Helper()
	var at []int
	for i, p := range tr {
		if p.Up && len(p.Records) == 1 && p.Records[0] == mqttPing {
			at = append(at, i)
		}
	}
	switch {
	case len(at) > n:
		return tr[at[0]:at[n]].Bytes()
	case len(at) == n && time.Since(tr[len(tr)-1].At) > time.Second: // what belongs to the last one is over
		return tr[at[0]:].Bytes()
	}
	t.Fatalf("%d pings were seen, want %d and one more:\n%s", len(at), n, tr)
	return 0
}

// perExchange is the mean of requests on a connection that is kept.
func perExchange(tr wirelab.Traffic) int {
	first, last, n := -1, 0, 0
	for i, p := range tr {
		if p.Up && len(p.Records) > 0 {
			if first < 0 {
				first = i
			}
			last = i
			n++
		}
	}
	return tr[first:last].Bytes() / (n - 1)
}
