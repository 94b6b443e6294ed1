package planner_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// site is a hub with devices that do as they are told.
type site struct {
	*hub
	devices []*device
	now     time.Time
	ends    func(protocol.Entry) protocol.StackState // how an attempt ends
}

func newSite(t *testing.T, n int, labels func(int) map[string]string) *site {
	all := map[protocol.DeviceID]map[string]string{}
	s := &site{now: time.Now(), ends: func(protocol.Entry) protocol.StackState { return protocol.StackRunning }}
	for i := range n {
		id := protocol.DeviceID(fmt.Sprintf("device%010d", i))
		if all[id] = labels(i); all[id] == nil {
			all[id] = map[string]string{}
		}
		s.devices = append(s.devices, newDevice(id))
	}
	s.hub = start(t, all)
	return s
}

// pass lets time pass, and everybody who is in reach talk to the hub.
func (s *site) pass(d time.Duration) {
	s.t.Helper()
	s.now = s.now.Add(d)
	for range 4 {
		s.Look(s.now)
		for _, d := range s.devices {
			if !s.fleet.quiet[d.id] {
				s.exchange(d)
			}
		}
	}
}

func (s *site) exchange(d *device) {
	d.contact(s.hub)
	for _, e := range d.set {
		if has, begun := d.runs[e.ID]; begun && has.Content() == e.Content() {
			d.runs[e.ID] = e // nothing of it is applied
			if d.said[e.ID].Version != e.Version {
				d.say(e.ID, protocol.StackRunning, e)
			}
		}
	}
	d.workAs(s.ends)
	d.contact(s.hub)
}

// versions says which version each device has: 0 for none.
func (s *site) versions() (out []uint64) {
	for _, d := range s.devices {
		v := uint64(0)
		for _, e := range d.runs {
			v = e.Version
		}
		out = append(out, v)
	}
	return out
}

func (s *site) expect(what string, want ...uint64) {
	s.t.Helper()
	if got := s.versions(); !slices.Equal(got, want) {
		r, _ := s.Rollout("web", 0)
		s.t.Fatalf("%s: devices have %v, want %v; rollout %s: %s %s", what, got, want, r.State.Phase, r.Why, r.State.Reason)
	}
}

func (s *site) rollout() planner.RolloutView {
	s.t.Helper()
	r, err := s.Rollout("web", 0)
	s.must(err)
	return r
}

// canary is a plan in which devices with ring=canary go first.
func canary(onFailure rollout.OnFailure) *planner.Manner {
	return &planner.Manner{
		Plan:  rollout.Plan{ByOrder: true, Soak: 600, OnFailure: onFailure},
		Order: planner.Order{Label: "ring", Values: []string{"canary"}},
	}
}

func ring(i int) map[string]string {
	if i == 1 {
		return map[string]string{"ring": "canary"}
	}
	return nil
}

func web(content string) planner.ApplySpec {
	return planner.ApplySpec{Name: "web", Files: bundle(content), Author: "ada"}
}

func TestABadVersionStopsAtTheCanaryAndIsBroughtBack(t *testing.T) {
	s := newSite(t, 4, ring)
	s.apply(web("one"))
	s.pass(0)
	s.expect("at once", 1, 1, 1, 1)
	s.ends = func(e protocol.Entry) protocol.StackState {
		if e.Version == 2 {
			return protocol.StackRolledBack
		}
		return protocol.StackRunning
	}
	spec := web("two")
	spec.Manner = canary(rollout.RollBackAll)
	s.apply(spec)
	for range 5 {
		s.pass(time.Second)
		s.restart()
	}
	s.expect("after the canary has failed", 1, 1, 1, 1)
	r := s.rollout()
	if r.State.Phase != rollout.Failed || r.Counts[rollout.StatusReturned] != 1 || r.Counts[rollout.StatusWaiting] != 3 {
		t.Errorf("the rollout is %s with %v: %s", r.State.Phase, r.Counts, r.State.Reason)
	}
	for i, d := range s.devices {
		if saw := slices.ContainsFunc(d.repeat, func(st protocol.StackStatus) bool { return st.Version == 2 }); saw != (i == 1) {
			t.Errorf("device %d saw the bad version: %v", i, saw)
		}
	}
	// What joins now gets the version that was good, and a better one reaches all.
	spec.Files = bundle("three")
	s.apply(spec)
	s.pass(time.Second)
	s.expect("the canary first", 1, 3, 1, 1)
	s.pass(11 * time.Minute)
	s.pass(time.Second)
	s.expect("the rest after the canary was watched", 3, 3, 3, 3)
	if r := s.rollout(); r.State.Phase != rollout.Running && r.State.Phase != rollout.Soaking {
		t.Errorf("the last batch is watched as well: %s", r.State.Phase)
	}
	s.pass(11 * time.Minute)
	if r := s.rollout(); r.State.Phase != rollout.Done {
		t.Errorf("it is %s: %s", r.State.Phase, r.Why)
	}
	if rec, _ := s.Named("web"); rec.Current != 3 || rec.Settled != rec.Rollouts {
		t.Errorf("settled as %+v", rec)
	}
}

