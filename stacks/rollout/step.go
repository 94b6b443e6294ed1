package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Standing is how a device stands, as the caller sees it.
type Standing uint8

// Standings.
const (
	// Pending: nothing is under way on it, and it could be started now.
	Pending Standing = iota
	// Deferred: it has not begun, and cannot now: it is quiet, or outside of its change window.
	Deferred
	// Started: it was told to, and has not ended. The caller ends in good time what a device never ends.
	Started
	// Succeeded: it is as it shall be, whoever brought that about.
	Succeeded
	// Ended without success.
	Ended
)

// Seen is what the caller sees of one device.
type Seen struct {
	ID protocol.DeviceID
	// Attempt that Standing belongs to, where it is Started, Succeeded or Ended. What is seen of another attempt than
	// the State's counts for nothing.
	Attempt uint32
	// Order is its order key, for Plan.ByOrder. Lower goes first.
	Order uint32
	// Group that it belongs to, for Plan.PerGroup. "": none, which is not limited.
	Group    string
	Standing Standing
	// Code says why it has failed, or why it is deferred: a stable word.
	Code string
	// Changed: though it has failed, it is not as it was before, and has to be brought back like those that succeeded.
	Changed bool
	// Next is when a deferred device could change. The zero time: nobody knows.
	Next time.Time
}

// Task is one device to act on.
type Task struct {
	ID      protocol.DeviceID
	Attempt uint32
}

// Output is what is to be done now. It is the same for the same State and Seen: a caller that has not done all of it
// asks again, and one that has sees the devices as Started.
type Output struct {
	// Start are to be started, and Back to be brought back.
	Start, Back []Task
	// TakeBack: devices of StatusGoing that were told to start, and have not begun, shall not any more.
	TakeBack bool
	// Next is when to look again, though nothing is observed. The zero time: nothing happens by itself.
	Next time.Time
	// Why says in words what it waits for. "": for nothing.
	Why string
}

// Step takes what is observed, each device once, and says what is to be done. Devices that are not in seen (any more) do not count, but
// those that have ended stay.
func (s *State) Step(now time.Time, seen []Seen) Output {
	if s.Devices == nil {
		s.Devices = map[protocol.DeviceID]Device{}
	}
	sorted := make([]*Seen, len(seen))
	for i := range seen {
		sorted[i] = &seen[i]
	}
	if !slices.IsSortedFunc(sorted, byOrder) {
		slices.SortFunc(sorted, byOrder)
	}
	s.observe(sorted)
	st := &step{State: s, now: now, seen: sorted}
	st.decide()
	st.out.TakeBack = s.Phase.Over() || s.Phase == Paused || s.Phase == RollingBack
	return st.out
}

func byOrder(a, b *Seen) int {
	if a.Order != b.Order {
		return cmp.Compare(a.Order, b.Order)
	}
	return cmp.Compare(a.ID, b.ID)
}

// observe brings the devices in step with what is seen of them.
func (s *State) observe(seen []*Seen) {
	there := 0 // of the devices that are known
	for _, v := range seen {
		d, known := s.Devices[v.ID]
		if !known {
			if len(s.Devices) >= MaxDevices || s.Phase.Over() {
				continue
			}
			d = Device{Status: StatusWaiting}
		}
		there++
		if after := s.follow(d, v); after != d || !known {
			s.Devices[v.ID] = after
		}
	}
	if there < len(s.Devices) {
		s.forget(seen)
	}
}

// forget drops devices that are not seen any more, but those that have ended.
func (s *State) forget(seen []*Seen) {
	there := make(map[protocol.DeviceID]bool, len(seen))
	for _, v := range seen {
		there[v.ID] = true
	}
	for id, d := range s.Devices {
		if !there[id] && d.Status.open() {
			delete(s.Devices, id)
		}
	}
}

// open reports whether a device is waited for.
func (s Status) open() bool {
	return s == StatusWaiting || s == StatusChosen || s == StatusGoing || s == StatusReturning
}

