package planner_test

import (
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
)

// A device needs what it does not have, from what it has; what it says that it spent is the rollout's account, also when
// later versions have come.
func TestWhatADeviceNeedsAndWhatItSpent(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{"a": nil, "b": nil})
	files := bundle("one")
	files["conf"] = []byte("same")
	spec := planner.ApplySpec{Name: "web", Files: files, Author: "ada"}
	n, err := h.Needs(spec)
	h.must(err)
	if len(n.Devices) != 2 || len(n.Devices[0].Lacks) != 2 || n.Version != 1 || h.exists("web") {
		t.Fatalf("a new stack needs %+v", n)
	}
	s, _ := h.apply(spec)
	h.must(h.Estimated("web", 1, 5000, 2))
	h.Desired("a")
	say := func(rev, version, spent uint64) {
		t.Helper()
		h.must(h.Status("a", protocol.StackStatus{Stack: s.ID, Version: version, State: protocol.StackRunning, Rev: rev, Spent: spent}))
	}
	data := func(number uint64) [4]uint64 {
		t.Helper()
		r, err := h.Rollout("web", number)
		h.must(err)
		return [4]uint64{r.Estimate, uint64(r.Estimated), r.Spent, uint64(r.Reported)}
	}
	say(1, 1, 700)
	say(2, 1, 300) // its count was lost
	if got := data(1); got != [4]uint64{5000, 2, 700, 1} {
		t.Errorf("estimate and account are %v", got)
	}
	files["compose.yml"] = []byte("two")
	n, err = h.Needs(spec)
	h.must(err)
	for _, d := range n.Devices {
		lacks, base := 2, false
		if d.Device == "a" {
			lacks, base = 1, true
		}
		if len(d.Lacks) != lacks || (d.Lacks[0].Base != protocol.Hash{}) != base {
			t.Errorf("device %s lacks %+v", d.Device, d.Lacks)
		}
	}
	h.apply(spec)
	h.Desired("a")
	say(3, 2, 90)
	h.restart()
	if one, two := data(1), data(2); one != [4]uint64{5000, 2, 700, 1} || two != [4]uint64{0, 0, 90, 1} {
		t.Errorf("accounts are %v and %v", one, two)
	}
	if n, err = h.NeedsOf("web", 0); err != nil || len(n.Devices) != 1 || n.Devices[0].Device != "b" {
		t.Errorf("of what a has already: %+v, %v", n.Devices, err)
	}
}
