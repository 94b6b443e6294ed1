package planner

import (
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

// PreviewRollout is the rollout that Apply would begin.
type PreviewRollout struct {
	// Manner is how it would be made, and how later ones would be.
	Manner Manner
	// Begins: there would be one.
	Begins bool
	// Batches are how many devices would be in each if all could change, at most MaxPreviewBatches; one batch where all
	// change at once. Rest is how many devices would be in further ones.
	Batches []int
	Rest    int
	// UnderWay is a rollout that is not over. Nil: none.
	UnderWay *RolloutView
}

// MaxPreviewBatches is the most batches that a preview tells apart.
const MaxPreviewBatches = 50

// previewRollout says what rollout a change would begin. The caller holds change.
func (p *Planner) previewRollout(s *stack, c Change, spec ApplySpec, wanted map[protocol.DeviceID]bool) (PreviewRollout, error) {
	var out PreviewRollout
	if s != nil {
		out.Manner = s.manner // changes under change only
		p.mu.RLock()
		if r := s.active(); r != nil {
			out.UnderWay = s.view(r)
		}
		p.mu.RUnlock()
	}
	spec.During = Replace
	if err := p.rollOut(s, &c, spec); err != nil {
		return out, err
	}
	if c.Manner != nil {
		out.Manner = *c.Manner
	}
	if c.Rollout == nil {
		return out, nil
	}
	out.Begins = true
	out.Batches, out.Rest = p.batches(c.Rollout, wanted)
	return out, nil
}

// batches has all devices of a rollout succeed, one batch after another.
func (p *Planner) batches(r *Rollout, wanted map[protocol.DeviceID]bool) (sizes []int, rest int) {
	if rest = len(wanted); rest == 0 {
		return nil, 0
	}
	if r.Plan.IsZero() {
		return []int{rest}, 0
	}
	plan := r.Plan
	plan.Soak, plan.PerGroup = 0, 0 // how long it takes says nothing about how many there are
	state := rollout.State{Plan: plan, Phase: rollout.Planned}
	seen, at := make([]rollout.Seen, 0, len(wanted)), make(map[protocol.DeviceID]int, len(wanted))
	for dev := range wanted {
		target, _ := p.cfg.Fleet.Target(dev)
		at[dev] = len(seen)
		seen = append(seen, rollout.Seen{ID: dev, Order: r.Order.of(target.Labels)})
		if !plan.ByOrder {
			seen[len(seen)-1].Order = 0
		}
	}
	now := time.Now()
	for len(sizes) < MaxPreviewBatches && rest > 0 {
		chosen := state.Step(now, seen).Start
		if len(chosen) == 0 {
			break
		}
		for _, task := range chosen {
			seen[at[task.ID]].Standing = rollout.Succeeded
		}
		sizes, rest = append(sizes, len(chosen)), rest-len(chosen)
	}
	return sizes, rest
}