func TestANewStackGoesOneBatchAfterAnother(t *testing.T) {
	s := newSite(t, 4, ring)
	spec := web("one")
	spec.Manner = &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}, Doubling: true}}
	s.apply(spec)
	if st := s.state("web", s.devices[0].id); st.State != protocol.StackDeferred || st.Code != stacks.CodeBatch || st.Version != 0 {
		t.Fatalf("before its batch: %+v", st)
	}
	s.ends = func(e protocol.Entry) protocol.StackState { return protocol.StackVerify }
	s.pass(time.Second)
	s.expect("while the first verifies", 1, 0, 0, 0)
	s.must(s.Act("web", 0, rollout.ActionAbort, "ada"))
	s.pass(time.Second)
	s.expect("what has begun goes on, the others never get it", 1, 0, 0, 0)
	if len(s.devices[1].set) != 0 {
		t.Error("a device has it that was not begun")
	}
}

func TestQuietDevicesAreDeferredAndJoin(t *testing.T) {
	s := newSite(t, 3, func(int) map[string]string { return nil })
	s.apply(web("one"))
	s.pass(0)
	s.fleet.quiet[s.devices[2].id] = true
	spec := web("two")
	spec.Manner = &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}}}
	s.apply(spec)
	for range 5 {
		s.pass(time.Second)
	}
	s.expect("without the one that is away", 2, 2, 1)
	if r := s.rollout(); r.State.Phase != rollout.Running || !strings.Contains(r.Why, "quiet") {
		t.Fatalf("it waits and says why: %s, %q", r.State.Phase, r.Why)
	}
	// What comes next need not wait for it.
	spec.Files, spec.During = bundle("three"), planner.Queue
	s.apply(spec)
	for range 5 {
		s.pass(time.Second)
	}
	s.expect("the next rollout", 3, 3, 1)
	delete(s.fleet.quiet, s.devices[2].id)
	s.pass(time.Second)
	s.pass(time.Second)
	s.expect("after it came back", 3, 3, 3)
	if r := s.rollout(); r.State.Phase != rollout.Done {
		t.Errorf("it is %s: %s", r.State.Phase, r.Why)
	}
}

func TestAnUpdateDuringARolloutAsks(t *testing.T) {
	s := newSite(t, 3, ring)
	s.apply(web("one"))
	s.pass(0)
	spec := web("two")
	spec.Manner = canary(rollout.Pause)
	s.apply(spec)
	s.pass(time.Second)
	spec.Files = bundle("three")
	if _, _, err := s.Apply(spec); !errors.Is(err, planner.ErrUnderWay) || !strings.Contains(err.Error(), "queue") {
		t.Fatalf("nobody said what becomes of the rollout: %v", err)
	}
	if versions, _ := s.Versions("web"); len(versions) != 2 {
		t.Error("the refused version is kept")
	}
	spec.During = planner.Queue
	s.apply(spec)
	s.pass(time.Second)
	s.expect("queued", 1, 2, 1)
	spec.Files, spec.During = bundle("four"), planner.Replace
	s.apply(spec)
	s.pass(time.Second)
	s.expect("replaced: the canary goes on to the newest", 1, 4, 1)
	list, err := s.Rollouts("web")
	s.must(err)
	if len(list) != 4 || list[1].State.Phase != rollout.Aborted || list[2].State.Phase != rollout.Aborted {
		t.Errorf("%d rollouts, %s, %s", len(list), list[1].State.Phase, list[2].State.Phase)
	}
	s.pass(11 * time.Minute)
	s.pass(time.Second)
	s.expect("at the end", 4, 4, 4)
	_, err = s.Deploy(planner.DeploySpec{Stack: "web", Version: 1, Manner: &planner.Manner{}, During: planner.Replace, By: "bo"})
	s.must(err)
	s.pass(time.Second)
	s.expect("an earlier version is deployed again", 1, 1, 1)
	if _, err := s.Deploy(planner.DeploySpec{Stack: "web", Version: 9}); !errors.Is(err, stacks.ErrNotFound) {
		t.Errorf("a version that is not kept: %v", err)
	}
}

