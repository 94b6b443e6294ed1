package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// A token of an administrator's that is limited to a role in a group is worth no more than that, wherever it is tried.
func TestATokenIsNotUsedBeyondItsLimit(t *testing.T) {
	w, _ := twoGroups(t)
	var made resource.Token
	w.ask(http.MethodPost, "/tokens", resource.NewToken{Name: "ci", Role: "operator", Groups: []string{"norway/oslo"}}, &made)
	if p := w.refused(http.MethodPost, "/tokens", resource.NewToken{Name: "lost", Groups: []string{"norway/osl"}}); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("a token of a group that is not there: %+v", p)
	}
	other := *w
	other.token = made.Secret

	var devices resource.DevicePage
	if other.ask(http.MethodGet, "/devices", nil, &devices); devices.Total != 2 {
		t.Errorf("it sees %d devices, of 2 in its group", devices.Total)
	}
	var bundle resource.Bundle
	if other.ask(http.MethodGet, "/stacks/admin/versions/0/files", nil, &bundle); !bundle.Masked || strings.Contains(string(bundle.Files["compose.yml"]), "hunter2") {
		t.Error("it sees secrets, which operators do not")
	}
	files := map[string][]byte{"compose.yml": []byte(compose1)}
	for name, c := range map[string]struct {
		method, path string
		body         any
	}{
		"a device elsewhere":         {"GET", "/devices/crab", nil},
		"a command elsewhere":        {"POST", "/devices/crab/commands", resource.NewCommand{Kind: protocol.CommandSnapshot}},
		"more than its role":         {"PUT", "/stacks/admin", resource.Apply{Files: files}},
		"the hub":                    {"GET", "/settings/protection", nil},
		"the audit trail":            {"GET", "/audit", nil},
		"a backup":                   {"POST", "/backup", map[string]string{"passphrase": "correct horse battery"}},
		"people":                     {"POST", "/users", resource.NewUser{Name: "eva"}},
		"a grant":                    {"POST", "/grants", resource.NewGrant{User: "operator", Role: "administrator"}},
		"its owner's password":       {"POST", "/session/password", resource.NewPassword{Old: password, Password: "another good long one"}},
		"its owner's second factor":  {"POST", "/session/second-factor", resource.PasswordProof{Password: password}},
		"its owner's other sessions": {"DELETE", "/session/sessions", nil},
		"a token without a limit":    {"POST", "/tokens", resource.NewToken{Name: "more"}},
		"a token of another group":   {"POST", "/tokens", resource.NewToken{Name: "more", Role: "operator", Groups: []string{"norway/bergen"}}},
	} {
		if p := other.refused(c.method, c.path, c.body); p.Status != http.StatusForbidden && p.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, p.Status, p.Detail)
		}
	}
	w.ask(http.MethodDelete, "/tokens/ci", nil, nil)
	if p := other.refused(http.MethodGet, "/devices", nil); p.Status != http.StatusUnauthorized {
		t.Errorf("after it was removed: %d", p.Status)
	}
}
