package planner

import "time"

// Look takes rollouts one step on, as Run does, at a time of the test's choosing.
func (p *Planner) Look(now time.Time) time.Time { return p.look(now) }