func TestDevicesWaitForApprovalAndKeepTheirWindows(t *testing.T) {
	s := newSite(t, 2, func(i int) map[string]string {
		return map[string]string{stacks.ZoneLabel: []string{"Europe.Oslo", "nonsense"}[i]}
	})
	s.apply(web("one"))
	s.pass(0)
	spec := web("two")
	windows := []protocol.ChangeWindow{{Start: "0 2 * * *", Minutes: 60}}
	spec.Change = &stacks.ChangeRule{Approve: true, Windows: windows}
	s.apply(spec)
	s.ends = func(e protocol.Entry) protocol.StackState {
		if e.Change != nil && e.Change.Hold {
			return protocol.StackFetched
		}
		return protocol.StackRunning
	}
	s.pass(time.Second)
	for i, zone := range []string{"Europe/Oslo", "UTC"} {
		c := s.devices[i].set[0].Change
		if c == nil || !c.Hold || len(c.Windows) != 1 || c.Windows[0].Zone != zone {
			t.Fatalf("device %d is given %+v", i, c)
		}
	}
	if st := s.state("web", s.devices[0].id); st.State != protocol.StackFetched {
		t.Errorf("while it waits: %+v", st)
	}
	s.restart()
	if r := s.rollout(); !strings.Contains(r.Why, "approves") {
		t.Errorf("the rollout does not say what it waits for: %q", r.Why)
	}
	s.must(s.Act("web", 0, planner.ActionApprove, "bo"))
	if err := s.Act("web", 0, planner.ActionApprove, "bo"); !errors.Is(err, rollout.ErrNotNow) {
		t.Errorf("approved twice: %v", err)
	}
	s.restart()
	for _, d := range s.devices {
		d.runs = map[uint64]protocol.Entry{} // it applies what it has fetched
	}
	s.pass(time.Second)
	if c := s.devices[0].set[0].Change; c == nil || c.Hold || len(c.Windows) != 1 {
		t.Errorf("after the approval it is given %+v", c)
	}
	spec = web("three")
	spec.Change = &stacks.ChangeRule{Windows: []protocol.ChangeWindow{{Start: "never", Minutes: 60}}}
	if _, _, err := s.Apply(spec); !errors.Is(err, stacks.ErrInvalid) {
		t.Errorf("a window that is none: %v", err)
	}
}

func TestFailedDevicesAreTriedAgain(t *testing.T) {
	for _, plan := range []rollout.Plan{{}, {Batch: rollout.Amount{Count: 2}, OnFailure: rollout.Pause}} {
		s := newSite(t, 2, func(int) map[string]string { return nil })
		bad := true
		s.ends = func(protocol.Entry) protocol.StackState {
			if bad {
				return protocol.StackFailed
			}
			return protocol.StackRunning
		}
		spec := web("one")
		spec.Manner = &planner.Manner{Plan: plan}
		s.apply(spec)
		s.pass(time.Second)
		if st := s.state("web", s.devices[0].id); st.State != protocol.StackFailed {
			t.Fatalf("it is %s", st.State)
		}
		bad = false
		s.pass(time.Second)
		if st := s.state("web", s.devices[0].id); st.State != protocol.StackFailed {
			t.Fatal("tried again though nobody said so")
		}
		s.must(s.Act("web", 0, rollout.ActionRetry, "ada"))
		s.restart()
		s.pass(time.Second)
		s.pass(time.Second)
		if o, _ := s.Get("web"); o.States[protocol.StackRunning] != 2 || s.rollout().State.Phase != rollout.Done {
			t.Errorf("plan %q: after it was tried again %v, the rollout is %s: %s", plan.Words(), o.States, s.rollout().State.Phase, s.rollout().Why)
		}
		said := len(s.devices[0].repeat)
		s.restart()
		s.pass(time.Second)
		if len(s.devices[0].repeat) != said {
			t.Error("after a restart it was applied once more")
		}
	}
}

