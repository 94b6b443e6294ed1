package planner_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// halted is a stack with a version that asks for something and a harmless one after it, whose rollout does not go on.
func halted(t *testing.T, first planner.ApplySpec) *hub {
	t.Helper()
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {"group": "oslo"}, devB: {"group": "lab"}})
	first.Name, first.Group = "web", ptr("lab")
	h.apply(first)
	h.forbid = map[string]stacks.Rule{"oslo": stacks.RulePrivileged}
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("harmless"), Manner: &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}}}})
	h.must(h.Act("web", 0, rollout.ActionAbort, "eve"))
	return h
}

func TestAnEarlierVersionDoesNotReachDevicesWhosePolicyForbidsIt(t *testing.T) {
	for name, exempt := range map[string]bool{"what it asks for was free": false, "its author was exempt": true} {
		t.Run(name, func(t *testing.T) {
			h := halted(t, planner.ApplySpec{Files: bundle("one"), Exempt: exempt})
			spec := planner.ApplySpec{Name: "web", Files: bundle("harmless"), Group: ptr("")}
			_, _, err := h.Apply(spec)
			if !errors.Is(err, errPolicy) {
				t.Errorf("meant for devices that would get what their policy forbids: %v", err)
			}
			if set := h.Desired(devA); len(set) != 0 {
				t.Errorf("a device got version %d, which its policy forbids", set[0].Version)
			}
		})
	}
}

func TestADeviceThatComesLaterIsJudgedByWhatItWouldGet(t *testing.T) {
	h := halted(t, planner.ApplySpec{Files: bundle("one")})
	h.fleet.mu.Lock()
	h.fleet.devices["device-c"] = map[string]string{"group": "lab"}
	h.fleet.mu.Unlock()
	h.mu.Lock()
	h.forbid["lab"] = stacks.RulePrivileged
	h.mu.Unlock()
	h.must(h.DeviceChanged("device-c"))
	if set := h.Desired("device-c"); len(set) != 0 {
		t.Errorf("it is given version %d, which its policy forbids", set[0].Version)
	}
	if st := h.state("web", "device-c"); st.Code != stacks.CodePolicy {
		t.Errorf("the stack there is %+v", st)
	}
}

func TestWhoIsBoundDoesNotBringBackWhatSomebodyExemptMade(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {"group": "oslo"}})
	h.forbid = map[string]stacks.Rule{"oslo": stacks.RulePrivileged}
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one"), Exempt: true})
	if _, err := h.Deploy(planner.DeploySpec{Stack: "web", Force: true, By: "eve"}); err != nil {
		t.Errorf("what devices have already, once more: %v", err)
	}
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("harmless")})
	if _, err := h.Deploy(planner.DeploySpec{Stack: "web", Version: 1, By: "eve"}); !errors.Is(err, errPolicy) {
		t.Errorf("back to what a policy forbids: %v", err)
	}
	if _, err := h.Deploy(planner.DeploySpec{Stack: "web", Version: 1, Exempt: true, By: "ada"}); err != nil {
		t.Errorf("by somebody exempt: %v", err)
	}
}

func TestAVariableThatDecidesWhatIsAskedForMayNotBeSetWhereAPolicyHolds(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {"group": "oslo"}, devB: {"group": "lab"}})
	h.uses, h.varies = []string{"COLOUR", "IMAGE"}, []compose.Varied{{Place: "compose.yml services web image", Names: []string{"IMAGE"}}}
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one"), Env: map[string]string{"IMAGE": "nginx", "COLOUR": "red"}})
	h.forbid = map[string]stacks.Rule{"oslo": stacks.RuleVariables}
	if err := h.MaySet("IMAGE", []protocol.DeviceID{devB, devA}); !errors.Is(err, errPolicy) || !strings.Contains(err.Error(), string(devA)) {
		t.Errorf("the image, on a device with the stack: %v", err)
	}
	h.must(h.MaySet("COLOUR", []protocol.DeviceID{devA}))
	h.must(h.MaySet("IMAGE", []protocol.DeviceID{devB}))
}

func TestOverlaysTogetherHideNothingFromAPolicy(t *testing.T) {
	const id = "aaaaaaaaaaaaaaaa"
	const free, bound = "services: {web: {image: nginx}}\n", "services: {web: {image: nginx, privileged: true}}\n"
	const extended = "services: {web: {extends: {file: parts.yml, service: web}}}\n"
	for name, files := range map[string]map[string]string{
		"of a group and of a name":        {".farshore/groups/oslo/-/compose.yml": extended, ".farshore/devices/crane/parts.yml": bound},
		"of a group and of an id":         {".farshore/groups/oslo/-/compose.yml": extended, ".farshore/devices/" + id + "/parts.yml": bound},
		"of a group and of one above":     {".farshore/groups/oslo/-/parts.yml": bound, ".farshore/groups/oslo/line/-/compose.yml": extended},
		"of an id and of a name":          {".farshore/devices/crane/compose.yml": extended, ".farshore/devices/" + id + "/parts.yml": bound},
		"of a name and of an id, swapped": {".farshore/devices/crane/parts.yml": bound, ".farshore/devices/" + id + "/compose.yml": extended},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, map[protocol.DeviceID]map[string]string{devA: {"group": "oslo"}})
			h.real, h.forbid = true, map[string]stacks.Rule{"oslo": stacks.RulePrivileged}
			spec := planner.ApplySpec{Name: "web", Files: map[string][]byte{"compose.yml": []byte(free), "parts.yml": []byte(free)}}
			h.apply(spec)
			for path, content := range files {
				spec.Files[path] = []byte(content)
			}
			if _, _, err := h.Apply(spec); !errors.Is(err, errPolicy) {
				t.Errorf("overlays that ask for it together: %v", err)
			}
		})
	}
}

func TestWhatIsWrongWithABundleDoesNotTellASecretOfADevice(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {"group": "oslo"}})
	h.real = true
	h.own = map[protocol.DeviceID]map[string]planner.Variable{devA: {"TOKEN": {Text: "hunter2-hunter2", Secret: true}}}
	for _, text := range []string{
		"services: {web: {image: 'nginx:${TOKEN}@x'}}\n", "services: {web: {image: nginx, ports: ['${TOKEN}x:80']}}\n", "services: {web: {image: 'x/${TOKEN}'}}\n",
	} {
		preview, err := h.Preview(planner.ApplySpec{Name: "web", Files: bundle(text)})
		if strings.Contains(fmt.Sprint(preview, err), "hunter2") {
			t.Errorf("%s: %+v, %v", text, preview, err)
		}
	}
}