// follow gives the device as it is after what was seen.
func (s *State) follow(d Device, v *Seen) Device {
	if v.Standing >= Started && v.Attempt != d.Attempt {
		return d
	}
	back := d.Status == StatusReturning || d.Status == StatusReturned || d.Status == StatusStuck
	switch v.Standing {
	case Succeeded:
		if back { // the code says still why
			d.Status = StatusReturned
		} else {
			d.Status, d.Code = StatusSucceeded, ""
		}
	case Ended:
		d.Status, d.Code = StatusFailed, protocol.Cut(v.Code, protocol.MaxName)
		if back {
			d.Status = StatusStuck
		}
	case Started:
		if d.Status == StatusWaiting || d.Status == StatusChosen {
			d.Status, d.Batch = StatusGoing, max(d.Batch, s.Batch, 1)
		}
	case Deferred:
		if d.Status == StatusChosen || d.Status == StatusGoing {
			d.Status, d.Batch = StatusWaiting, 0
		}
	case Pending:
		if d.Status == StatusGoing { // its start was lost
			d.Status = StatusChosen
		}
	}
	return d
}

// step is one Step under way.
type step struct {
	*State
	now  time.Time
	seen []*Seen // by order and id
	out  Output
}

func (s *step) decide() {
	if s.Phase == Planned {
		if begin := time.Unix(s.Begin, 0); s.Begin != 0 && s.now.Before(begin) {
			s.wait("it begins at "+begin.UTC().Format(time.RFC3339), begin)
			return
		}
		s.Phase = Running
	}
	if s.Phase == Running || s.Phase == Soaking {
		s.advance()
	}
	switch s.Phase {
	case Running, Soaking:
		s.start(StatusChosen, &s.out.Start)
		s.lookAgain()
	case RollingBack:
		s.rollBack()
		s.lookAgain()
	case Paused, Failed, Aborted:
		s.out.Why = s.Reason
	}
}

// lookAgain asks for another look at once where a device was seen in an earlier attempt only.
func (s *step) lookAgain() {
	for _, v := range s.seen {
		if d := s.Devices[v.ID]; d.Status.open() && v.Standing >= Started && v.Attempt != d.Attempt {
			s.wait("", s.now)
			return
		}
	}
}

// wait notes what is waited for; the first word counts, and the earliest time.
func (s *step) wait(why string, next time.Time) {
	s.out.Why = cmp.Or(s.out.Why, why)
	if !next.IsZero() && (s.out.Next.IsZero() || next.Before(s.out.Next)) {
		s.out.Next = next
	}
}

// tally counts the latest batch.
type tally struct{ size, open, succeeded, failed int }

func (s *State) tally() (t tally) {
	for _, d := range s.Devices {
		if d.Batch != s.Batch || s.Batch == 0 {
			continue
		}
		t.size++
		switch d.Status {
		case StatusChosen, StatusGoing:
			t.open++
		case StatusSucceeded:
			t.succeeded++
		case StatusFailed:
			t.failed++
		}
	}
	return t
}

// need is how many devices of a batch of that size must succeed: a batch in which nobody succeeds is never enough.
func (p *Plan) need(size int) int {
	need := size - p.Failures.of(size)
	if p.Success > 0 {
		need = (size*int(p.Success) + 99) / 100
	}
	return min(max(need, 1), size)
}

// advance looks at the latest batch: it stops, waits, or goes on with the next.
func (s *step) advance() {
	t := s.tally()
	waived := int(s.Waived)
	need := min(s.Plan.need(t.size), max(t.size-waived, 0))
	passed := t.succeeded >= need || s.Skipped
	if s.Plan.OnFailure == Continue {
		passed = passed || t.open == 0
	} else if !s.Skipped {
		tooMany := t.failed > max(s.Plan.Failures.of(t.size), waived)
		if tooMany || t.open == 0 && !passed {
			s.fail(t)
			return
		}
	}
	if !passed {
		s.Phase, s.SoakUntil = Running, 0
		s.waitForBatch(t)
		return
	}
	if t.size > 0 && !s.Skipped && s.Plan.Soak > 0 && s.SoakUntil == 0 {
		s.SoakUntil = s.now.Unix() + int64(s.Plan.Soak)
	}
	if s.now.Unix() < s.SoakUntil && !s.Skipped {
		s.Phase = Soaking
		s.waitForSoak(time.Unix(s.SoakUntil, 0))
		return
	}
	s.choose()
}

// fail does what the plan says when a batch has failed.
func (s *step) fail(t tally) {
	why := failure(s.Batch, t)
	switch s.Plan.OnFailure {
	case RollBackBatch, RollBackAll:
		s.Phase, s.Reason, s.Undo = RollingBack, why, s.Plan.OnFailure
	default:
		s.pause(why)
	}
}

