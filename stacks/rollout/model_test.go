package rollout_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

// world is a naive account of a fleet: each device has the change or not, and does one thing at a time.
type world struct {
	t       *testing.T
	r       *rand.Rand
	now     time.Time
	devices map[protocol.DeviceID]*machine
	state   rollout.State
	started map[string]int // how often each device and attempt was started
	made    int
	calm    bool // nothing goes wrong any more
}

type machine struct {
	order          uint32
	group          string
	quiet, changed bool
	bad            bool   // the change does not work on it
	job            string // "", "forward", "back": under way
	attempt        uint32 // of the job, or the last one
	ended          bool   // the last one failed
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 3)), now: time.Unix(1_760_000_000, 0), started: map[string]int{},
		devices: map[protocol.DeviceID]*machine{},
	}
	p := rollout.Plan{
		Doubling: w.chance(3), ByOrder: w.chance(2), Soak: uint32(w.r.IntN(3) * 60), OnFailure: rollout.OnFailure(w.r.IntN(4)),
		PerGroup: uint32(w.r.IntN(3)), Success: uint8(w.r.IntN(3) * 45),
	}
	if w.chance(2) || p.Doubling {
		p.Batch = rollout.Amount{Count: uint32(1 + w.r.IntN(5))}
	}
	if w.chance(2) {
		p.Failures = rollout.Amount{Percent: uint8(w.r.IntN(60))}
	}
	var err error
	if w.state, err = rollout.New(p, w.now.Add(time.Duration(w.r.IntN(2))*time.Minute)); err != nil {
		t.Fatal(err)
	}
	for range 1 + w.r.IntN(30) {
		w.add()
	}
	return w
}

func (w *world) chance(n int) bool { return w.r.IntN(n) == 0 }

func (w *world) add() {
	id := protocol.DeviceID(fmt.Sprintf("device-%04d", w.made+1000*w.r.IntN(9)))
	w.made++
	w.devices[id] = &machine{
		order: uint32(w.r.IntN(3)), group: []string{"", "a", "b"}[w.r.IntN(3)], quiet: w.chance(4), changed: w.chance(10), bad: w.chance(8),
	}
}

