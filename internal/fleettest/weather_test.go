package fleettest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/internal/faultnet"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
)

var carriers = []protocol.Carrier{protocol.CarrierMQTT, protocol.CarrierHTTPS, protocol.CarrierAuto}

// sea runs a test in virtual time for each carrier.
func sea(t *testing.T, sail func(t *testing.T, f *Fleet, carrier protocol.Carrier)) {
	t.Helper()
	for _, carrier := range carriers {
		t.Run(string(carrier), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sail(t, New(t), carrier) })
		})
	}
}

// bundle is a stack of three services, two of which mount a file.
func bundle(tag, config string) map[string]string {
	return map[string]string{
		"compose.yml": fmt.Sprintf(`services:
  app:
    image: acme/app:%s
    configs:
      - source: settings
  proxy:
    image: acme/proxy:1
    volumes: ["./proxy.conf:/etc/proxy.conf:ro"]
  db:
    image: acme/db:1
    volumes: ["data:/var/lib/db"]
configs:
  settings:
    file: ./settings.yml
volumes:
  data: {}
`, tag),
		"settings.yml": config,
		"proxy.conf":   "listen 8080\n",
	}
}

// busy gives devices work: each step changes something, and no command is given twice to one container.
type busy struct {
	f       *Fleet
	rng     *rand.Rand
	version int
	next    map[*Device]int
}

func newBusy(f *Fleet, seed uint64) *busy {
	return &busy{f: f, rng: rand.New(rand.NewPCG(seed, 1)), next: map[*Device]int{}}
}

// containers are those that Populate made: the same for all devices with as many.
func containers(d *Device) []string {
	obs, err := d.Engine.Observe(d.fleet.t.Context())
	if err != nil {
		d.fleet.t.Fatal(err)
	}
	var names []string
	for _, c := range obs.Containers {
		names = append(names, c.Name)
	}
	return names
}

func (b *busy) step() {
	d := b.f.devices[b.rng.IntN(len(b.f.devices))]
	switch b.rng.IntN(6) {
	case 0:
		b.version++
		b.f.Apply("web", bundle(fmt.Sprint(b.version), fmt.Sprintf("level: %d\n", b.version/2)))
	case 1, 2, 3:
		names := containers(d)
		if n := b.next[d]; n < min(len(names), d.Spec.Containers) {
			b.next[d]++
			ttl := []time.Duration{0, 2 * time.Minute}[b.rng.IntN(2)]
			b.f.Give(d, protocol.Command{Kind: protocol.CommandContainerRestart, Target: names[n], Urgent: b.rng.IntN(4) == 0}, ttl)
		}
	case 4:
		b.f.Give(d, protocol.Command{Kind: protocol.CommandContainerLogs, Target: containers(d)[0]}, 0)
	case 5:
		if _, err := d.Engine.Create(fakeengine.Spec{Name: fmt.Sprintf("by-hand-%d", b.rng.IntN(1000)), Image: "busybox"}); err != nil {
			b.f.t.Log(err) // the name is taken: a dull day
		}
	}
}

// storm makes a link bad in one way after the other.
func storm(rng *rand.Rand, l *faultnet.Link) {
	switch rng.IntN(5) {
	case 0, 1:
		l.Cut()
	case 2:
		l.Set(faultnet.Knobs{Silent: true})
	case 3:
		l.Set(faultnet.Knobs{Down: true})
		l.Cut()
	case 4:
		l.Set(faultnet.Knobs{Latency: 600 * time.Millisecond, Rate: 1000})
	}
	time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Minute))))
	if rng.IntN(3) > 0 {
		l.Set(faultnet.Knobs{})
	}
}

// Links break in every way at random moments, while there is always something to say. Everything converges, and
// nothing is done twice.
func TestStorms(t *testing.T) {
	for seed := range uint64(seeds) {
		sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
			mode := []protocol.Mode{protocol.ModeAsync, protocol.ModeStandard}[seed%2]
			for n := range uint64(3) {
				d := f.Device(DeviceSpec{Seed: 1 + n + 10*seed, Carrier: carrier, Mode: mode, Containers: 12})
				d.Engine.SetLatency(200 * time.Millisecond)
			}
			b, rng := newBusy(f, seed), rand.New(rand.NewPCG(seed, 2))
			for range 40 {
				time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Second))))
				b.step()
				storm(rng, f.devices[rng.IntN(len(f.devices))].Link)
			}
			for _, d := range f.devices {
				d.Reconnect()
			}
			f.Settle(time.Hour)
		})
	}
}

// A link of 600 ms and 1 kB a second carries all there is, files of some size included.
func TestThinLink(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.newDevice(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 25, Settings: protocol.Settings{KeyExchange: protocol.KeyExchangeClassic}})
		d.Link.Set(faultnet.Knobs{Latency: 300 * time.Millisecond, Rate: 1000})
		d.Start()
		rng := rand.New(rand.NewPCG(1, 3))
		noise := make([]byte, 150_000) // cannot be compressed
		for i := range noise {
			noise[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"[rng.IntN(64)]
		}
		files := bundle("1", "level: 1\n")
		files["model.txt"] = string(noise)
		f.Apply("web", files)
		f.Give(d, protocol.Command{Kind: protocol.CommandContainerRestart, Target: containers(d)[0]}, 0)
		f.Settle(15 * time.Minute)
	})
}

// A link that goes silent (a NAT has forgotten) is noticed within a few pings, and what was said into the void is said
// again.
func TestSilence(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 3})
		f.Settle(5 * time.Minute)
		d.Link.Set(faultnet.Knobs{Silent: true})
		id := f.Give(d, protocol.Command{Kind: protocol.CommandContainerRestart, Target: containers(d)[0]}, 0)
		if err := d.Engine.ContainerStop(t.Context(), containers(d)[1], 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)
		if l := f.Hub().Fleet.Liveness(d.ID, time.Now()); l.State == "on-time" {
			t.Errorf("a device that was not heard of for 4 min, at a ping of 30 s, is %s", l.State)
		}
		d.Reconnect()
		f.Settle(10 * time.Minute)
		if s := f.State(id); s != protocol.CommandDone {
			t.Errorf("the command is %s", s)
		}
	})
}
