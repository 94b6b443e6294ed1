package api_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom/admission"
)

func (w *world) page(path string) (int, string) {
	w.t.Helper()
	resp, err := w.server.Client().Get(w.server.URL + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "", Profile: "lan"}, nil)
	d := w.join(1, admission.KeySpec{})
	w.Device(fleetSpec(w, 2))
	w.Until("another waits", 30*time.Second, func() bool { return len(w.Hub().Waiting.List()) == 1 })
	var c resource.Command
	w.ask(http.MethodPost, "/devices/"+string(d.ID)+"/commands", resource.NewCommand{Kind: protocol.CommandSnapshot}, &c)
	w.Until("the command ended", time.Minute, func() bool {
		w.ask(http.MethodGet, "/commands/"+c.ID.String(), nil, &c)
		return c.Final
	})
	w.refused(http.MethodGet, "/devices/none", nil)
	for range 2 { // counting on must not count twice
		_, text := w.page("/metrics")
		for _, want := range []string{
			"farshore_devices_connected 1\n", `farshore_devices{state="on-time"} 1`, `farshore_devices{state="overdue"} 0`,
			`farshore_waiting_devices{state="waiting"} 1`, `farshore_commands_ended_total{state="done"} 1`, "farshore_commands_open 0\n",
			`farshore_link_bytes_total{class="snapshot",direction="up"}`, `farshore_hub_info{version="test"} 1`,
			`farshore_http_request_duration_seconds_count{code="200",route="PUT /api/v1/groups"} 1`, "farshore_ready 1\n",
			`farshore_http_request_duration_seconds_count{code="404",route="GET /api/v1/devices/{device}"} 1`,
			`farshore_audit_entries_total{operation="groups.change",result="done"} 1`, "farshore_audit_failures_total 0\n", "go_goroutines ", "process_",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("metrics lack %q", want)
			}
		}
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	if code, body := w.page("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %s", code, body)
	}
	c := w.config
	var broken error
	c.Ready = func() error { return broken }
	c.MetricsNeedSignIn = true
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.server.Config.Handler = handler
	if code, _ := w.page("/readyz"); code != 200 {
		t.Errorf("readyz: %d", code)
	}
	broken = errors.New("store is closed: /secret/path")
	if code, body := w.page("/readyz"); code != 503 || strings.Contains(body, "secret") {
		t.Errorf("readyz with a closed store: %d %s", code, body)
	}
	if code, _ := w.page("/metrics"); code != 401 {
		t.Errorf("closed metrics: %d", code)
	}
}