func (w *world) look() []rollout.Seen {
	var out []rollout.Seen
	for id, m := range w.devices {
		v := rollout.Seen{ID: id, Order: m.order, Group: m.group, Attempt: m.attempt}
		d := w.state.Devices[id]
		back := d.Status == rollout.StatusReturning || d.Status == rollout.StatusReturned || d.Status == rollout.StatusStuck
		switch {
		case m.job != "":
			v.Standing = rollout.Started
		case m.attempt == d.Attempt && m.ended:
			v.Standing, v.Code = rollout.Ended, "broken"
		case m.changed != back:
			v.Standing, v.Attempt = rollout.Succeeded, d.Attempt
		case m.quiet:
			v.Standing, v.Code = rollout.Deferred, "quiet"
		}
		out = append(out, v)
	}
	w.r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// step steps twice with the same input, with a restart between, and does some of what is said.
func (w *world) step() {
	w.t.Helper()
	seen := w.look()
	out := w.state.Step(w.now, seen)
	before := w.encoded()
	w.restart()
	if again := w.state.Step(w.now, seen); fmt.Sprint(again) != fmt.Sprint(out) || !bytes.Equal(before, w.encoded()) {
		w.t.Fatalf("the same input gave\n%+v\nand then\n%+v", out, again)
	}
	w.judge(out)
	for _, list := range []struct {
		job   string
		tasks []rollout.Task
	}{{"forward", out.Start}, {"back", out.Back}} {
		for _, task := range list.tasks {
			if !w.calm && w.chance(4) {
				continue // a crash before it was done
			}
			m := w.devices[task.ID]
			key := fmt.Sprint(task.ID, task.Attempt)
			if w.started[key]++; m.job != "" || m.changed == (list.job == "forward") {
				w.t.Fatalf("%s is started %s in vain: %+v", task.ID, list.job, m)
			}
			m.job, m.attempt, m.ended = list.job, task.Attempt, false
		}
	}
	if out.TakeBack && w.chance(2) {
		for id, m := range w.devices {
			if m.job == "forward" && m.quiet && w.state.Devices[id].Status == rollout.StatusGoing {
				m.job = ""
			}
		}
	}
}

// judge holds the output to what must always be so.
func (w *world) judge(out rollout.Output) {
	w.t.Helper()
	s := &w.state
	if (s.Phase == rollout.Paused || s.Phase.Over() || s.Phase == rollout.Planned) && len(out.Start)+len(out.Back) > 0 {
		w.t.Fatalf("a rollout that is %s starts %v %v", s.Phase, out.Start, out.Back)
	}
	if len(out.Start)+len(out.Back) == 0 && out.Why == "" && s.Phase != rollout.Done {
		w.t.Fatalf("a rollout that is %s does nothing and does not say why", s.Phase)
	}
	busy := map[string]int{}
	for _, m := range w.devices {
		if m.job != "" && m.group != "" {
			busy[m.group]++
		}
	}
	for _, task := range append(slices.Clone(out.Start), out.Back...) {
		m := w.devices[task.ID]
		if m == nil || m.quiet {
			w.t.Fatalf("%s is started, which is away", task.ID)
		}
		if busy[m.group]++; m.group != "" && s.Plan.PerGroup > 0 && busy[m.group] > int(s.Plan.PerGroup) {
			w.t.Fatalf("%d of group %s at once, with a limit of %d", busy[m.group], m.group, s.Plan.PerGroup)
		}
	}
	if s.Phase == rollout.Done {
		for id, m := range w.devices {
			if d, known := s.Devices[id]; known && d.Status != rollout.StatusFailed && !m.changed && d.Status != rollout.StatusReturned {
				w.t.Fatalf("done, and %s is %s", id, d.Status)
			}
		}
	}
}

func (w *world) encoded() []byte {
	b, err := protocol.Marshal(w.state)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) restart() {
	b := w.encoded()
	w.state = rollout.State{}
	if err := protocol.Unmarshal(b, &w.state); err != nil {
		w.t.Fatal(err)
	}
}

// live lets time pass.
func (w *world) live() {
	w.now = w.now.Add(time.Duration(w.r.IntN(40)) * time.Second)
	for _, id := range slices.Sorted(maps.Keys(w.devices)) {
		m := w.devices[id]
		if m.job != "" && !m.quiet && (w.calm || w.chance(2)) {
			if m.bad && m.job == "forward" && !w.calm {
				m.ended = true
			} else {
				m.changed = m.job == "forward"
			}
			m.job = ""
		}
		if !w.calm && w.chance(12) {
			m.quiet = !m.quiet
		}
	}
	if w.calm {
		return
	}
	switch w.r.IntN(30) {
	case 0:
		w.add()
	case 1:
		for id := range w.devices {
			delete(w.devices, id)
			break
		}
	case 2, 3:
		actions := []rollout.Action{rollout.ActionPause, rollout.ActionContinue, rollout.ActionSkip, rollout.ActionRetry}
		_ = w.state.Do(actions[w.r.IntN(len(actions))], "anna") // which is not always possible
	}
}

// Random plans, fleets, restarts, lost starts and operators: what must always hold is looked at after each step; and
// when nothing goes wrong any more and an operator helps, every device gets the change.
func TestRandomRollouts(t *testing.T) {
	seeds := 400
	if testing.Short() {
		seeds = 80
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, uint64(seed))
			for range 120 {
				w.step()
				w.live()
			}
			w.calm = true
			for _, m := range w.devices {
				m.quiet = false
			}
			for range 2000 {
				w.step()
				w.live()
				switch {
				case w.state.Phase == rollout.Paused:
					_ = w.state.Do(rollout.ActionContinue, "anna")
				case w.state.Phase.Over() && w.state.Do(rollout.ActionRetry, "anna") != nil:
					for id := range w.state.Devices {
						if m := w.devices[id]; m != nil && !m.changed {
							t.Fatalf("the rollout is %s, and %s never got the change: %+v", w.state.Phase, id, w.state.Devices[id])
						}
					}
					return
				}
			}
			t.Fatalf("it never ended: %+v", w.state)
		})
	}
}
