package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// answer is what the administrator is answered, whatever it is.
func (w *world) answer(method, path string, body any, headers ...string) (int, string) {
	w.t.Helper()
	resp := w.request(method, path, body, headers...)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// variablesAt lists name=value@group pairs; a secret has * for its value.
func (w *world) variablesAt(path string) string {
	w.t.Helper()
	var l resource.List[resource.Variable]
	w.ask(http.MethodGet, path, nil, &l)
	var out []string
	for _, v := range l.Items {
		text := v.Value
		if v.Secret {
			text += "*"
		}
		if v.Scope == "device" {
			out = append(out, v.Name+"="+text+"@device")
		} else {
			out = append(out, v.Name+"="+text+"@/"+v.Group)
		}
	}
	return strings.Join(out, " ")
}

func TestVariablesOfGroupsAndDevices(t *testing.T) {
	w, devices := twoGroups(t)
	const crane = "/devices/crane/variables"
	set := func(path, value string, secret bool) (v resource.Variable) {
		t.Helper()
		w.ask(http.MethodPut, path, resource.PutVariable{Value: value, Secret: secret}, &v)
		return v
	}
	set("/groups/variables/SITE", "everywhere", false)
	first := set("/groups/variables/SITE?path=norway/oslo", "oslo", false)
	set("/groups/variables/TOKEN?path=norway/oslo", "hunter2-of-oslo", true)
	if v := set(crane+"/TOKEN", "hunter2-of-crane", true); v.Value != "" || !v.Secret || !v.Own || v.By != "admin" {
		t.Errorf("answered %+v", v)
	}
	if got, want := w.variablesAt(crane), "SITE=oslo@/norway/oslo TOKEN=*@device"; got != want {
		t.Errorf("on the device hold %s, want %s", got, want)
	}
	if got, want := w.variablesAt("/groups/variables?path=norway/oslo"), "SITE=oslo@/norway/oslo TOKEN=*@/norway/oslo"; got != want {
		t.Errorf("in the group hold %s, want %s", got, want)
	}
	if got, want := w.variablesAt("/groups/variables?path=norway/bergen"), "SITE=everywhere@/"; got != want {
		t.Errorf("in the other group hold %s, want %s", got, want)
	}
	set("/groups/variables/SITE?path=norway/oslo", "oslo-2", false)
	if code, text := w.answer(http.MethodPut, "/groups/variables/SITE?path=norway/oslo", resource.PutVariable{Value: "x"}, "If-Match", first.Etag); code != http.StatusPreconditionFailed {
		t.Errorf("set by who had not seen the last: %d %s", code, text)
	}
	for path, want := range map[string]int{
		"/groups/variables/1X": http.StatusUnprocessableEntity, "/groups/variables/FARSHORE_X": http.StatusUnprocessableEntity,
		"/groups/variables/X?path=sweden": http.StatusNotFound, "/devices/nobody/variables/X": http.StatusNotFound,
	} {
		code, text := w.answer(http.MethodPut, path, resource.PutVariable{Value: "hunter2-refused", Secret: true})
		if code != want || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %d %s, want %d", path, code, text, want)
		}
	}
	// A moved device has what the new group gives, and a replacement what the old one had.
	moved := "norway/bergen"
	w.ask(http.MethodPatch, "/devices/crane", resource.DevicePatch{Group: &moved}, nil)
	if got, want := w.variablesAt(crane), "SITE=everywhere@/ TOKEN=*@device"; got != want {
		t.Errorf("after it was moved hold %s, want %s", got, want)
	}
	w.ask(http.MethodPost, "/devices/crane/replace", resource.Replace{By: string(devices[1].ID)}, nil)
	if got, want := w.variablesAt("/devices/"+string(devices[1].ID)+"/variables"), "SITE=everywhere@/ TOKEN=*@device"; got != want {
		t.Errorf("on the replacement hold %s, want %s", got, want)
	}
	if v := w.Hub().Variables.Of(devices[1].ID, moved)["TOKEN"]; v.Text != "hunter2-of-crane" {
		t.Error("the replacement is not given the secret")
	}
	w.ask(http.MethodDelete, "/groups/variables/TOKEN?path=norway/oslo", nil, nil)
	for range 2 {
		w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway/harbour"}, nil)
		set("/groups/variables/ONCE?path=norway/harbour", "x", true)
		w.ask(http.MethodDelete, "/groups?path=norway/harbour", nil, nil)
	}
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway/harbour"}, nil)
	if got, want := w.variablesAt("/groups/variables?path=norway/harbour"), "SITE=everywhere@/"; got != want {
		t.Errorf("in a new group of the old name hold %s, want %s", got, want)
	}
	trail := w.trail()
	if strings.Contains(trail, "hunter2") {
		t.Error("the audit trail has a secret")
	}
	for _, want := range []string{"variable TOKEN of group /norway/oslo", "variable TOKEN of device " + string(devices[0].ID), `"variables.change"`} {
		if !strings.Contains(trail, want) {
			t.Errorf("the audit trail does not say %q", want)
		}
	}
}

