package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

// simulate runs n devices, which are let in by themselves.
func (h *hub) simulate(n int, ramp time.Duration) *process {
	h.t.Helper()
	path := filepath.Join(h.dir, "fleetsim")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "../../cmd/fleetsim")
	if out, err := build.CombinedOutput(); err != nil {
		h.t.Fatalf("build fleetsim: %v\n%s", err, out)
	}
	key := h.key("fleet", "--uses", fmt.Sprint(n), "--auto-approve")
	return start(h.t, newOutput(h.t, "fleetsim"), command{
		name: "fleetsim", path: path, env: []string{"FARSHORE_SIM_EDGE_KEY=" + key},
		args: []string{"--devices", fmt.Sprint(n), "--carrier", "mqtt", "--ramp", ramp.String(), "--containers", "4", "--log-level", "info"},
	})
}

// rolloutShown is a rollout as scripts see it.
type rolloutShown struct {
	Number int    `json:"number"`
	Phase  string `json:"phase"`
	Why    string `json:"why"`
}

// A version that cannot run stops at the canary, which has a real engine: there the version before it comes back, with the
// reason, and nobody else ever heard of the bad one.
func TestBadVersionStopsAtTheCanary(t *testing.T) {
	t.Parallel()
	const others = 19
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", e)
	a.join(h.key("field"))
	device := h.admit(a, "crane")
	sim := h.simulate(others, time.Second)
	h.cli("devices", "set", device, "--label", "ring=canary")
	u := &updating{t: t, h: h, device: device, token: h.token(), http: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's own hub, on the loopback
	}}}
	apply := func(label, run string) {
		compose := fmt.Sprintf("services: {web: {image: %q, labels: {version: %s}, command: [sh, -c, %q], stop_grace_period: 1s}}\n",
			testengine.BusyboxImage, label, run)
		body, err := json.Marshal(map[string]any{
			"files":  map[string][]byte{"compose.yml": []byte(compose)},
			"health": map[string]any{"watch_seconds": 3, "retries": 1},
			"plan": map[string]any{
				"soak_seconds": 3, "on_failure": "roll-back-all", "order": map[string]any{"label": "ring", "values": []string{"canary"}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		u.must(http.MethodPut, "/stacks/pumps", body, nil)
	}
	over := func(phase string) (r rolloutShown) {
		wait(t, 5*time.Minute, "the rollout is "+phase, func() error {
			var list struct{ Items []rolloutShown }
			u.must(http.MethodGet, "/stacks/pumps/rollouts", nil, &list)
			if len(list.Items) == 0 || list.Items[0].Phase != phase {
				return fmt.Errorf("they are %+v", list.Items)
			}
			r = list.Items[0]
			return nil
		})
		return r
	}
	until(t, "all devices are in session", func() error {
		var all []struct {
			Liveness struct{ Connected bool }
		}
		h.get(&all, "devices", "ls")
		n := 0
		for _, d := range all {
			if d.Liveness.Connected {
				n++
			}
		}
		return wanted("devices in session", n, others+1)
	})
	apply("one", "exec sleep 3600")
	over("done")
	h.runs("pumps", device, 1)
	mark := sim.log.mark()
	if !strings.Contains(sim.log.text()[:mark], "stack applied") {
		t.Error("the others do not tell of what they are told")
	}
	apply("bad", "echo no pump on line 4; exit 3")
	r := over("failed")
	h.runs("pumps", device, 1)
	if got := e.commandOf("pumps"); got != "one running" {
		t.Errorf("on the canary: %s", got)
	}
	if !strings.Contains(r.Why, "batch 1 ") {
		t.Errorf("why: %q", r.Why)
	}
	var page struct {
		Total int
		Items []struct {
			Device, State, Code string
			Now                 struct {
				State   string
				Version uint64
			}
		}
	}
	u.must(http.MethodGet, fmt.Sprintf("/stacks/pumps/rollouts/%d/devices?limit=100", r.Number), nil, &page)
	for _, d := range page.Items {
		state := "waiting"
		if d.Device == device {
			state = "returned"
		}
		if d.State != state || d.Now.State != "running" || d.Now.Version != 1 {
			t.Errorf("%+v", d)
		}
	}
	if page.Total != others+1 || len(page.Items) != others+1 {
		t.Errorf("%d devices, %d of them shown", page.Total, len(page.Items))
	}
	if said := sim.log.since(mark); strings.Contains(said, "version=2") {
		t.Errorf("others heard of it:\n%s", lastLines(said, 20))
	}
	apply("three", "exec sleep 3601")
	over("done")
	h.runs("pumps", device, 3)
	if got := e.commandOf("pumps"); got != "three running" {
		t.Errorf("on the canary: %s", got)
	}
}
