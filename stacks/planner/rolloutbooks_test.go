package planner_test

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// books are a naive account of rollouts: what was stored and what was heard, and what must be so after each of both.
// They are written while the planner stores, and read by the test.
type books struct {
	t     *testing.T
	fleet *fakeFleet

	mu    sync.Mutex
	names map[string]*ledger
	ids   map[uint64]*ledger
}

// ledger is the account of one stack.
type ledger struct {
	rec      stacks.Stack
	contents map[uint64]string // by version
	secret   map[uint64]bool   // versions that only confirmed devices get
	courses  map[uint64]*course
	grants   map[protocol.DeviceID]stacks.Grant
	heard    map[protocol.DeviceID]protocol.StackStatus
}

// course is the account of one rollout.
type course struct {
	planner.Rollout
	before  map[protocol.DeviceID]uint64 // what devices had that it has changed
	batches map[uint32]map[protocol.DeviceID]bool
	room    map[uint32]int
	// strayed are devices that it need not wait for: they were away or taken out before they had begun.
	strayed map[protocol.DeviceID]bool
	meddled bool // an operator has gone on, skipped or tried again
}

func newBooks(t *testing.T, fleet *fakeFleet) *books {
	return &books{t: t, fleet: fleet, names: map[string]*ledger{}, ids: map[uint64]*ledger{}}
}

func (b *books) errorf(format string, args ...any) { b.t.Errorf(format, args...) }

// ledger gives a copy, as far as the test reads it; nil: there is no such stack.
func (b *books) ledger(name string) *ledger {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.names[name]
	if l == nil {
		return nil
	}
	out := &ledger{rec: l.rec, contents: maps.Clone(l.contents), courses: map[uint64]*course{}}
	for n, c := range l.courses {
		out.courses[n] = &course{Rollout: c.Rollout}
	}
	return out
}

// content of a version.
func (b *books) content(name string, version uint64) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.names[name]
	if l == nil {
		return "", false
	}
	return l.contents[version], true
}

// meddle notes that an operator does something to a rollout that makes it go on; number 0: to the latest.
func (b *books) meddle(name string, number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.names[name]; l != nil {
		for n, c := range l.courses {
			c.meddled = c.meddled || number == 0 || n == number
		}
	}
}

// due is what a device shall have.
func (l *ledger) due(dev protocol.DeviceID) (version, nonce uint64) {
	if g := l.grants[dev]; g.Rollout > l.rec.Settled {
		return g.Version, g.Nonce
	}
	return l.rec.Deployed(), max(l.rec.Nonce, l.grants[dev].Nonce)
}

func (l *ledger) meant(f *fakeFleet, dev protocol.DeviceID) bool {
	in, _ := f.Matches(l.rec.Reach(), dev)
	return in && l.rec.Removed == 0
}

func final(s protocol.StackState) bool {
	return s == protocol.StackRunning || s == protocol.StackDegraded || failedState(s)
}

func failedState(s protocol.StackState) bool {
	return s == protocol.StackFailed || s == protocol.StackRolledBack
}

// about reports whether what was heard last is about the grant.
func (l *ledger) about(g stacks.Grant) bool {
	h := l.heard[g.Device]
	return h.State != 0 && h.Version == g.Version && h.Nonce == g.Nonce
}

// begun reports whether a device is known to have begun to change something.
func (l *ledger) begun(g stacks.Grant) bool {
	switch l.heard[g.Device].State {
	case protocol.StackApplying, protocol.StackVerify, protocol.StackRollingBack:
		return l.about(g)
	}
	return false
}

// stray notes that a device need not be waited for, unless it has begun.
func (b *books) stray(dev protocol.DeviceID, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.names {
		g := l.grants[dev]
		if c := l.courses[g.Rollout]; c != nil && (why != "quiet" || !l.begun(g)) {
			c.strayed[dev] = true
		}
	}
}

// drop forgets a device that was removed.
func (b *books) drop(dev protocol.DeviceID) {
	b.stray(dev, "removed")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.names {
		delete(l.grants, dev)
		delete(l.heard, dev)
		for _, c := range l.courses {
			delete(c.before, dev)
		}
	}
}

// hear notes what the planner keeps of a device.
func (b *books) hear(r stacks.DeviceRecord) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.ids[r.Stack]
	if l == nil {
		return
	}
	st := r.Status
	l.heard[r.Device] = st
	if st.Hold != 0 {
		if c := l.courses[l.grants[r.Device].Rollout]; c != nil {
			c.strayed[r.Device] = true
		}
	}
}

func (b *books) unhear(stack uint64, dev protocol.DeviceID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.ids[stack]; l != nil {
		delete(l.heard, dev)
	}
}

