package planner_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

func (w *world) anyBox() *box {
	if len(w.boxes) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(w.boxes))
	return w.boxes[ids[w.r.IntN(len(ids))]]
}

func (w *world) labels() map[string]string {
	labels := map[string]string{"k": fmt.Sprint(w.r.IntN(3)), "group": []string{"", "a", "b"}[w.r.IntN(3)], "timezone": "Europe.Oslo"}
	if w.r.IntN(2) == 0 {
		labels["ring"] = []string{"canary", "early"}[w.r.IntN(2)]
	}
	if w.r.IntN(8) == 0 {
		labels["confirmed"] = "no"
	}
	return labels
}

func (w *world) relabelTo(id protocol.DeviceID, labels map[string]string) {
	w.stray(id, "moved")
	w.fleet.mu.Lock()
	w.fleet.devices[id] = labels
	w.fleet.mu.Unlock()
	w.must(w.DeviceChanged(id))
	w.stray(id, "moved")
}

func (w *world) addBox() string {
	if len(w.boxes) > 16 {
		return "nothing"
	}
	w.made++
	id := protocol.DeviceID(fmt.Sprintf("device%010d", w.made))
	w.boxes[id] = newBox(id)
	w.relabelTo(id, w.labels())
	return "device is admitted " + string(id)
}

func (w *world) removeBox() string {
	b := w.anyBox()
	if b == nil {
		return "nothing"
	}
	delete(w.boxes, b.id)
	w.fleet.mu.Lock()
	delete(w.fleet.devices, b.id)
	w.fleet.mu.Unlock()
	w.drop(b.id)
	w.must(w.DeviceChanged(b.id))
	w.drop(b.id)
	return "device is removed " + string(b.id)
}

func (w *world) relabel() string {
	b := w.anyBox()
	if b == nil {
		return "nothing"
	}
	w.relabelTo(b.id, w.labels())
	return fmt.Sprintf("labels of %s become %v", b.id, w.fleet.devices[b.id])
}

func (w *world) quiet() string {
	b := w.anyBox()
	for range 4 { // rather one that is at work
		if b != nil && !b.working() {
			b = w.anyBox()
		}
	}
	if b == nil {
		return "nothing"
	}
	w.fleet.mu.Lock()
	now := !w.fleet.quiet[b.id]
	w.fleet.quiet[b.id] = now
	w.fleet.mu.Unlock()
	w.stray(b.id, "quiet")
	return fmt.Sprintf("%s is quiet: %v", b.id, now)
}

func (w *world) confirm() string {
	b := w.anyBox()
	if b == nil {
		return "nothing"
	}
	labels := maps.Clone(w.fleet.devices[b.id])
	delete(labels, "confirmed")
	w.relabelTo(b.id, labels)
	return "confirmed is " + string(b.id)
}

func (w *world) plan() rollout.Plan {
	one := func(n int) bool { return w.r.IntN(n) == 0 }
	p := rollout.Plan{
		Doubling: one(3), ByOrder: one(3), Soak: uint32(w.r.IntN(3) * 20), OnFailure: rollout.OnFailure(w.r.IntN(4)),
		PerGroup: uint32(w.r.IntN(3)),
	}
	if one(4) {
		p.Success = uint8(w.r.IntN(101))
	}
	switch {
	case one(3):
		p.Batch = rollout.Amount{Percent: uint8(10 + w.r.IntN(50))}
	case p.Doubling || one(2):
		p.Batch = rollout.Amount{Count: uint32(1 + w.r.IntN(4))}
	}
	if one(3) {
		p.Failures = rollout.Amount{Count: uint32(w.r.IntN(3))}
	}
	return p
}

func (w *world) manner() *planner.Manner {
	if w.r.IntN(3) == 0 {
		return &planner.Manner{}
	}
	m := &planner.Manner{Plan: w.plan()}
	if m.Plan.ByOrder {
		m.Order = planner.Order{Label: "ring", Values: []string{"canary", "early"}}
	}
	return m
}

func (w *world) during() planner.During {
	return []planner.During{planner.Ask, planner.Replace, planner.Queue}[w.r.IntN(3)]
}

func (w *world) begin() time.Time {
	if w.r.IntN(6) > 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Minute)
}

func (w *world) anyStack() string { return []string{"alpha", "beta"}[w.r.IntN(2)] }

