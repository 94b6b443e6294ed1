package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

// as signs somebody in, and gives the world as they see it.
func (w *world) as(name string) *world {
	w.t.Helper()
	other := *w
	var s resource.Session
	other.token = ""
	other.ask(http.MethodPost, "/session", resource.Login{Username: name, Password: password}, &s)
	other.token = s.Token
	return &other
}

func TestPeopleComeInByALinkAndSeeWhatTheyWereGranted(t *testing.T) {
	w := newWorld(t)
	var made resource.MadeUser
	w.ask(http.MethodPost, "/users", resource.NewUser{Name: "lead"}, &made)
	_, link, _ := strings.Cut(made.Link.URL, "/invited#")
	var used resource.UsedLink
	w.ask(http.MethodPost, "/session/link", resource.UseLink{Link: link, Password: password}, &used)
	if p := w.refused(http.MethodPost, "/session/link", resource.UseLink{Link: link, Password: password}); used.Username != "lead" || p.Status != 401 {
		t.Errorf("%+v, and again %+v", used, p)
	}
	w.ask(http.MethodPost, "/users", resource.NewUser{Name: "bo", Password: password}, nil)
	for _, g := range []string{"oslo", "bergen"} {
		w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: g}, nil)
	}
	w.ask(http.MethodPost, "/grants", resource.NewGrant{User: "lead", Role: "device-administrator", Group: "oslo"}, nil)
	w.ask(http.MethodPost, "/grants", resource.NewGrant{User: "bo", Role: "operator", Group: "bergen", Until: time.Now().Add(time.Hour)}, nil)
	w.ask(http.MethodPost, "/grants", resource.NewGrant{User: "bo", Role: "helpdesk"}, nil)

	lead := w.as("lead")
	var users resource.List[resource.User]
	lead.ask(http.MethodGet, "/users", nil, &users)
	for _, u := range users.Items {
		if u.Detailed || u.Admin || u.Etag != "" {
			t.Errorf("who grants roles in a group sees of a user: %+v", u)
		}
	}
	var grants resource.List[resource.Grant]
	lead.ask(http.MethodGet, "/grants", nil, &grants)
	var above, own int
	for _, g := range grants.Items {
		switch {
		case g.Group == "oslo" && g.ID != "":
			own++
		case g.Group == "" && g.ID == "" && g.User == "" && g.Role == "helpdesk":
			above++
		default:
			t.Errorf("the lead of oslo sees %+v", g)
		}
	}
	if above != 1 || own != 1 {
		t.Errorf("the lead of oslo sees %+v", grants.Items)
	}
	lead.ask(http.MethodPost, "/grants", resource.NewGrant{User: "bo", Role: "operator", Group: "oslo"}, nil)
	if p := lead.refused(http.MethodPost, "/grants", resource.NewGrant{User: "bo", Role: "administrator", Group: "oslo"}); p.Status != 403 {
		t.Errorf("the lead gives more than they have: %+v", p)
	}
	if p := lead.refused(http.MethodPost, "/grants", resource.NewGrant{User: "bo", Role: "operator", Group: "bergen"}); p.Status != 403 {
		t.Errorf("the lead grants elsewhere: %+v", p)
	}
	var mine resource.EffectiveAccess
	bo := w.as("bo")
	bo.ask(http.MethodGet, "/access?group=bergen", nil, &mine)
	if mine.User != "bo" || len(mine.Reasons) != 2 || mine.Reasons[0].Role != "operator" || !mine.Reasons[1].Inherited {
		t.Errorf("bo sees of themselves %+v", mine)
	}
	if p := bo.refused(http.MethodGet, "/access?user=lead", nil); p.Status != 403 {
		t.Errorf("bo sees what the lead may: %+v", p)
	}
	var me resource.Session
	bo.ask(http.MethodGet, "/session", nil, &me)
	if me.Admin || strings.Contains(strings.Join(me.Operations, " "), "people.change") || !strings.Contains(strings.Join(me.Operations, " "), "commands.give") {
		t.Errorf("the session of bo: %+v", me)
	}
	w.ask(http.MethodDelete, "/groups?path=oslo", nil, nil)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "oslo"}, nil)
	lead.ask(http.MethodGet, "/session", nil, &me)
	if len(me.Operations) != 0 {
		t.Errorf("a group made anew gives the lead %v", me.Operations)
	}
}

// Until the second factor is there, a session may set one up and leave, and nothing else; an API token is no person.
func TestASessionThatNeedsASecondFactorMayOnlySetItUp(t *testing.T) {
	w := newWorld(t)
	var now resource.AccessSettingsNow
	w.ask(http.MethodGet, "/settings/access", nil, &now)
	var tok resource.Token
	w.ask(http.MethodPost, "/tokens", resource.NewToken{Name: "ci"}, &tok)
	now.SecondFactor = "everybody"
	w.ask(http.MethodPut, "/settings/access", now.AccessSettings, nil)
	if p := w.refused(http.MethodPut, "/settings/access", now.AccessSettings); p.Code != "second-factor-needed" {
		t.Errorf("%+v", p)
	}
	for _, o := range operations(t, w) {
		if o.method != http.MethodGet || strings.Contains(o.path, "{") || open[o.OperationID] == "signing in" ||
			o.OperationID == "who-am-i" || o.OperationID == "get-second-factor" {
			continue
		}
		path := strings.TrimPrefix(o.path, "/api/v1")
		if p := w.refused(http.MethodGet, path+query[o.OperationID], nil); p.Status != 403 {
			t.Errorf("%s: %+v", o.OperationID, p)
		}
	}
	var e resource.FactorEnrolment
	if p := w.refused(http.MethodPost, "/session/second-factor", resource.PasswordProof{Password: "not the password"}); p.Status != 403 {
		t.Errorf("a session alone begins a second factor: %+v", p)
	}
	w.ask(http.MethodPost, "/session/second-factor", resource.PasswordProof{Password: password}, &e)
	var codes resource.RecoveryCodes
	w.ask(http.MethodPost, "/session/second-factor/confirm", resource.FactorCode{Code: access.CodeOf(e.Secret, time.Now())}, &codes)
	w.ask(http.MethodGet, "/devices", nil, nil)
	if p := w.refused(http.MethodPost, "/session", resource.Login{Username: "admin", Password: password}, "Authorization", ""); p.Status != 401 || p.Code != "second-factor" {
		t.Errorf("the password alone gets %+v", p)
	}
	w.ask(http.MethodPost, "/session", resource.Login{Username: "admin", Password: password, Code: codes.Codes[0]}, nil)

	w.token = tok.Secret
	w.ask(http.MethodGet, "/devices", nil, nil)
	if p := w.refused(http.MethodPost, "/session/password", resource.NewPassword{Old: password, Password: "another good long one"}); p.Status != 403 {
		t.Errorf("a token changes its owner's password: %+v", p)
	}
}

// query are parameters that operations need.
var query = map[string]string{"export-audit": "?format=csv"}
