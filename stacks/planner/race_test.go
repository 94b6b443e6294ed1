package planner_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// Operators, devices and readers at the same time; afterwards all comes to rest as if they had come one by one.
func TestEverybodyAtOnce(t *testing.T) {
	fleet := map[protocol.DeviceID]map[string]string{}
	var devices []*device
	for i := range 12 {
		id := protocol.DeviceID(fmt.Sprintf("device%010d", i))
		fleet[id] = map[string]string{"k": fmt.Sprint(i % 2)}
		devices = append(devices, newDevice(id))
	}
	h := start(t, fleet)
	var wg sync.WaitGroup
	for _, d := range devices {
		wg.Go(func() {
			for range 25 {
				d.contact(h)
				d.work(running)
			}
		})
	}
	wg.Go(func() {
		r := rand.New(rand.NewPCG(1, 1))
		for i := range 60 {
			name := fmt.Sprintf("stack%d", i%3)
			_, _, err := h.Apply(planner.ApplySpec{Name: name, Selector: ptr(fmt.Sprintf("k=%d", r.IntN(2))), Files: bundle(fmt.Sprint(i))})
			if err != nil {
				t.Error(err)
			}
			if err := h.Remove(fmt.Sprintf("stack%d", r.IntN(3)), "ada"); err != nil &&
				!errors.Is(err, planner.ErrRemoving) && !errors.Is(err, stacks.ErrNotFound) {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for i := range 300 {
			d := devices[i%len(devices)].id
			h.fleet.mu.Lock()
			h.fleet.devices[d] = map[string]string{"k": fmt.Sprint(i / 7 % 2)}
			h.fleet.mu.Unlock()
			if err := h.DeviceChanged(d); err != nil {
				t.Error(err)
			}
			for _, o := range h.List() {
				_, _ = h.Statuses(o.Name)
			}
			h.DeviceStacks(d)
			h.Readable(d, protocol.ShortHash{1})
		}
	})
	wg.Wait()
	for range 4 {
		for _, d := range devices {
			d.contact(h)
			d.work(running)
			d.contact(h)
		}
	}
	for _, o := range h.List() {
		if o.Removed != 0 || o.States[protocol.StackRunning] != o.Devices {
			t.Errorf("%s does not come to rest: removed %d, %v of %d", o.Name, o.Removed, o.States, o.Devices)
		}
	}
	for _, d := range devices {
		if len(d.runs) != len(h.DeviceStacks(d.id)) {
			t.Errorf("%s runs %d stacks, is shown with %v", d.id, len(d.runs), h.DeviceStacks(d.id))
		}
	}
}

// BenchmarkStatus is the cost of a status in a fleet of 10,000 devices that all have the stack.
func BenchmarkStatus(b *testing.B) {
	fleet := map[protocol.DeviceID]map[string]string{}
	for i := range 10000 {
		fleet[protocol.DeviceID(fmt.Sprintf("device%010d", i))] = nil
	}
	h := start(b, fleet)
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one")})
	b.SetParallelism(500)
	b.ResetTimer()
	var n uint64
	var mu sync.Mutex
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			mu.Lock()
			n++
			rev := n
			mu.Unlock()
			dev := protocol.DeviceID(fmt.Sprintf("device%010d", rev%10000))
			err := h.Status(dev, protocol.StackStatus{Stack: 1, Version: 1, State: protocol.StackRunning, Rev: rev})
			if err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkApply is the cost of a new version for 10,000 devices.
func BenchmarkApply(b *testing.B) {
	fleet := map[protocol.DeviceID]map[string]string{}
	for i := range 10000 {
		fleet[protocol.DeviceID(fmt.Sprintf("device%010d", i))] = nil
	}
	h := start(b, fleet)
	n := 0
	for b.Loop() {
		n++
		h.apply(planner.ApplySpec{Name: "web", Files: bundle(fmt.Sprint(n))})
	}
}