func TestRegistries(t *testing.T) {
	w, _ := twoGroups(t)
	plant := resource.PutRegistry{Name: "plant", Address: "https://Registry.example.com:5000/", User: "bot", Password: "hunter2-password", Group: "norway/oslo"}
	var made resource.Registry
	w.ask(http.MethodPost, "/registries", plant, &made)
	if made.Address != "registry.example.com:5000" || made.Group != "norway/oslo" || made.By != "admin" {
		t.Errorf("made %+v", made)
	}
	plant.Password, plant.Note = "", "ticket 7"
	var changed resource.Registry
	w.ask(http.MethodPut, "/registries/plant", plant, &changed)
	if changed.Note != "ticket 7" || changed.ID != made.ID || changed.Etag == made.Etag {
		t.Errorf("changed %+v", changed)
	}
	if code, text := w.answer(http.MethodPut, "/registries/plant", plant, "If-Match", made.Etag); code != http.StatusPreconditionFailed {
		t.Errorf("changed by who had not seen the last: %d %s", code, text)
	}
	elsewhere := plant
	elsewhere.Address = "evil.example.com"
	if code, text := w.answer(http.MethodPut, "/registries/plant", elsewhere); code != http.StatusUnprocessableEntity || !strings.Contains(text, `"password-needed"`) {
		t.Errorf("the kept password for another address: %d %s", code, text)
	}
	auth := w.Hub().Registries.For("norway/oslo", []string{"registry.example.com:5000/app"})
	if len(auth) != 1 || auth[0].Password != "hunter2-password" {
		t.Error("a device is not given the password")
	}
	// A registry that nobody is at: that is a finding.
	var found resource.RegistryCheck
	local := resource.PutRegistry{Name: "local", Address: "127.0.0.1:1", User: "bot", Password: "hunter2-local"}
	w.ask(http.MethodPost, "/registries", local, nil)
	w.ask(http.MethodPost, "/registries/local/check", nil, &found)
	if found.OK || !strings.Contains(found.Text, "the hub does not ask") {
		t.Errorf("found %+v", found)
	}
	if code, text := w.answer(http.MethodDelete, "/groups?path=norway/oslo", nil); code != http.StatusConflict {
		t.Errorf("a group in which a registry is at home was removed: %d %s", code, text)
	}

	// Who may change those of one group moves none out of it, and sees no other.
	w.person(person{"eva", access.RoleEdgeAdministrator, "norway/oslo"})
	c := w.config
	c.Accounts = people{c.Accounts}
	w.serve(c)
	_, text := w.asNamed("eva", http.MethodGet, "/registries", nil)
	var l resource.List[resource.Registry]
	if err := json.Unmarshal([]byte(text), &l); err != nil || len(l.Items) != 1 || l.Items[0].Name != "plant" {
		t.Errorf("eva sees %s", text)
	}
	plant.Group = ""
	if code, text := w.asNamed("eva", http.MethodPut, "/registries/plant", plant); code != http.StatusForbidden {
		t.Errorf("moved to the root: %d %s", code, text)
	}
	if code, _ := w.asNamed("eva", http.MethodPost, "/registries/local/check", nil); code != http.StatusForbidden {
		t.Errorf("checked one that eva does not see: %d", code)
	}
	if code, text := w.asNamed("eva", http.MethodDelete, "/registries/plant", nil); code != http.StatusNoContent {
		t.Errorf("removed: %d %s", code, text)
	}
	trail := w.trail()
	if strings.Contains(trail, "hunter2") || !strings.Contains(trail, "registry.example.com:5000 as bot in group /norway/oslo") || !strings.Contains(trail, "registries.check") {
		t.Errorf("the audit trail has a password, or lacks an entry:\n%s", trail)
	}
}

