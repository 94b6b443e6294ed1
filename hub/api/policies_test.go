package api_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

func TestPoliciesAreReadAsTheyHoldAndChangedAsTheyWereSeen(t *testing.T) {
	w := newWorld(t)
	var p resource.Policy
	if got := w.status(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway/oslo", Forbid: []string{"privileged"}}); got != http.StatusNotFound {
		t.Errorf("a policy of a group that is not there, which would protect nothing: %d", got)
	}
	for _, path := range []string{"norway/oslo", "norway/oslo/line"} {
		w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: path}, nil)
	}
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway", Forbid: []string{"privileged", "bind-mounts"}, Note: "rule 12"}, &p)
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway/oslo", Images: []string{"registry.example.com/**"}}, nil)
	var all resource.List[resource.Policy]
	w.ask(http.MethodGet, "/policies?group=norway/oslo/line", nil, &all)
	if len(all.Items) != 3 || all.Items[2].Group != "norway/oslo/line" || len(all.Items[2].Forbid) != 0 || !slices.Equal(all.Items[0].Forbid, []string{"bind-mounts", "privileged"}) || all.Items[0].Note != "rule 12" ||
		!slices.Equal(all.Items[1].Images, []string{"registry.example.com/**"}) {
		t.Errorf("what holds in norway/oslo/line: %+v", all.Items)
	}
	w.ask(http.MethodGet, "/policies?group=sweden", nil, &all)
	if len(all.Items) != 1 || len(all.Items[0].Forbid) != 0 {
		t.Errorf("what holds in sweden: %+v", all.Items)
	}
	if got := all.Items[0]; got.Forbid == nil || got.Images == nil {
		t.Error("lists without anything in them are null, which the document rules out")
	}
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway", Forbid: []string{"host-pid"}}, nil)
	resp := w.request(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway"}, "If-Match", `"`+p.Etag+`"`)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a policy that was changed meanwhile: %d", resp.StatusCode)
	}
	for _, bad := range []resource.PutPolicy{{Forbid: []string{"all"}}, {Images: []string{"a b"}}} {
		resp := w.request(http.MethodPut, "/policies", bad)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%+v: %d", bad, resp.StatusCode)
		}
	}
}

// A policy binds who is not exempt, and its refusal names the rule.
func TestAPolicyBindsThoseWhoAreNotExempt(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.Hub().Access.AddAccount(access.NewAccount{Name: "eva", Password: password}); err != nil {
		t.Fatal(err)
	}
	admin := w.token
	boss, err := w.Hub().Access.Authenticate(admin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Hub().Access.Grant(boss, access.Grant{User: "eva", Role: access.RoleEdgeAdministrator}); err != nil {
		t.Fatal(err)
	}
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Forbid: []string{"bind-mounts"}, Note: "rule 12"}, nil)
	var session resource.Session
	w.ask(http.MethodPost, "/session", resource.Login{Username: "eva", Password: password}, &session)
	bundle := func(volume string) resource.Apply {
		return resource.Apply{Files: map[string][]byte{"compose.yml": []byte("services: {web: {image: busybox, volumes: ['" + volume + "']}}\n")}}
	}
	put := func(token, volume string) (int, string) {
		w.token = token
		resp := w.request(http.MethodPut, "/stacks/web", bundle(volume))
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	status, body := put(session.Token, "/etc:/host")
	if status != http.StatusForbidden || !strings.Contains(body, `"policy"`) || !strings.Contains(body, "rule bind-mounts of group / (rule 12)") {
		t.Errorf("an edge administrator mounts the host's files: %d %s", status, body)
	}
	if status, body := put(session.Token, "./conf:/host"); status != http.StatusOK {
		t.Errorf("a mount of the bundle's own: %d %s", status, body)
	}
	if status, body := put(admin, "/etc:/host"); status != http.StatusOK {
		t.Errorf("an administrator: %d %s", status, body)
	}
}

// Whom a policy binds cannot move a device out of it, nor by way of a replacement.
func TestADeviceDoesNotEscapeAPolicyByMoving(t *testing.T) {
	w, devices := twoGroups(t)
	w.person(person{"mover", access.RoleEdgeAdministrator, "norway"})
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway/oslo", Forbid: []string{"privileged"}}, nil)
	move := func(who, device, to string) int {
		code, _ := w.asNamed(who, http.MethodPatch, "/devices/"+device, resource.DevicePatch{Group: &to})
		return code
	}
	if code := move("mover", "crane", "norway/bergen"); code != http.StatusForbidden {
		t.Errorf("out of the policy: %d", code)
	}
	if code, text := w.asNamed("mover", http.MethodPost, "/devices/crab/replace", resource.Replace{By: "crane"}); code != http.StatusForbidden {
		t.Errorf("out of the policy by taking another's place: %d %s", code, text)
	}
	to := "norway/bergen"
	code, text := w.asNamed("mover", http.MethodPost, "/devices/bulk", resource.Bulk{
		IDs: []protocol.DeviceID{devices[0].ID}, Do: resource.BulkDo{Patch: &resource.BulkPatch{Group: &to}},
	})
	if code != http.StatusOK || !strings.Contains(text, `"failed":1`) {
		t.Errorf("many out of the policy: %d %s", code, text)
	}
	if code := move("mover", "crab", "norway/oslo/line"); code != http.StatusOK {
		t.Errorf("into the policy: %d", code)
	}
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway/bergen", Forbid: []string{"privileged", "host-pid"}}, nil)
	if code := move("mover", "crane", "norway/bergen"); code != http.StatusOK {
		t.Errorf("to where as much is forbidden: %d", code)
	}
}

// What a policy binds is judged with the stack's variables: one that is set later does not change it.
func TestAVariableDoesNotLeadAStackOutOfAPolicy(t *testing.T) {
	w, _ := twoGroups(t)
	w.person(person{"eva", access.RoleEdgeAdministrator, "norway"})
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway/oslo", Forbid: []string{"bind-mounts"}}, nil)
	home := "norway/oslo"
	stack := resource.Apply{Group: &home, Env: map[string]string{"WHERE": "./conf", "COLOUR": "red"}, Files: map[string][]byte{
		"compose.yml": []byte("services: {web: {image: busybox, volumes: ['${WHERE}:/host'], environment: {COLOUR: '${COLOUR}'}}}\n"), "conf/a": []byte("a"),
	}}
	if code, text := w.asNamed("eva", http.MethodPut, "/stacks/web", stack); code != http.StatusOK {
		t.Fatalf("the stack: %d %s", code, text)
	}
	for _, at := range []string{"/devices/crane/variables/", "/groups/variables/"} {
		path := func(name string) string {
			if strings.HasPrefix(at, "/groups") {
				return at + name + "?path=norway"
			}
			return at + name
		}
		code, text := w.asNamed("eva", http.MethodPut, path("WHERE"), resource.PutVariable{Value: "/etc"})
		if code != http.StatusForbidden || !strings.Contains(text, `"policy"`) {
			t.Errorf("%s: the host's files: %d %s", at, code, text)
		}
		if code, text := w.asNamed("eva", http.MethodPut, path("COLOUR"), resource.PutVariable{Value: "blue"}); code != http.StatusOK {
			t.Errorf("%s: what no policy is about: %d %s", at, code, text)
		}
	}
}