func TestADeviceThatTriesAgainHasNotFailedYet(t *testing.T) {
	s := newSite(t, 2, ring)
	spec := web("one")
	spec.Manner = canary(rollout.Pause)
	s.apply(spec)
	s.ends = func(protocol.Entry) protocol.StackState { return protocol.StackApplying }
	s.pass(time.Second)
	first := s.devices[1]
	say := func(state protocol.StackState, again bool) {
		first.rev++
		s.must(s.Status(first.id, protocol.StackStatus{
			Stack: 1, Version: 1, State: state, Rev: first.rev, Code: "image-unavailable", Again: again, At: s.now.Unix(),
		}))
	}
	say(protocol.StackFailed, true)
	s.Look(s.now.Add(time.Minute))
	if r := s.rollout(); r.State.Phase != rollout.Running {
		t.Fatalf("while it tries again: %s", r.State.Phase)
	}
	s.Look(s.now.Add(2 * time.Hour))
	if r := s.rollout(); r.State.Phase != rollout.Paused {
		t.Fatalf("after it tried for hours: %s", r.State.Phase)
	}
}

func TestAVersionThatFailedIsDeployedOnceMore(t *testing.T) {
	for _, plan := range []rollout.Plan{{}, {Batch: rollout.Amount{Count: 1}, OnFailure: rollout.Continue}} {
		s := newSite(t, 3, func(int) map[string]string { return nil })
		bad := true
		s.ends = func(e protocol.Entry) protocol.StackState {
			if bad && s.state("web", s.devices[0].id).Version == e.Version && len(s.devices[1].runs) == 0 {
				return protocol.StackFailed
			}
			return protocol.StackRunning
		}
		s.apply(web("one"))
		s.pass(0)
		before := map[protocol.StackState]int{}
		o, _ := s.Get("web")
		for state, n := range o.States {
			before[state] = n
		}
		if before[protocol.StackFailed] == 0 || before[protocol.StackRunning] == 0 {
			t.Fatalf("some fail and some do not: %v", before)
		}
		said := len(s.devices[2].repeat)
		bad = false
		_, err := s.Deploy(planner.DeploySpec{Stack: "web", Manner: &planner.Manner{Plan: plan}, By: "ada"})
		s.must(err)
		for range 6 {
			s.pass(time.Second)
		}
		if o, _ := s.Get("web"); o.States[protocol.StackRunning] != 3 || s.rollout().State.Phase != rollout.Done {
			t.Errorf("plan %q: %v, %s: %s", plan.Words(), o.States, s.rollout().State.Phase, s.rollout().Why)
		}
		if len(s.devices[2].repeat) != said {
			t.Error("a device where it runs has applied it again")
		}
	}
}

func TestWhatIsHeldAtTheDeviceIsLeftAlone(t *testing.T) {
	s := newSite(t, 2, func(int) map[string]string { return nil })
	s.apply(web("one"))
	s.pass(0)
	held := s.devices[0]
	held.rev++
	s.must(s.Status(held.id, protocol.StackStatus{
		Stack: 1, Version: 1, State: protocol.StackRunning, Rev: held.rev, Hold: protocol.HoldKept, HeldBy: "kari",
	}))
	if n := s.events[len(s.events)-1]; n.Kind != planner.KindHeld || !strings.Contains(n.Text, "kari") {
		t.Errorf("told %+v", n)
	}
	spec := web("two")
	spec.Manner = &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Count: 2}}}
	s.apply(spec)
	s.pass(time.Second)
	s.pass(time.Second)
	s.expect("while one is held", 1, 2)
	if r := s.rollout(); !strings.Contains(r.Why, stacks.CodeHeld) || s.state("web", held.id).HeldBy != "kari" {
		t.Errorf("it waits: %q, %+v", r.Why, s.state("web", held.id))
	}
	held.rev++
	s.must(s.Status(held.id, protocol.StackStatus{Stack: 1, Version: 1, State: protocol.StackRunning, Rev: held.rev}))
	s.pass(time.Second)
	s.pass(time.Second)
	s.expect("after it was released", 2, 2)
}

// plainSealer shows what would be sealed.
type plainSealer struct{}

func (plainSealer) Secrets(dev protocol.DeviceID, e protocol.EntryKey, s protocol.Secrets) ([]byte, error) {
	return fmt.Appendf(nil, "%s %d %v", dev, e.ID, s.Env), nil
}

func (plainSealer) Access(dev protocol.DeviceID, e protocol.EntryKey, a protocol.RegistryAccess) ([]byte, error) {
	return fmt.Appendf(nil, "%s %d %v", dev, e.ID, a.Registries), nil
}

