package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// A device that moves to another group, or whose labels change, gets and gives up stacks by itself: those of groups, and
// those of edge groups that name it by what it inherits, by itself, or by a fact.
func TestStacksFollowADeviceThatMoves(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway", Profile: "lan"}, nil)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway/oslo", Labels: map[string]string{"site": "oslo", "env": "prod"}}, nil)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway/bergen", Labels: map[string]string{"site": "bergen", "env": "prod"}}, nil)
	d := w.join(1, admission.KeySpec{AutoApprove: &waitingroom.Rule{}, Group: "norway/oslo"})
	w.ask(http.MethodPut, "/edge-groups/plants", resource.PutEdgeGroup{Selector: "site in (oslo,bergen), env=prod, !canary"}, nil)
	w.ask(http.MethodPut, "/edge-groups/spares", resource.PutEdgeGroup{Selector: "spare"}, nil)
	w.ask(http.MethodPut, "/edge-groups/engines", resource.PutEdgeGroup{Selector: "farshore.io/engine,farshore.io/engine-version,farshore.io/arch,farshore.io/os"}, nil)
	w.ask(http.MethodPut, "/stacks/oslo", resource.Apply{Files: app("oslo:1"), Group: ptr("norway/oslo")}, nil)
	w.ask(http.MethodPut, "/stacks/bergen", resource.Apply{Files: app("bergen:1"), Group: ptr("norway/bergen")}, nil)
	w.ask(http.MethodPut, "/stacks/plant", resource.Apply{Files: app("plant:1"), Include: &[]string{"plants"}, Exclude: &[]string{"spares"}}, nil)
	w.ask(http.MethodPut, "/stacks/facts", resource.Apply{Files: app("facts:1"), Include: &[]string{"engines"}}, nil)

	runs := func(when string, want ...string) {
		t.Helper()
		got := ""
		defer func() {
			if t.Failed() {
				t.Logf("%s it has %s, want %s", when, got, want)
			}
		}()
		w.Until(when, time.Minute, func() bool {
			var names []string
			for _, s := range w.Hub().Planner.DeviceStacks(d.ID) {
				names = append(names, s.Name+" "+s.State.String())
			}
			slices.Sort(names)
			obs, err := d.Engine.Observe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			containers := 0
			for _, c := range obs.Containers {
				if c.Stack != 0 {
					containers++
				}
			}
			got = fmt.Sprintf("%s and %d containers", names, containers)
			return strings.Join(names, ",") == strings.Join(want, " running,")+" running" && containers == len(want)
		})
	}
	patch := func(p resource.DevicePatch) {
		t.Helper()
		w.ask(http.MethodPatch, "/devices/"+string(d.ID), p, nil)
	}
	runs("in Oslo", "facts", "oslo", "plant")
	patch(resource.DevicePatch{Group: ptr("norway/bergen")})
	runs("in Bergen", "bergen", "facts", "plant")
	patch(resource.DevicePatch{Labels: map[string]*string{"spare": ptr("")}})
	runs("as a spare", "bergen", "facts")
	patch(resource.DevicePatch{Labels: map[string]*string{"spare": nil, "canary": ptr("1")}})
	runs("as a canary", "bergen", "facts")
	patch(resource.DevicePatch{Labels: map[string]*string{"canary": nil}, Group: ptr("norway/oslo")})
	runs("back in Oslo", "facts", "oslo", "plant")
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway/oslo", Labels: map[string]string{"site": "oslo", "env": "test"}}, nil)
	runs("after its group was relabelled", "facts", "oslo")
}
