package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/waitingroom/admission"
)

const password = "correct horse battery"

// world is a real hub with its API on a TLS server, and the session of its administrator.
type world struct {
	*fleettest.Fleet
	t      testing.TB
	config api.Config
	server *httptest.Server
	token  string
}

func newWorld(t testing.TB) *world {
	w := &world{Fleet: fleettest.New(t), t: t}
	s := w.Hub()
	if err := s.Access.SetAdmin("admin", password); err != nil {
		t.Fatal(err)
	}
	quick := gate.Change{Settings: gate.Settings{RequestsPerSecond: 100_000}} // tests ask quicker than people
	if err := s.Gate.Change(t.Context(), quick); err != nil {
		t.Fatal(err)
	}
	w.config = s.API
	w.config.Hub = resource.Hub{Version: "test", URL: "https://127.0.0.1:9443"}
	handler, err := api.New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewTLSServer(s.Gate.People(handler))
	t.Cleanup(w.server.Close)
	var session resource.Session
	w.ask(http.MethodPost, "/session", resource.Login{Username: "admin", Password: password}, &session)
	w.token = session.Token
	return w
}

// request sends a request as the administrator, bytes as they are and all else as JSON; headers replace what is sent by itself.
func (w *world) request(method, path string, body any, headers ...string) *http.Response {
	w.t.Helper()
	var b io.Reader
	if raw, ok := body.([]byte); ok {
		b = bytes.NewReader(raw)
	} else if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		b = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, w.server.URL+api.Base+path, b)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Del(headers[i])
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := w.server.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp
}

// ask sends a request that has to work, and reads the answer into out where it is not nil.
func (w *world) ask(method, path string, body, out any) {
	w.t.Helper()
	resp := w.request(method, path, body)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, raw)
	}
	if out != nil {
		reflect.ValueOf(out).Elem().SetZero()
		if err := json.Unmarshal(raw, out); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
}

type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Value    any    `json:"value"`
	} `json:"errors"`
}

// refused sends a request that must not work.
func (w *world) refused(method, path string, body any, headers ...string) problem {
	w.t.Helper()
	resp := w.request(method, path, body, headers...)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var p problem
	if err := json.Unmarshal(raw, &p); err != nil || resp.Header.Get("Content-Type") != "application/problem+json" || p.Status != resp.StatusCode {
		w.t.Fatalf("%s %s: %d %s: not a problem: %s", method, path, resp.StatusCode, resp.Header.Get("Content-Type"), raw)
	}
	return p
}

// join brings a device in that has sent its first snapshot.
func (w *world) join(seed uint64, spec admission.KeySpec) *fleettest.Device {
	w.t.Helper()
	d := w.Device(fleettest.DeviceSpec{EdgeKey: w.EdgeKey(spec), Seed: seed, Containers: 2})
	if spec.AutoApprove == nil {
		w.Until("the device waits", 30*time.Second, func() bool {
			var waiting resource.List[resource.Waiting]
			w.ask(http.MethodGet, "/waiting", nil, &waiting)
			return len(waiting.Items) == 1 && waiting.Items[0].ID == d.ID
		})
		w.ask(http.MethodPost, "/waiting/approve", resource.Approve{Approvals: []resource.Approval{{ID: d.ID}}}, nil)
		var trail resource.AuditPage
		w.ask(http.MethodGet, "/audit?limit=1", nil, &trail)
		if e := trail.Items[0]; e.Operation != "waiting.approve" || !strings.HasPrefix(e.Detail, "pairing code not compared, as ") {
			w.t.Errorf("the audit trail says of the approval: %+v", e)
		}
	}
	w.Until("its snapshot arrives", 30*time.Second, func() bool {
		_, err := w.Hub().Snapshots.Latest(d.ID)
		return err == nil
	})
	return d
}

// noRights lets everybody in and nobody do anything.
type noRights struct {
	api.Accounts
	asked map[access.Operation]int
}

func (n noRights) Authorize(p access.Principal, op access.Operation, _ access.Resource) error {
	n.asked[op]++
	if p.Kind == "" {
		return access.ErrUnauthenticated
	}
	return access.ErrForbidden
}

// fleetSpec is a device that has to be approved.
func fleetSpec(w *world, seed uint64) fleettest.DeviceSpec {
	return fleettest.DeviceSpec{EdgeKey: w.EdgeKey(admission.KeySpec{}), Seed: seed}
}

// trail is the audit trail as it is kept.
func (w *world) trail() string {
	w.t.Helper()
	var out strings.Builder
	err := w.config.Trail.Export(w.t.Context(), audit.Filter{}, func(_ audit.Line, raw []byte) error {
		out.Write(raw)
		return out.WriteByte('\n')
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.String()
}