func (b *books) deleted(id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.ids[id]; l != nil {
		delete(b.ids, id)
		delete(b.names, l.rec.Name)
	}
}

// stored notes a change that was made durable, and holds it to what must always be so.
func (b *books) stored(c planner.Change, rec stacks.Stack) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.names[rec.Name]
	if l == nil {
		l = &ledger{
			contents: map[uint64]string{}, secret: map[uint64]bool{}, courses: map[uint64]*course{},
			grants: map[protocol.DeviceID]stacks.Grant{}, heard: map[protocol.DeviceID]protocol.StackStatus{},
		}
		b.names[rec.Name], b.ids[rec.ID] = l, l
	}
	if c.Version != nil {
		l.contents[c.Version.Number] = string(c.Blobs[c.Version.Files[0].Hash])
		l.secret[c.Version.Number] = len(c.Version.Secret) > 0
	}
	had := map[protocol.DeviceID]uint64{}
	for _, g := range c.Grants {
		had[g.Device], _ = l.due(g.Device)
	}
	l.rec = rec
	for _, r := range append(slices.Clone(c.Ended), c.Rollout) {
		if r == nil {
			continue
		}
		x := l.courses[r.Number]
		if x == nil {
			x = &course{
				before: map[protocol.DeviceID]uint64{}, batches: map[uint32]map[protocol.DeviceID]bool{}, room: map[uint32]int{},
				strayed: map[protocol.DeviceID]bool{},
			}
			l.courses[r.Number] = x
		}
		x.Rollout = *r
		x.State = r.State.Clone()
		if n := x.State.Batch; n > 0 && x.room[n] == 0 {
			x.room[n] = room(r.Plan, n, len(x.State.Devices))
		}
	}
	for _, g := range c.Grants {
		b.granted(l, g, had[g.Device])
	}
	for _, g := range c.Grants {
		b.crowds(l, l.courses[g.Rollout])
	}
	for _, r := range c.Ended {
		b.broughtBack(l, l.courses[r.Number])
	}
	b.oneAtATime(l)
}

// room is how many devices may be in a batch, of n.
func room(p rollout.Plan, batch uint32, n int) int {
	size := int(p.Batch.Count)
	switch {
	case p.Batch.IsZero():
		return n
	case p.Batch.Percent > 0:
		size = max(1, n*int(p.Batch.Percent)/100)
	}
	for i := uint32(1); p.Doubling && i < batch && size < n; i++ {
		size *= 2
	}
	return size
}

// granted notes what a device is told to have.
func (b *books) granted(l *ledger, g stacks.Grant, had uint64) {
	was := l.grants[g.Device]
	l.grants[g.Device] = g
	c := l.courses[g.Rollout]
	switch {
	case c == nil:
		b.errorf("%s: %s is granted something by rollout %d, which there is not", l.rec.Name, g.Device, g.Rollout)
		return
	case g.Attempt == stacks.Withdrawn:
		return
	case g.Version != c.Version || g.Version == g.Before && g.Nonce == g.BeforeNonce: // back
		if before, ok := c.before[g.Device]; ok && before != g.Version {
			b.errorf("%s: rollout %d brings %s back to version %d, and it had %d", l.rec.Name, c.Number, g.Device, g.Version, before)
		}
		return
	}
	if l.about(g) && failedState(l.heard[g.Device].State) && (was.Rollout != g.Rollout || was.Attempt != stacks.Withdrawn) { // nobody would see whether it fails again
		b.errorf("%s: rollout %d starts %s with version %d and nonce %d, which has failed there (attempt %d, before %+v)",
			l.rec.Name, c.Number, g.Device, g.Version, g.Nonce, g.Attempt, was)
	}
	if g.Rollout == l.rec.Settled { // another attempt, when it has reached all
		return
	}
	phase := c.State.Phase
	if phase != rollout.Running && phase != rollout.Soaking && phase != rollout.Done {
		b.errorf("%s: rollout %d is %s and starts %s", l.rec.Name, c.Number, phase, g.Device)
	}
	if !l.meant(b.fleet, g.Device) {
		b.errorf("%s: rollout %d starts %s, which is not in the target", l.rec.Name, c.Number, g.Device)
	}
	if quiet, _ := b.fleet.Reachable(g.Device); !quiet {
		b.errorf("%s: rollout %d starts %s, which is not heard of", l.rec.Name, c.Number, g.Device)
	}
	if _, again := c.before[g.Device]; !again {
		c.before[g.Device] = had
	}
	delete(c.strayed, g.Device)
	n := c.State.Devices[g.Device].Batch
	for _, others := range c.batches { // it has left its batch, and joins another one
		delete(others, g.Device)
	}
	if c.batches[n] == nil {
		c.batches[n] = map[protocol.DeviceID]bool{}
	}
	c.batches[n][g.Device] = true
	if n == 0 || len(c.batches[n]) > c.room[n] && !c.meddled {
		b.errorf("%s: batch %d of rollout %d has %d devices, with room for %d", l.rec.Name, n, c.Number, len(c.batches[n]), c.room[n])
	}
	b.inOrder(l, c, n)
}

