package planner_test

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// box does what an edge agent does with versions: step by step, with what fails brought back, and with somebody beside it.
type box struct {
	id     protocol.DeviceID
	rev    uint64
	set    []protocol.Entry // the order that it took last
	bays   map[uint64]*bay  // by stack
	outbox map[uint64]protocol.StackStatus
	flight []protocol.Entry // an order that is on its way
	told   bool             // there is one
}

// bay is one stack on a box.
type bay struct {
	entry protocol.Entry  // at work on, or done with
	good  *protocol.Entry // the last that ran; nil: none did
	state protocol.StackState
	hold  protocol.Hold
	// failed are contents that were tried and given up.
	failed map[protocol.Hash]bool
}

func newBox(id protocol.DeviceID) *box {
	return &box{id: id, bays: map[uint64]*bay{}, outbox: map[uint64]protocol.StackStatus{}}
}

func (b *box) say(stack uint64, x *bay, s protocol.StackState) {
	b.rev++
	x.state = s
	st := protocol.StackStatus{
		Stack: stack, Version: x.entry.Version, Nonce: x.entry.Nonce, State: s, Rev: b.rev, At: time.Now().Unix(), Hold: x.hold,
	}
	if x.good != nil && x.good.Version != x.entry.Version {
		st.Running = x.good.Version
	}
	switch s {
	case protocol.StackFetched:
		st.Code = stacks.CodeApproval
	case protocol.StackWindow:
		st.Code = stacks.CodeWindow
	case protocol.StackFailed, protocol.StackRolledBack:
		st.Code = stacks.CodeServiceDown
	}
	b.outbox[stack] = st
}

// accept takes an order over.
func (b *box) accept(set []protocol.Entry) {
	for _, e := range b.set {
		_, begun := b.bays[e.ID]
		if !begun && !slices.ContainsFunc(set, func(n protocol.Entry) bool { return n.ID == e.ID }) {
			b.say(e.ID, &bay{entry: e}, protocol.StackRemoved)
		}
	}
	b.set = set
}

// work takes every stack one step on, and reports whether something was done.
func (b *box) work(r *rand.Rand, broken func(protocol.Entry) bool) (busy bool) {
	wanted := map[uint64]bool{}
	for _, e := range b.set {
		wanted[e.ID] = true
		x := b.bays[e.ID]
		switch {
		case x == nil:
			b.bays[e.ID] = &bay{entry: e, failed: map[protocol.Hash]bool{}}
			b.say(e.ID, b.bays[e.ID], protocol.StackFetching)
		case x.hold != 0:
			continue
		case x.entry.Content() != e.Content():
			x.entry = e
			b.say(e.ID, x, protocol.StackFetching)
		default:
			x.entry = e
			if !b.advance(x, r, broken) {
				continue
			}
		}
		busy = true
	}
	for _, id := range slices.Sorted(maps.Keys(b.bays)) {
		if !wanted[id] {
			b.bays[id].hold = 0
			b.say(id, b.bays[id], protocol.StackRemoved)
			delete(b.bays, id)
			busy = true
		}
	}
	return busy
}

func (b *box) advance(x *bay, r *rand.Rand, broken func(protocol.Entry) bool) bool {
	id, next := x.entry.ID, protocol.StackState(0)
	switch x.state {
	case protocol.StackFetching, protocol.StackFetched, protocol.StackWindow:
		next = protocol.StackApplying
		if c := x.entry.Change; c != nil {
			_, _, open := stacks.WindowAt(c.Windows, time.Now())
			if c.Hold {
				next = protocol.StackFetched
			} else if !open {
				next = protocol.StackWindow
			}
		}
		if next == x.state {
			return false
		}
	case protocol.StackApplying:
		next = protocol.StackVerify
		if broken(x.entry) && r.IntN(2) == 0 {
			next = b.fail(x)
		}
	case protocol.StackVerify:
		next = protocol.StackRunning
		if broken(x.entry) {
			next = b.fail(x)
		} else {
			x.good = new(x.entry)
		}
	case protocol.StackRollingBack:
		next = protocol.StackRolledBack
	default:
		return false
	}
	b.say(id, x, next)
	return true
}

func (b *box) fail(x *bay) protocol.StackState {
	x.failed[x.entry.Content()] = true
	if x.good != nil && !x.entry.Stay && x.good.Version != x.entry.Version {
		return protocol.StackRollingBack
	}
	return protocol.StackFailed
}

// working reports whether it has begun something, and told so.
func (b *box) working() bool {
	for id, x := range b.bays {
		if _, untold := b.outbox[id]; !untold && (x.state == protocol.StackApplying || x.state == protocol.StackVerify) {
			return true
		}
	}
	return false
}

// technician holds a stack that is at rest, or releases it.
func (b *box) technician(r *rand.Rand) string {
	for _, id := range slices.Sorted(maps.Keys(b.bays)) {
		x := b.bays[id]
		if !stacks.Settled(x.state) || r.IntN(2) == 0 {
			continue
		}
		x.hold = protocol.HoldKept - x.hold // there is no other
		b.say(id, x, x.state)
		return "somebody at " + string(b.id) + " holds or releases a stack"
	}
	return "nothing"
}

func (b *box) waiting() []protocol.StackStatus {
	return slices.SortedFunc(maps.Values(b.outbox), func(a, b protocol.StackStatus) int { return cmp.Compare(a.Rev, b.Rev) })
}

// brokenBy says whether content, as it is written, does not run on a device.
func brokenBy(content string, dev protocol.DeviceID) bool {
	return strings.HasPrefix(content, "bad") || strings.HasPrefix(content, "half") && dev[len(dev)-1]%2 == 0
}
