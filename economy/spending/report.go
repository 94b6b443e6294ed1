package spending

import (
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Report is how spending stands, for a person at the device.
type Report struct {
	// CycleStart and CycleEnd are zero where nothing was spent yet and the time is not known.
	CycleStart time.Time         `json:"cycle_start,omitzero"`
	CycleEnd   time.Time         `json:"cycle_end,omitzero"`
	Stage      protocol.Spending `json:"stage"`
	Spent      uint64            `json:"spent"`
	Soft       uint64            `json:"soft,omitempty"`
	Hard       uint64            `json:"hard,omitempty"`
	Reserve    uint64            `json:"reserve,omitempty"`
	Cycle      []ClassSpent      `json:"classes"`
	Today      []ClassSpent      `json:"today"`
	Rate       uint32            `json:"rate,omitempty"`
	Open       bool              `json:"open"`
	Opening    *economy.Opening  `json:"opening,omitempty"`
	Local      time.Time         `json:"local_until,omitzero"`
	Unkept     string            `json:"unkept,omitempty"`
}

// ClassSpent is what one class has cost.
type ClassSpent struct {
	Class string `json:"class"`
	Up    uint64 `json:"up"`
	Down  uint64 `json:"down"`
}

// Report tells how spending stands.
func (k *Keeper) Report() Report {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.turn()
	caps := k.caps()
	r := Report{
		CycleStart: k.cycle.Start(), CycleEnd: k.cycle.End(), Stage: k.stage(), Spent: k.spent(), Soft: caps.Soft, Hard: caps.Hard,
		Reserve: caps.Hard - caps.Last, Rate: k.rate.bytes(), Open: k.isOpen(now),
	}
	cycle := Day{}
	for _, d := range k.all() {
		if d.Day >= k.cycle.First {
			cycle = cycle.with(d.counts())
		}
	}
	today := k.today()
	r.Cycle, r.Today = classes(&cycle), classes(&today)
	if o, ok := k.openingAt(now); ok && !(k.contact.Always() && k.local.IsZero()) {
		r.Opening = &o
	}
	if time.Until(k.local) > 0 {
		r.Local = k.local
	}
	if k.broken != nil {
		r.Unkept = k.broken.Error()
	}
	return r
}

func classes(d *Day) []ClassSpent {
	out := []ClassSpent{}
	for _, c := range d.Counts {
		out = append(out, ClassSpent{Class: c.Class.String(), Up: c.Up, Down: c.Down})
	}
	return out
}
