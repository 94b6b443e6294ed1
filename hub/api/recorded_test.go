package api_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
)

// onlyLook are operations that change nothing, although their method says otherwise.
var onlyLook = []string{"preview-stack", "preview-update", "estimate-stack", "estimate-update", "try-job", "verify-audit"}

// Whatever somebody tries to change is in the trail: who, from where, what, and that it was refused. What the account of
// last resort does is marked.
func TestEveryChangeThatIsTriedIsRecorded(t *testing.T) {
	w := newWorld(t)
	c := w.config
	c.Accounts = noRights{c.Accounts, map[access.Operation]int{}}
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"device", "stack", "command", "key", "token", "profile", "user", "team", "grant", "destination", "update", "release", "version", "job"}
	for _, o := range operations(t, w) {
		if o.method == http.MethodGet && o.OperationID != "export-audit" || strings.HasPrefix(o.Right, "none: ") || slices.Contains(onlyLook, o.OperationID) {
			continue
		}
		path := strings.NewReplacer("{rollout}", "1", "{run}", "1", "{path...}", "_ping").Replace(o.path) + query[o.OperationID]
		for _, name := range names {
			path = strings.ReplaceAll(path, "{"+name+"}", "x")
		}
		if o.OperationID == "remove-group" {
			path += "?path=x"
		}
		before := len(w.entries())
		r := httptest.NewRequest(o.method, path, strings.NewReader(bodies[o.OperationID]))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+w.token)
		handler.ServeHTTP(httptest.NewRecorder(), r)
		added := w.entries()[before:]
		if len(added) != 1 {
			t.Errorf("%s left %+v in the trail", o.OperationID, added)
			continue
		}
		if e := added[0]; e.Principal != "admin" || e.Remote != "192.0.2.1" || e.Operation == "" || e.Result != audit.ResultRefused || !e.BreakGlass {
			t.Errorf("%s is recorded as %+v", o.OperationID, e)
		}
	}
}

// entries are those of the trail, the oldest first.
func (w *world) entries() (out []audit.Entry) {
	w.t.Helper()
	err := w.config.Trail.Export(w.t.Context(), audit.Filter{}, func(l audit.Line, _ []byte) error {
		if l.Checkpoint == nil {
			out = append(out, l.Entry)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// Sign-ins that worked and such that did not are recorded, and only those of the account of last resort are marked.
func TestSignInsAreRecorded(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodPost, "/users", resource.NewUser{Name: "bo", Password: password}, nil)
	w.as("bo")
	w.as("admin")
	for _, name := range []string{"bo", "nobody"} {
		w.refused(http.MethodPost, "/session", resource.Login{Username: name, Password: "wrong wrong wrong"}, "Authorization", "")
	}
	var trail resource.AuditPage
	w.ask(http.MethodGet, "/audit?operation=session.login", nil, &trail)
	var got []string
	for _, e := range trail.Items {
		if e.Remote != "127.0.0.1" {
			t.Errorf("from %q: %+v", e.Remote, e)
		}
		got = append(got, strings.TrimSpace(e.Principal+" "+e.Resource+" "+e.Result))
		if e.BreakGlass != (e.Principal == "admin") {
			t.Errorf("marked %t: %+v", e.BreakGlass, e)
		}
	}
	want := []string{"nobody account nobody refused", "nobody account bo refused", "admin account admin done", "bo account bo done", "admin account admin done"}
	if !slices.Equal(got, want) {
		t.Errorf("the trail has %q, want %q", got, want)
	}
	if strings.Contains(w.trail(), "wrong wrong") || strings.Contains(w.trail(), password) {
		t.Error("a password is in the trail")
	}
}

// Who looks where they may not is on record, once, and however often they try.
func TestARefusedLookIsRecorded(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.Hub().Access.AddAccount(access.NewAccount{Name: "eva", Password: password}); err != nil {
		t.Fatal(err)
	}
	admin := w.token
	var session resource.Session
	w.ask(http.MethodPost, "/session", resource.Login{Username: "eva", Password: password}, &session)
	w.token = session.Token
	for range 5 {
		resp := w.request(http.MethodGet, "/audit", nil)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Fatalf("somebody without a role reads the audit trail: %d", resp.StatusCode)
		}
	}
	w.token = admin
	var found resource.List[resource.Audit]
	w.ask(http.MethodGet, "/audit?operation=audit.read&result=refused", nil, &found)
	if len(found.Items) != 1 || found.Items[0].Principal != "eva" {
		t.Errorf("on record: %+v", found.Items)
	}
}