// TestNoAnswerHasASecret asks all that can be asked without changing anything, as the administrator.
func TestNoAnswerHasASecret(t *testing.T) {
	w, _ := twoGroups(t)
	w.ask(http.MethodPut, "/devices/crane/variables/TOKEN", resource.PutVariable{Value: "hunter2-variable", Secret: true}, nil)
	w.ask(http.MethodPut, "/groups/variables/TOKEN", resource.PutVariable{Value: "hunter2-variable", Secret: true}, nil)
	w.ask(http.MethodPost, "/registries", resource.PutRegistry{Address: "registry.example.com", User: "bot", Password: "hunter2-password"}, nil)
	asked := []string{}
	for _, o := range operations(t, w) {
		if o.method != http.MethodGet || o.OperationID == "events" {
			continue
		}
		path := strings.TrimPrefix(o.path, "/api/v1")
		for name, value := range map[string]string{"device": "crane", "registry": "registry.example.com", "variable": "TOKEN"} {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
		}
		if strings.Contains(path, "{") {
			continue
		}
		if code, text := w.answer(http.MethodGet, path, nil); strings.Contains(text, "hunter2") {
			t.Errorf("GET %s: %d %s", path, code, text)
		}
		asked = append(asked, o.OperationID)
	}
	for _, want := range []string{"get-registry", "list-registries", "list-device-variables", "list-group-variables", "get-device", "list-audit"} {
		if !slices.Contains(asked, want) {
			t.Errorf("%s was not asked", want)
		}
	}
}

func TestADeviceIsConfirmedByItsPairingCode(t *testing.T) {
	w := newWorld(t)
	d := w.join(7, admission.KeySpec{})
	path := "/devices/" + string(d.ID)
	known, _ := w.Hub().Fleet.Device(d.ID)
	if known.Confirmed {
		t.Fatal("it is confirmed already")
	}
	code := waitingroom.PairingCode(known.Key)
	for given, want := range map[string]string{"0000-0000": "wrong-code", "abc": "invalid"} {
		if p := w.refused(http.MethodPatch, path, resource.DevicePatch{PairingCode: &given}); p.Code != want {
			t.Errorf("code %s: %+v", given, p)
		}
	}
	no, typed := false, strings.ToLower(strings.ReplaceAll(code, "-", " "))
	if p := w.refused(http.MethodPatch, path, resource.DevicePatch{PairingCode: &typed, Confirm: &no}); p.Code != "invalid" {
		t.Errorf("confirmed and not: %+v", p)
	}
	var out resource.DeviceDetail
	w.ask(http.MethodPatch, path, resource.DevicePatch{PairingCode: &typed}, &out)
	if !out.Confirmed || !strings.Contains(w.trail(), "identity confirmed by its pairing code") {
		t.Errorf("%+v", out.Confirmed)
	}
}
