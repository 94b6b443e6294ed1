package fleettest

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/internal/faultnet"
	"github.com/farshore/farshore/protocol"
)

// The carrier changes again and again in the middle of everything, because the MQTT port, or all of MQTT, cannot be
// reached: nothing is lost, and nothing is done twice.
func TestCarrierSwitched(t *testing.T) { carrierSwitched(t) }

func carrierSwitched(t *testing.T) {
	for _, how := range []faultnet.Blocking{faultnet.Refuse, faultnet.Drop} {
		t.Run([]string{"", "refused", "dropped"}[how], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := New(t)
				for n := range uint64(2) {
					d := f.Device(DeviceSpec{Seed: 1 + n, Mode: protocol.ModeStandard, Containers: 12})
					d.Engine.SetLatency(200 * time.Millisecond)
				}
				b, rng := newBusy(f, 5), rand.New(rand.NewPCG(5, 5))
				seen := map[protocol.Carrier]bool{}
				for leg := range switchLegs {
					f.Network.Block(mqttAddress, []faultnet.Blocking{faultnet.Open, how}[leg%2])
					for range 12 {
						time.Sleep(time.Duration(rng.Int64N(int64(time.Minute))))
						b.step()
						if c, ok := f.Hub().Sessions.Online(f.devices[0].ID); ok {
							seen[c] = true
						}
					}
				}
				f.Network.Block(mqttAddress, faultnet.Open)
				f.Settle(30 * time.Minute)
				if !seen[protocol.CarrierMQTT] {
					t.Errorf("carriers seen: %v", seen)
				}
			})
		})
	}
}

// On the way from MQTT to HTTPS and back, while there is always something under way, nothing is lost or repeated, and
// no new session is needed: the hub hears of one run of the agent, and of no copy.
func TestBetweenMQTTAndHTTPS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard, Containers: 12})
		d.Engine.SetLatency(200 * time.Millisecond)
		f.Settle(10 * time.Minute)
		on := func(c protocol.Carrier) func() bool {
			return func() bool {
				got, ok := f.Hub().Sessions.Online(d.ID)
				return ok && got == c && d.Status().Session.Carrier == c
			}
		}
		b, rng := newBusy(f, 6), rand.New(rand.NewPCG(6, 6))
		work := func() {
			for range 6 {
				b.step()
				time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second))))
			}
		}
		for range 4 {
			work()
			d.Carry(Broken, link.KindMQTT, link.KindMQTTWebSocket)
			work()
			f.Until("the device comes by HTTPS", 10*time.Minute, on(protocol.CarrierHTTPS))
			work()
			d.Carry(Working, link.KindMQTT, link.KindMQTTWebSocket)
			work()
			f.Until("the device comes by MQTT", 24*time.Hour, on(protocol.CarrierMQTT))
		}
		f.Settle(30 * time.Minute)
		if n := f.Told("copy"); n != 0 {
			t.Errorf("%d events say that it is a copy", n)
		}
	})
}