// inOrder holds that a batch begins when all before it is well, where the plan wants that.
func (b *books) inOrder(l *ledger, c *course, batch uint32) {
	p := c.Plan
	if c.meddled || p.OnFailure == rollout.Continue || !p.Failures.IsZero() || p.Success != 0 && p.Success != 100 {
		return
	}
	for n, devices := range c.batches {
		for dev := range devices {
			g := l.grants[dev]
			if g.Rollout != c.Number || g.Attempt == stacks.Withdrawn || c.strayed[dev] || !l.meant(b.fleet, dev) {
				continue
			}
			h := l.heard[dev]
			switch ended := l.about(g) && final(h.State); {
			case ended && failedState(h.State):
				b.errorf("%s: rollout %d goes on with batch %d though %s of batch %d failed: %+v", l.rec.Name, c.Number, batch, dev, n, h)
			case !ended && n < batch:
				b.errorf("%s: rollout %d goes on with batch %d though %s of batch %d has not ended: %+v", l.rec.Name, c.Number, batch, dev, n, h)
			}
		}
	}
}

// crowds holds that no more devices of a group are under way than may be.
func (b *books) crowds(l *ledger, c *course) {
	if c == nil || c.Plan.PerGroup == 0 {
		return
	}
	under := map[string][]protocol.DeviceID{}
	for dev, g := range l.grants {
		target, _ := b.fleet.Target(dev)
		h := l.heard[dev]
		reachable, _ := b.fleet.Reachable(dev)
		switch {
		case g.Rollout != c.Number || g.Attempt == stacks.Withdrawn || !l.meant(b.fleet, dev) || target.Group == "":
		case l.about(g) && final(h.State), g.Version == stacks.None && h.State == 0:
		case h.Hold != 0, l.secret[g.Version] && !target.Confirmed, !reachable && !l.begun(g):
		default:
			under[target.Group] = append(under[target.Group], dev)
		}
	}
	for group, devices := range under {
		if len(devices) > int(c.Plan.PerGroup) && !c.strayedInto(devices) {
			b.errorf("%s: rollout %d has %v of group %s under way at once, at most %d", l.rec.Name, c.Number, devices, group, c.Plan.PerGroup)
			for _, dev := range devices {
				b.t.Logf("%+v %+v %+v", c.State.Devices[dev], l.grants[dev], l.heard[dev])
			}
		}
	}
}

// strayedInto reports whether one of the devices came back from where it was not waited for: it goes on by itself.
func (c *course) strayedInto(devices []protocol.DeviceID) bool {
	return slices.ContainsFunc(devices, func(d protocol.DeviceID) bool { return c.strayed[d] })
}

// broughtBack holds that after a rollback every device shall have what it had.
func (b *books) broughtBack(l *ledger, c *course) {
	batch := uint32(0)
	switch {
	case l.rec.Settled > c.Number: // the next one has reached all at once
		return
	case c.State.Phase == rollout.Failed:
	case c.State.Phase == rollout.Paused && c.State.Skipped && c.Plan.OnFailure == rollout.RollBackBatch && !c.meddled:
		batch = c.State.Batch
	default:
		return
	}
	for _, dev := range slices.Sorted(maps.Keys(c.before)) {
		if batch != 0 && c.State.Devices[dev].Batch != batch {
			continue
		}
		if version, _ := l.due(dev); version != c.before[dev] {
			b.errorf("%s: rollout %d is %s, and %s shall have version %d: it had %d (it is %+v, granted %+v, heard %+v)", l.rec.Name, c.Number,
				c.State.Phase, dev, version, c.before[dev], c.State.Devices[dev], l.grants[dev], l.heard[dev])
		}
	}
}

// oneAtATime holds that at most one rollout is under way, and one waits.
func (b *books) oneAtATime(l *ledger) {
	begun, open := 0, 0
	for _, c := range l.courses {
		if !c.State.Phase.Over() {
			open++
			if c.Begun != 0 {
				begun++
			}
		}
	}
	if begun > 1 || open > 2 || open > begun+1 {
		b.errorf("%s: %d rollouts are under way, and %d wait", l.rec.Name, begun, open-begun)
	}
}
