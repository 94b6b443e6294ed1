package planner_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

func TestWhatAPolicyForbidsIsNotApplied(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {"group": "oslo"}, devB: {"group": "lab"}})
	h.forbid = map[string]stacks.Rule{"oslo": stacks.RulePrivileged}
	spec := planner.ApplySpec{Name: "web", Files: bundle("one"), Author: "ada"}
	if _, err := h.Preview(spec); !errors.Is(err, errPolicy) {
		t.Errorf("preview: %v", err)
	}
	if _, _, err := h.Apply(spec); !errors.Is(err, errPolicy) || !strings.Contains(err.Error(), string(devA)) || h.exists("web") {
		t.Fatalf("a stack that a device's group forbids: %v", err)
	}
	spec.Group = ptr("lab")
	h.apply(spec)
	spec.Group = ptr("oslo")
	if _, _, err := h.Apply(spec); !errors.Is(err, errPolicy) {
		t.Errorf("moved to where it is forbidden: %v", err)
	}
	spec.Group, spec.Exempt = ptr(""), true
	if _, v := h.apply(spec); v.Number != 2 {
		t.Errorf("the same content by somebody who is exempt is version %d", v.Number)
	}
	if len(h.Desired(devA)) != 1 || len(h.Desired(devB)) != 1 {
		t.Error("devices do not get what somebody exempt has applied")
	}
}

func TestADeviceThatComesLaterIsRefusedWhatItsGroupForbids(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devB: {"group": "lab"}})
	h.forbid = map[string]stacks.Rule{"oslo": stacks.RulePrivileged}
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one")})
	h.fleet.mu.Lock()
	h.fleet.devices[devA] = map[string]string{"group": "oslo"}
	h.fleet.mu.Unlock()
	h.must(h.DeviceChanged(devA))
	refused := func(when string) {
		t.Helper()
		st := h.state("web", devA)
		if st.State != protocol.StackFailed || st.Code != stacks.CodePolicy || !strings.Contains(st.Detail, "rule privileged") || len(h.Desired(devA)) != 0 {
			t.Errorf("%s: %+v, desired %v", when, st, h.Desired(devA))
		}
		if l := h.DeviceStacks(devA); len(l) != 1 || l[0] != st || h.Tally(devA) != (planner.Tally{All: 1, Failed: 1}) {
			t.Errorf("%s: the device's stacks are %+v", when, l)
		}
		if o, err := h.Get("web"); err != nil || o.Devices != 2 || o.States[protocol.StackFailed] != 1 {
			t.Errorf("%s: %+v, %v", when, o, err)
		}
	}
	refused("it joined")
	h.restart()
	refused("the hub was restarted")
	h.mu.Lock()
	h.forbid = nil
	h.mu.Unlock()
	h.PolicyChanged()
	if len(h.Desired(devA)) != 1 || h.told[devA] == 0 || h.state("web", devA).Code == stacks.CodePolicy {
		t.Error("a policy that was lifted still keeps the device from its stack")
	}
	if len(h.Desired(devB)) != 1 {
		t.Fatal("the device that is free to does not get it")
	}
	// What was given to a device is left alone when a policy comes.
	h.mu.Lock()
	h.forbid = map[string]stacks.Rule{"oslo": stacks.RulePrivileged, "lab": stacks.RulePrivileged}
	h.mu.Unlock()
	h.PolicyChanged()
	h.must(h.DeviceChanged(devB))
	h.restart()
	if len(h.Desired(devA)) != 1 || len(h.Desired(devB)) != 1 {
		t.Error("a policy took away what devices had")
	}
	h.must(h.Remove("web", "ada"))
	if h.exists("web") && h.state("web", devA).Code == stacks.CodePolicy {
		t.Error("a removed stack is still refused")
	}
}
