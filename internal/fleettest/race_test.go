package fleettest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
)

// Twenty devices on both carriers, operators that change settings, labels and stacks at the same time, and links that
// break: everything converges. Its point is to run with -race; larger bubbles crash the race detector of Go 1.26.
func TestRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { regatta(t, 20, 10*time.Minute) })
}

// regatta runs n devices for a while, with operators at work.
func regatta(t *testing.T, n int, sail time.Duration) {
	f := New(t)
	for i := range uint64(n) {
		f.Device(DeviceSpec{
			Seed: i + 1, Carrier: carriers[i%3], Mode: []protocol.Mode{protocol.ModeAsync, protocol.ModeStandard}[i%2],
			Containers: 6, Labels: map[string]string{"line": fmt.Sprint(i % 4)},
		})
	}
	var wait sync.WaitGroup
	end := time.Now().Add(sail)
	work := func(seed uint64, pause time.Duration, step func(rng *rand.Rand) error) {
		rng := rand.New(rand.NewPCG(seed, 9))
		wait.Go(func() {
			for time.Now().Before(end) {
				time.Sleep(time.Duration(rng.Int64N(int64(2 * pause))))
				if err := step(rng); err != nil {
					t.Error(err)
				}
			}
		})
	}
	pick := func(rng *rand.Rand) *Device { return f.devices[rng.IntN(n)] }
	work(1, 20*time.Second, func(rng *rand.Rand) error {
		selector := fmt.Sprintf("line=%d", rng.IntN(4))
		_, _, err := f.Hub().Planner.Apply(planner.ApplySpec{
			Name: fmt.Sprintf("stack-%d", rng.IntN(3)), Selector: &selector, Author: "test",
			Files: map[string][]byte{"compose.yml": fmt.Appendf(nil, "services:\n  a:\n    image: acme/a:%d\n", rng.IntN(5))},
		})
		return err
	})
	work(2, 10*time.Second, func(rng *rand.Rand) error {
		_, err := f.Hub().Fleet.Update(pick(rng).ID, func(d *fleet.Device) error {
			d.Labels = map[string]string{"line": fmt.Sprint(rng.IntN(4))}
			d.Settings.Ping = protocol.Frequency(20 + rng.IntN(40))
			return nil
		})
		return err
	})
	work(3, 5*time.Second, func(rng *rand.Rand) error {
		pick(rng).Link.Cut()
		return nil
	})
	work(4, 2*time.Second, func(rng *rand.Rand) error {
		for _, d := range f.Hub().Fleet.Devices() {
			f.Hub().Fleet.Liveness(d.ID, time.Now())
			f.Hub().Planner.DeviceStacks(d.ID)
			if _, err := f.Hub().Snapshots.Latest(d.ID); err != nil && rng.IntN(1000) == 0 {
				t.Log(err) // it has none yet
			}
		}
		return nil
	})
	next := map[*Device]int{}
	work(5, 5*time.Second, func(rng *rand.Rand) error {
		d := pick(rng)
		if names := containers(d); next[d] < 6 {
			f.Give(d, restart(names[next[d]]), 0)
			next[d]++
		}
		return nil
	})
	wait.Wait()
	f.Settle(time.Hour)
}
