package session

import (
	"slices"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Meter counts what a connection of the device costs from now on, until ended is called at its end. A connection that
// is met twice counts once. What it has spent is part of Spent at any moment, and stays so.
func (m *Manager) Meter(id protocol.DeviceID, t *meter.Tally) (ended func()) {
	d, err := m.device(id)
	if err != nil { // the hub is stopping
		return func() {}
	}
	d.p.Lock()
	defer d.p.Unlock()
	if !slices.Contains(d.live, t) {
		d.live = append(d.live, t)
	}
	return func() { d.settle(t) }
}

// settle takes over for good what a connection has cost, once.
func (d *device) settle(t *meter.Tally) {
	d.p.Lock()
	defer d.p.Unlock()
	if i := slices.Index(d.live, t); i >= 0 {
		d.live = slices.Delete(d.live, i, i+1)
		d.spent.Add(t.Counts())
	}
}

// spending is what the device's connections have cost. Of those that live it has only what was given to a class, so
// that no class ever counts down.
func (d *device) spending() meter.Counts {
	d.p.Lock()
	defer d.p.Unlock()
	sum := d.spent
	for _, t := range d.live {
		sum.Add(t.Claimed())
	}
	return sum
}

// Spent is what the device's connections have cost since the hub started, those that live included. No count of it
// ever goes down.
func (m *Manager) Spent(id protocol.DeviceID) meter.Counts {
	d := m.known(id)
	if d == nil {
		return meter.Counts{}
	}
	return d.spending()
}

// SpentByEach calls fn with each device of which something was counted since the hub started, and its Spent.
func (m *Manager) SpentByEach(fn func(protocol.DeviceID, meter.Counts)) {
	m.mu.Lock()
	all := m.all()
	m.mu.Unlock()
	for _, d := range all {
		fn(d.id, d.spending())
	}
}

// SpentByAll is Spent of all devices together, those included that were removed since.
func (m *Manager) SpentByAll() meter.Counts {
	m.mu.Lock()
	all := m.all()
	m.mu.Unlock()
	var sum meter.Counts
	for _, d := range all {
		sum.Add(d.spending())
	}
	return sum
}