func TestVariablesOfDevicesAndSecrets(t *testing.T) {
	s := newSite(t, 2, func(i int) map[string]string {
		return map[string]string{"confirmed": []string{"yes", "no"}[i]}
	})
	s.seal = plainSealer{}
	s.own = map[protocol.DeviceID]map[string]planner.Variable{
		s.devices[0].id: {"PORT": {Text: "81"}, "UNUSED": {Text: "x"}, "TOKEN": {Text: "own", Secret: true}},
	}
	s.uses = []string{"PORT", "TOKEN", "COLOUR"}
	s.restart()
	spec := web("image: x:${PORT}")
	spec.Env = map[string]string{"PORT": "80", "COLOUR": "red"}
	s.apply(spec)
	s.pass(0)
	first, second := s.devices[0].set[0], s.devices[1].set[0]
	if first.Env["PORT"] != "81" || first.Env["UNUSED"] != "" || first.Env["TOKEN"] != "" || first.Env["COLOUR"] != "red" ||
		!bytes.Contains(first.Sealed, []byte("TOKEN:own")) {
		t.Errorf("the device's own: %v, sealed %s", first.Env, first.Sealed)
	}
	if second.Env["PORT"] != "80" || len(second.Sealed) != 0 {
		t.Errorf("the stack's: %v", second.Env)
	}
	// A device that nobody has confirmed gets no secrets, and keeps what it has.
	spec.Env, spec.Secret = map[string]string{"PORT": "80", "COLOUR": "blue"}, []string{"COLOUR"}
	s.apply(spec)
	s.pass(0)
	s.expect("a version with secrets", 2, 1)
	if st := s.state("web", s.devices[1].id); st.State != protocol.StackDeferred || st.Code != stacks.CodeUnconfirmed || st.Running != 1 {
		t.Errorf("the unconfirmed device: %+v", st)
	}
	s.fleet.mu.Lock()
	s.fleet.devices[s.devices[1].id] = map[string]string{"confirmed": "yes"}
	s.fleet.mu.Unlock()
	s.must(s.DeviceChanged(s.devices[1].id))
	s.pass(0)
	s.expect("after it was confirmed", 2, 2)
	s.own[s.devices[0].id]["TOKEN"] = planner.Variable{Secret: true, Lost: true}
	s.must(s.GivenChanged(s.devices[0].id))
	s.pass(0)
	if st := s.state("web", s.devices[0].id); st.State != protocol.StackRunning || len(s.devices[0].set) != 1 {
		t.Errorf("a device whose secret was lost with the key keeps what it has: %+v", st)
	}
	if b, err := s.DeviceBundle("web", 0, s.devices[0].id); err != nil || b.Code != stacks.CodeInvalidHere {
		t.Errorf("what it would be given: %+v, %v", b, err)
	}
	spec.Secret = []string{"ABSENT"}
	if _, _, err := s.Apply(spec); !errors.Is(err, stacks.ErrInvalid) {
		t.Errorf("a secret without a value: %v", err)
	}
}

func TestStacksThatWantTheSamePort(t *testing.T) {
	s := newSite(t, 2, func(i int) map[string]string { return map[string]string{"site": []string{"oslo", "bergen"}[i]} })
	s.takes = []stacks.Take{{Service: "web", Port: 80, Protocol: "tcp"}}
	spec := web("one")
	spec.Selector = ptr("site=oslo")
	s.apply(spec)
	other := planner.ApplySpec{Name: "other", Files: bundle("two"), Author: "ada"}
	_, _, err := s.Apply(other)
	if !errors.Is(err, planner.ErrClash) || !strings.Contains(err.Error(), "host port 80/tcp") || !strings.Contains(err.Error(), "name of device0000000000") {
		t.Fatalf("both want it: %v", err)
	}
	other.Sees = func(protocol.DeviceID) bool { return false }
	if _, _, err := s.Apply(other); !errors.Is(err, planner.ErrClash) || strings.Contains(err.Error(), "device0000000000") {
		t.Errorf("a device is named to who does not see it: %v", err)
	}
	other.Sees = nil
	other.Selector = ptr("site=bergen")
	s.apply(other)
	// A device that moves gets one of them, and is told why not the other.
	s.fleet.mu.Lock()
	s.fleet.devices[s.devices[0].id] = map[string]string{"site": "bergen"}
	s.fleet.mu.Unlock()
	spec.Selector = ptr("")
	if _, _, err := s.Apply(spec); !errors.Is(err, planner.ErrClash) {
		t.Fatalf("the target is widened to where it clashes: %v", err)
	}
	s.fleet.mu.Lock()
	s.fleet.devices[s.devices[0].id] = map[string]string{"site": "oslo"}
	s.fleet.devices[s.devices[1].id] = map[string]string{"site": "oslo"}
	s.fleet.mu.Unlock()
	other.Selector = ptr("site=oslo")
	s.must(s.DeviceChanged(s.devices[1].id))
	if _, _, err := s.Apply(other); !errors.Is(err, planner.ErrClash) {
		t.Fatal(err)
	}
	other.Selector = ptr("site=bergen")
	s.fleet.mu.Lock()
	s.fleet.devices[s.devices[1].id] = map[string]string{"site": "bergen"}
	s.fleet.mu.Unlock()
	s.must(s.DeviceChanged(s.devices[1].id))
	s.must(s.Remove("web", "ada"))
	s.pass(0)
	s.pass(0)
	other.Selector = ptr("")
	s.apply(other)
	s.pass(0)
	s.expect("the other one has it now", 1, 1)
}

