package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
)

func TestSigningIn(t *testing.T) {
	w := newWorld(t)
	if p := w.refused(http.MethodPost, "/session", resource.Login{Username: "admin", Password: "wrong wrong wrong"}, "Authorization", ""); p.Status != 401 || p.Code != "not-signed-in" {
		t.Errorf("a wrong password gets %+v", p)
	}
	for i := range 8 { // some are free, then they are slowed down
		p := w.refused(http.MethodPost, "/session", resource.Login{Username: "bob", Password: "wrong wrong wrong"}, "Authorization", "")
		if p.Status != 401 && p.Status != 429 || i == 7 && p.Code != "too-many-attempts" {
			t.Errorf("attempt %d gets %+v", i, p)
		}
	}
	if p := w.refused(http.MethodGet, "/devices", nil, "Authorization", "Basic YWRtaW46eA=="); p.Status != 401 {
		t.Errorf("another scheme gets %+v", p)
	}
	var me resource.Session
	w.ask(http.MethodGet, "/session", nil, &me)
	if me.Name != "admin" || me.Kind != "user" || me.Token != "" || me.Hub.Version != "test" {
		t.Errorf("who am i: %+v", me)
	}
	current := func() (who string) {
		var c resource.CurrentSession
		w.ask(http.MethodGet, "/session/current", nil, &c)
		if c.Session != nil {
			who = c.Session.Name
		}
		return who
	}
	if who := current(); who != "admin" {
		t.Errorf("the current session is that of %q", who)
	}

	var made resource.Token
	w.ask(http.MethodPost, "/tokens", resource.NewToken{Name: "ci"}, &made)
	if p := w.refused(http.MethodPost, "/tokens", resource.NewToken{Name: "ci"}); p.Status != 409 || p.Code != "exists" {
		t.Errorf("a second token of the name gets %+v", p)
	}
	session := w.token
	w.token = made.Secret
	w.ask(http.MethodGet, "/session", nil, &me)
	if me.Name != "ci" || me.Kind != "token" {
		t.Errorf("with the token: %+v", me)
	}
	w.token = session
	w.ask(http.MethodDelete, "/tokens/ci", nil, nil)
	if p := w.refused(http.MethodGet, "/session", nil, "Authorization", "Bearer "+made.Secret); p.Status != 401 {
		t.Errorf("a removed token gets %+v", p)
	}
	w.ask(http.MethodDelete, "/session", nil, nil)
	if p := w.refused(http.MethodGet, "/session", nil); p.Status != 401 {
		t.Errorf("an ended session gets %+v", p)
	}
	if who := current(); who != "" {
		t.Errorf("after its end the session is that of %q", who)
	}
	// One signs in again although the old session is still sent along.
	w.ask(http.MethodPost, "/session", resource.Login{Username: "admin", Password: password}, &me)
	if !strings.HasPrefix(me.Token, "fss_") || me.Expires.IsZero() {
		t.Errorf("session %+v", me)
	}

	trail := w.trail()
	if n := strings.Count(trail, "account bob"); n > 6 {
		t.Errorf("%d attempts are in the audit trail, also those that were not even tried", n)
	}
	if n := strings.Count(trail, `too many sign-ins failed`); n != 1 {
		t.Errorf("%d sign-ins that had to wait are in the audit trail, want one a minute:\n%s", n, trail)
	}
	for _, secret := range []string{password, "wrong wrong", made.Secret, session} {
		if strings.Contains(trail, secret) {
			t.Errorf("the audit trail has the secret %q", secret)
		}
	}
	for _, want := range []string{
		`"principal":"nobody","remote":"127.0.0.1","operation":"session.login","resource":"account admin","result":"refused"`,
		`"principal":"admin","break_glass":true,"remote":"127.0.0.1","operation":"session.login","resource":"account admin","result":"done"`,
		`"operation":"tokens.create","resource":"token ci","result":"failed"`, `"operation":"tokens.remove"`, `"operation":"session.logout"`,
	} {
		if !strings.Contains(trail, want) {
			t.Errorf("the audit trail lacks %s:\n%s", want, trail)
		}
	}
}

