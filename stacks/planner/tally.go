package planner

import "github.com/farshore/farshore/protocol"

// Tally counts the stacks of a device.
type Tally struct {
	// All that it shall have, or still has to give up.
	All int
	// Running as wanted.
	Running int
	// Failed or degraded.
	Failed int
}

// Tally counts the stacks of a device as DeviceStacks shows them. It takes no memory, so that it can be asked of all
// devices at once.
func (p *Planner) Tally(dev protocol.DeviceID) (t Tally) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	t.All, t.Failed = p.refusals[dev], p.refusals[dev]
	for s, a := range p.byDevice[dev] {
		t.All++
		switch s.shown(a) {
		case protocol.StackRunning:
			t.Running++
		case protocol.StackFailed, protocol.StackDegraded:
			t.Failed++
		}
	}
	return t
}