func (w *world) apply() string {
	name := w.anyStack()
	kind := []string{"good", "good", "half", "bad"}[w.r.IntN(4)]
	spec := planner.ApplySpec{
		Name: name, Author: "ada", During: w.during(), Begin: w.begin(),
		Files: map[string][]byte{"compose.yml": fmt.Appendf(nil, "%s %d", kind, w.r.IntN(1000))},
	}
	if l := w.ledger(name); l != nil && w.r.IntN(5) == 0 { // what there is, for others
		spec.Files = map[string][]byte{"compose.yml": []byte(l.contents[l.rec.Latest])}
	}
	if w.r.IntN(3) > 0 {
		spec.Manner = w.manner()
	}
	if w.r.IntN(5) == 0 {
		selector := []string{"", "", "k=0", "k=1", "k=none"}[w.r.IntN(5)]
		spec.Selector = &selector
	}
	if w.r.IntN(4) == 0 {
		spec.Env, spec.Secret = map[string]string{"PASSWORD": "xyz"}, []string{"PASSWORD"}
	}
	if w.r.IntN(4) == 0 {
		rule := stacks.ChangeRule{Approve: w.r.IntN(2) == 0}
		if w.r.IntN(2) == 0 {
			rule.Windows = []protocol.ChangeWindow{{Start: "*/10 * * * *", Minutes: 3}}
			rule.FetchLate = w.r.IntN(2) == 0
		}
		spec.Change = &rule
	}
	spec.Health = &stacks.Health{Stay: w.r.IntN(4) == 0}
	_, v, err := w.Apply(spec)
	if err != nil && !errors.Is(err, planner.ErrUnderWay) {
		w.must(err)
	}
	return fmt.Sprintf("apply %s: %q is version %d, manner %+v, during %q, change %+v: %v", name, spec.Files["compose.yml"], v.Number, spec.Manner, spec.During, spec.Change, err)
}

func (w *world) deploy() string {
	l := w.ledger(w.anyStack())
	if l == nil {
		return "nothing"
	}
	spec := planner.DeploySpec{
		Stack: l.rec.Name, Version: max(1, l.rec.Latest-min(l.rec.Latest-1, uint64(w.r.IntN(4)))), Force: w.r.IntN(2) == 0, Manner: w.manner(),
		During: w.during(), Begin: w.begin(), By: "ada",
	}
	n, err := w.Deploy(spec)
	if err != nil && !errors.Is(err, planner.ErrUnderWay) && !errors.Is(err, stacks.ErrNotFound) && !errors.Is(err, planner.ErrRemoving) {
		w.must(err)
	}
	return fmt.Sprintf("deploy version %d of %s, force %v, is rollout %d of manner %+v, during %q: %v", spec.Version, spec.Stack, spec.Force, n, *spec.Manner, spec.During, err)
}

func (w *world) operate() string {
	name := w.anyStack()
	l := w.ledger(name)
	if l == nil || l.rec.Rollouts == 0 {
		return "nothing"
	}
	action := []rollout.Action{
		rollout.ActionPause, rollout.ActionContinue, rollout.ActionContinue, rollout.ActionAbort, rollout.ActionSkip, rollout.ActionRetry, planner.ActionApprove,
	}[w.r.IntN(7)]
	number := uint64(0)
	if w.r.IntN(3) == 0 {
		number = max(1, l.rec.Rollouts-min(l.rec.Rollouts-1, uint64(w.r.IntN(2))))
	}
	err := w.act(name, number, action)
	return fmt.Sprintf("%s rollout %d of %s: %v", action, number, name, err)
}

func (w *world) act(name string, number uint64, action rollout.Action) error {
	if action == rollout.ActionContinue || action == rollout.ActionSkip || action == rollout.ActionRetry {
		w.meddle(name, number)
	}
	err := w.Act(name, number, action, "ada")
	for _, fine := range []error{rollout.ErrNotNow, planner.ErrNoRollout, planner.ErrRemoving, stacks.ErrNotFound} {
		if errors.Is(err, fine) {
			return err
		}
	}
	w.must(err)
	return err
}

func (w *world) remove() string {
	name := w.anyStack()
	err := w.Remove(name, "ada")
	if !errors.Is(err, stacks.ErrNotFound) && !errors.Is(err, planner.ErrRemoving) {
		w.must(err)
	}
	return fmt.Sprintf("remove %s: %v", name, err)
}