func TestOverlaysReachWhomTheyAreMeantFor(t *testing.T) {
	s := newSite(t, 3, func(i int) map[string]string {
		return map[string]string{"group": []string{"norway/oslo", "norway/bergen", ""}[i]}
	})
	spec := web("all")
	spec.Files["tags.csv"] = []byte("all")
	spec.Files[".farshore/groups/norway/-/tags.csv"] = []byte("norway")
	spec.Files[".farshore/groups/norway/oslo/-/tags.csv"] = []byte("oslo")
	spec.Files[".farshore/devices/name of device0000000002/tags.csv"] = []byte("two")
	s.apply(spec)
	s.pass(0)
	for i, want := range []string{"oslo", "norway", "two"} {
		b, err := s.DeviceBundle("web", 0, s.devices[i].id)
		s.must(err)
		if string(b.Files["tags.csv"]) != want || len(b.Files) != 2 || len(s.devices[i].set[0].Files) != 2 {
			t.Errorf("device %d has %q of %d files", i, b.Files["tags.csv"], len(b.Files))
		}
	}
	own := protocol.HashOf([]byte("two")).Short()
	if _, ok := s.Readable(s.devices[2].id, own); !ok {
		t.Error("a device cannot read its own file")
	}
	if _, ok := s.Readable(s.devices[0].id, own); ok {
		t.Error("a device can read another one's file")
	}
	delete(spec.Files, ".farshore/groups/norway/-/tags.csv")
	spec.Files[".farshore/groups/norway/tags.csv"] = nil
	if _, _, err := s.Apply(spec); !errors.Is(err, stacks.ErrInvalid) || !strings.Contains(err.Error(), "is for nobody") {
		t.Errorf("an overlay without its mark: %v", err)
	}
}

func TestPlansThatCannotBe(t *testing.T) {
	s := newSite(t, 1, ring)
	for what, m := range map[string]planner.Manner{
		"needs the label":   {Plan: rollout.Plan{ByOrder: true}},
		"does not go by it": {Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}}, Order: planner.Order{Label: "ring"}},
		"first batch":       {Plan: rollout.Plan{Doubling: true}},
		"two places":        {Plan: rollout.Plan{ByOrder: true}, Order: planner.Order{Label: "ring", Values: []string{"a", "b", "a"}}},
		"at most 100":       {Plan: rollout.Plan{Success: 101, Batch: rollout.Amount{Count: 1}}},
	} {
		spec := web("one")
		spec.Manner = &m
		if _, _, err := s.Apply(spec); !errors.Is(err, stacks.ErrInvalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("want %q: %v", what, err)
		}
	}
	if s.exists("web") {
		t.Error("something was stored")
	}
	if err := s.Act("web", 0, rollout.ActionPause, "ada"); !errors.Is(err, stacks.ErrNotFound) {
		t.Error(err)
	}
	spec := web("one")
	spec.Selector = ptr("site=nowhere")
	spec.Manner = canary(rollout.Pause)
	s.apply(spec) // a target of no devices is allowed
	s.pass(time.Second)
	if r := s.rollout(); r.State.Phase != rollout.Done {
		t.Errorf("with nobody to change it is %s: %s", r.State.Phase, r.Why)
	}
	if err := s.Act("web", 0, rollout.ActionPause, "ada"); !errors.Is(err, rollout.ErrNotNow) {
		t.Errorf("paused after it was over: %v", err)
	}
	if err := s.Act("web", 9, rollout.ActionPause, "ada"); !errors.Is(err, planner.ErrNoRollout) {
		t.Error(err)
	}
}