// A browser's session is a cookie that scripts cannot see, and other sites cannot use.
func TestCookiesAreGuarded(t *testing.T) {
	w := newWorld(t)
	w.token = ""
	resp := w.request(http.MethodPost, "/session?cookie=true", resource.Login{Username: "admin", Password: password}, "Sec-Fetch-Site", "same-origin")
	defer resp.Body.Close()
	cookies := resp.Cookies()
	if len(cookies) != 1 || !cookies[0].Secure || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("cookies %v", resp.Header["Set-Cookie"])
	}
	c := cookies[0].Name + "=" + cookies[0].Value
	group := resource.PutGroup{Path: "norway"}
	for name, headers := range map[string][]string{
		"no word of where it comes from": {"Cookie", c},
		"another site":                   {"Cookie", c, "Sec-Fetch-Site", "cross-site"},
		"a sibling":                      {"Cookie", c, "Sec-Fetch-Site", "same-site"},
	} {
		if p := w.refused(http.MethodPut, "/groups", group, headers...); p.Status != 403 || p.Code != "foreign-request" {
			t.Errorf("%s gets %+v", name, p)
		}
	}
	if p := w.refused(http.MethodPost, "/session", resource.Login{Username: "admin", Password: password}, "Sec-Fetch-Site", "cross-site"); p.Status != 403 {
		t.Errorf("another site may sign somebody in: %+v", p)
	}
	trail := w.trail()
	if want := `"principal":"admin","break_glass":true,"remote":"127.0.0.1","operation":"session.foreign-request","result":"refused"`; strings.Count(trail, want) != 1 {
		t.Errorf("requests by other sites are not in the audit trail once:\n%s", trail)
	}
	for name, headers := range map[string][]string{
		"own page":     {"Cookie", c, "Sec-Fetch-Site", "same-origin"},
		"guard header": {"Cookie", c, "X-Farshore", "1"},
	} {
		resp := w.request(http.MethodPut, "/groups", group, headers...)
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s gets %d", name, resp.StatusCode)
		}
	}
	resp = w.request(http.MethodDelete, "/session", nil, "Cookie", c, "X-Farshore", "1")
	resp.Body.Close()
	if gone := resp.Cookies(); resp.StatusCode != 204 || len(gone) != 1 || gone[0].MaxAge >= 0 {
		t.Errorf("logout: %d, cookies %v", resp.StatusCode, resp.Header["Set-Cookie"])
	}
	if p := w.refused(http.MethodGet, "/groups", nil, "Cookie", c); p.Status != 401 {
		t.Errorf("after logout the cookie gets %+v", p)
	}
}

func TestFirstAdminByLink(t *testing.T) {
	w := newWorld(t)
	link := w.Hub().Access.AdminLink()
	ask := resource.FirstAdmin{Link: link, Username: "anna", Password: "short"}
	if p := w.refused(http.MethodPost, "/session/first-admin", ask, "Authorization", ""); p.Status != 422 || !strings.Contains(p.Detail, "12 characters") {
		t.Errorf("a short password gets %+v", p)
	}
	ask.Password = password
	w.ask(http.MethodPost, "/session/first-admin", ask, nil)
	if p := w.refused(http.MethodPost, "/session/first-admin", ask, "Authorization", ""); p.Status != 401 || !strings.Contains(p.Detail, "admin-link") {
		t.Errorf("a used link gets %+v", p)
	}
	trail := w.trail()
	// Strangers who try links must not be able to fill the disk.
	if n := strings.Count(trail, "session.first-admin"); n != 1 || !strings.Contains(trail, `"principal":"link one-time"`) {
		t.Errorf("want the link that worked in the audit trail, and nothing of the others:\n%s", trail)
	}
	var me resource.Session
	w.ask(http.MethodPost, "/session", resource.Login{Username: "anna", Password: password}, &me)
	if !me.Admin {
		t.Errorf("session %+v", me)
	}
}