// choose makes the next batch of those that can be started now.
func (s *step) choose() {
	s.Phase, s.Held = Running, 0
	able := s.able()
	if len(able) == 0 {
		s.idle()
		return
	}
	if s.Plan.ByOrder {
		lowest := able[0].Order
		if order, held := s.held(lowest); held {
			s.Held = order + 1
			s.waitForOrder(order)
			return
		}
		n := 1
		for n < len(able) && able[n].Order == lowest {
			n++
		}
		able = able[:n]
	}
	able = able[:min(len(able), s.size())]
	s.Batch++
	s.Waived, s.Skipped, s.SoakUntil = 0, false, 0
	for _, v := range able {
		d := s.Devices[v.ID]
		d.Status, d.Batch = StatusChosen, s.Batch
		s.Devices[v.ID] = d
	}
	s.waitForBatch(s.tally())
}

// able gives the devices that wait and can be started now, by order and id.
func (s *step) able() (out []*Seen) {
	for _, v := range s.seen {
		if v.Standing == Pending && s.Devices[v.ID].Status == StatusWaiting {
			out = append(out, v)
		}
	}
	return out
}

// held gives the lowest order below the given one of which devices wait, and none has succeeded: what would try the
// change first has not, so nobody else does.
func (s *step) held(below uint32) (uint32, bool) {
	waits, succeeded := map[uint32]bool{}, map[uint32]bool{}
	for _, v := range s.seen {
		switch s.Devices[v.ID].Status {
		case StatusSucceeded:
			succeeded[v.Order] = true
		case StatusWaiting:
			waits[v.Order] = true
		}
	}
	for _, order := range slices.Sorted(maps.Keys(waits)) {
		if order < below && order >= s.Floor && !succeeded[order] {
			return order, true
		}
	}
	return 0, false
}

// size is how many devices the next batch has, at least one.
func (s *step) size() int {
	n := len(s.Devices)
	if s.Plan.Batch.IsZero() {
		return n
	}
	size := max(s.Plan.Batch.of(n), 1)
	if s.Plan.Doubling {
		for range s.Batch {
			if size >= n {
				break
			}
			size *= 2
		}
	}
	return size
}

// idle is what there is to do when nobody can be chosen: wait for those that are open, or end.
func (s *step) idle() {
	for _, d := range s.Devices {
		if d.Status.open() {
			s.waitForRest()
			return
		}
	}
	s.Phase, s.SoakUntil = Done, 0
}

// start gives the devices of the status that can act now, as far as their groups have room.
func (s *step) start(status Status, out *[]Task) {
	busy := map[string]uint32{}
	var able []*Seen
	for _, v := range s.seen {
		d := s.Devices[v.ID]
		switch {
		case v.Standing == Started && d.Status.open():
			busy[v.Group]++
		case v.Standing == Pending && d.Status == status:
			able = append(able, v)
		}
	}
	slices.SortStableFunc(able, func(a, b *Seen) int { return cmp.Compare(s.Devices[a.ID].Batch, s.Devices[b.ID].Batch) })
	full := false
	for _, v := range able {
		if s.Plan.PerGroup > 0 && v.Group != "" && busy[v.Group] >= s.Plan.PerGroup {
			full = true
			continue
		}
		busy[v.Group]++
		*out = append(*out, Task{ID: v.ID, Attempt: s.Devices[v.ID].Attempt})
	}
	if full && len(*out) == 0 {
		s.out.Why = fmt.Sprintf("%s: of their groups, no more than %d may be under way at once", s.out.Why, s.Plan.PerGroup)
	}
}

// rollBack brings back what the rollout has changed, and what is still about to be.
func (s *step) rollBack() {
	left := 0
	for _, v := range s.seen {
		id := v.ID
		d, known := s.Devices[id]
		if !known {
			continue
		}
		if d.Status == StatusChosen {
			d.Status, d.Batch = StatusWaiting, 0
			s.Devices[id] = d
		}
		if d.Batch == 0 || s.Undo == RollBackBatch && d.Batch != s.Batch {
			continue
		}
		if d.Status == StatusSucceeded || d.Status == StatusFailed && v.Changed {
			d = Device{Status: StatusReturning, Batch: d.Batch, Attempt: d.Attempt + 1, Code: d.Code}
			s.Devices[id] = d
		}
		if d.Status == StatusGoing || d.Status == StatusReturning {
			left++
		}
	}
	if left > 0 {
		s.start(StatusReturning, &s.out.Back)
		s.waitForReturn(left)
		return
	}
	if s.Undo == RollBackAll {
		s.Phase = Failed
	} else {
		s.pause(s.Reason + "; it was brought back")
		s.Resume = Running
		s.Skipped = true
	}
	s.Undo, s.out.Why = 0, s.Reason
}
