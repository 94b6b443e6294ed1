package api_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/releases/releasefile"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// upload sends a release bundle.
func (w *world) upload(body []byte) (status int, answer string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.server.URL+api.Base+"/releases", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := w.server.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestReleasesComeAndDevicesAreUpdatedToThem(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "linux-amd64")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "farshore-agent"), bytes.Repeat([]byte("program"), 300_000), 0o755); err != nil {
		t.Fatal(err)
	}
	var bundle bytes.Buffer
	_, err := releasefile.Make(&bundle, releasefile.Spec{Key: fleettest.ReleaseKey(), Version: "v9.1.0", Created: time.Now(), Dir: filepath.Dir(dir)})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := w.upload([]byte("no bundle")); status != http.StatusUnprocessableEntity || !strings.Contains(answer, "no bundle") {
		t.Errorf("nonsense is answered %d %s", status, answer)
	}
	if status, answer := w.upload(bundle.Bytes()); status != http.StatusCreated || !strings.Contains(answer, `"v9.1.0"`) {
		t.Fatalf("the release is answered %d %s", status, answer)
	}
	if status, answer := w.upload(bundle.Bytes()); status != http.StatusConflict || !strings.Contains(answer, "there already") {
		t.Errorf("the same again is answered %d %s", status, answer)
	}
	var trail resource.List[resource.Audit]
	w.ask(http.MethodGet, "/audit?limit=5", nil, &trail)
	found := false
	for _, e := range trail.Items {
		found = found || e.Operation == "releases.change" && e.Resource == "release v9.1.0" && e.Result == "done"
	}
	if !found {
		t.Errorf("the audit trail does not say that the release came: %+v", trail.Items)
	}

	spec := resource.UpdateSpec{Release: "v9.1.0"}
	if p := w.refused(http.MethodPost, "/updates", spec); p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, "it means 0 devices") {
		t.Errorf("an update of nobody: %+v", p)
	}
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Settings: resource.Settings{Command: protocol.FrequencyPush}}, nil)
	d := w.join(1, admission.KeySpec{AutoApprove: &waitingroom.Rule{}})
	var e resource.UpdateEstimate
	w.ask(http.MethodPost, "/updates/preview", spec, &e)
	if e.Devices != 1 || len(e.Items) != 1 || e.Items[0].Device != d.ID || e.Words != "All devices at once. At the first failure: pause." {
		t.Errorf("the estimate is %+v", e)
	}
	for says, bad := range map[string]string{
		"no such release": `{"release":"v7"}`, "selector": `{"release":"v9.1.0","selector":"a in"}`, "25%": `{"release":"v9.1.0","plan":{"batch":"x"}}`,
	} {
		if p := w.refusedText("/updates", bad); !strings.Contains(p, says) {
			t.Errorf("%s: %s, want %q", bad, p, says)
		}
	}
	var u resource.Update
	w.ask(http.MethodPost, "/updates", spec, &u)
	// A device in one process with its hub cannot replace its program, and says so.
	w.Until("the update pauses", 30*time.Second, func() bool {
		w.ask(http.MethodGet, "/updates/"+u.ID, nil, &u)
		return u.Phase == "paused"
	})
	if !strings.Contains(u.Why, "0 of the 1 device of batch 1 succeeded, 1 failed") {
		t.Errorf("it is paused because %q", u.Why)
	}
	var devices resource.List[resource.UpdateDevice]
	w.ask(http.MethodGet, "/updates/"+u.ID+"/devices", nil, &devices)
	if len(devices.Items) != 1 || devices.Items[0].State != "failed" || devices.Items[0].Code != "refused" || devices.Items[0].Text == "" {
		t.Errorf("its device is %+v", devices.Items)
	}
	if p := w.refused(http.MethodDelete, "/releases/v9.1.0", nil); p.Code != "in-use" {
		t.Errorf("a release that is in use is removed: %+v", p)
	}
	w.ask(http.MethodPost, "/updates/"+u.ID+"/abort", nil, &u)
	if p := w.refused(http.MethodPost, "/updates/"+u.ID+"/continue", nil); p.Code != "not-now" {
		t.Errorf("going on with what is over: %+v", p)
	}
	if p := w.refused(http.MethodPost, "/devices/"+string(d.ID)+"/commands", map[string]string{"kind": "update"}); !strings.Contains(p.Detail, "farshore updates start") {
		t.Errorf("an update as a command: %+v", p)
	}
	w.ask(http.MethodDelete, "/releases/v9.1.0", nil, nil)
	if p := w.refused(http.MethodDelete, "/releases/v9.1.0", nil); p.Status != http.StatusNotFound {
		t.Errorf("removed twice: %+v", p)
	}
}

// refusedText sends a body as it is, and gives what is answered.
func (w *world) refusedText(path, body string) string {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.server.URL+api.Base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.server.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode < 400 {
		w.t.Errorf("%s is answered %d", body, resp.StatusCode)
	}
	return string(raw)
}
