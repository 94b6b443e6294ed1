package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/gate"
)

const cookieName = "__Host-farshore"

// signIn signs in as a browser does, with a cookie that it has before, and returns the cookie that it is given.
func (w *world) signIn(before string) *http.Cookie {
	w.t.Helper()
	headers := []string{"Authorization", "", "X-Farshore", "1"}
	if before != "" {
		headers = append(headers, "Cookie", cookieName+"="+before)
	}
	resp := w.request(http.MethodPost, "/session?cookie=true", resource.Login{Username: "admin", Password: password}, headers...)
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == cookieName {
			return c
		}
	}
	w.t.Fatalf("signing in gave no cookie: %s", resp.Status)
	return nil
}

func (w *world) status(method, path string, body any, headers ...string) int {
	w.t.Helper()
	resp := w.request(method, path, body, headers...)
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestASessionCannotBeFixed(t *testing.T) {
	w := newWorld(t)
	planted := "fss_" + strings.Repeat("A", 43) // by an attacker who will come back with it
	given := w.signIn(planted)
	if given.Value == planted {
		t.Error("the session has the secret that the browser came with")
	}
	if again := w.signIn(given.Value); again.Value == given.Value {
		t.Error("a second sign-in keeps the secret of the first")
	}
	if !given.Secure || !given.HttpOnly || given.SameSite != http.SameSiteStrictMode || given.Path != "/" || given.Domain != "" {
		t.Errorf("the cookie is %+v", given)
	}
	if got := w.status(http.MethodGet, "/session", nil, "Authorization", "", "Cookie", cookieName+"="+planted); got != http.StatusUnauthorized {
		t.Errorf("the planted secret is answered %d", got)
	}
}

func TestOtherSitesCannotUseABrowsersSession(t *testing.T) {
	w := newWorld(t)
	cookie := cookieName + "=" + w.signIn("").Value
	group := resource.PutGroup{Path: "made"}
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"a form of another site":          {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example", "Content-Type", "text/plain"}, 403},
		"a script of a sister host":       {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"a link that was typed":           {[]string{"Sec-Fetch-Site", "none"}, 403},
		"a browser that does not say":     {nil, 403},
		"a header that only says so":      {[]string{"X-Farshore", ""}, 403},
		"a method that is overridden":     {[]string{"X-HTTP-Method-Override", "GET", "Sec-Fetch-Site", "cross-site"}, 403},
		"the hub's own page":              {[]string{"Sec-Fetch-Site", "same-origin"}, 200},
		"the hub's own page, old browser": {[]string{"X-Farshore", "1"}, 200},
		"a bearer token that is not one":  {[]string{"Authorization", "Basic YWRtaW46eA==", "X-Farshore", "1"}, 401},
	} {
		headers := append([]string{"Authorization", "", "Cookie", cookie}, c.headers...)
		if got := w.status(http.MethodPut, "/groups", group, headers...); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	// Signing somebody in to the attacker's own account is refused as well, though nothing proves a session yet.
	login := resource.Login{Username: "admin", Password: password}
	if got := w.status(http.MethodPost, "/session?cookie=true", login, "Authorization", "", "Sec-Fetch-Site", "cross-site"); got != 403 {
		t.Errorf("signing in from another site: %d", got)
	}
	// What a page may read, it may read alone: no other origin is allowed to.
	resp := w.request(http.MethodGet, "/groups", nil, "Authorization", "", "Cookie", cookie, "Origin", "https://evil.example")
	defer resp.Body.Close()
	if resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another origin may read the answer")
	}
}

func TestWhatIsSentDoesNotBecomeAHeader(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/devices/x%0d%0aSet-Cookie:%20evil=1", "/nothing%0d%0aX-Evil:%201", "/devices?q=%0d%0aX-Evil:1&limit=1", "/profiles/a%0aX-Evil:1"} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			resp := w.request(method, path, nil)
			_ = resp.Body.Close()
			if len(resp.Header.Values("Set-Cookie")) > 0 || resp.Header.Get("X-Evil") != "" {
				t.Errorf("%s %s: %v", method, path, resp.Header)
			}
		}
	}
}

func TestAnAccountThatAsksTooMuchHasToWait(t *testing.T) {
	w := newWorld(t)
	if err := w.Hub().Gate.Change(t.Context(), gate.Change{Settings: gate.Settings{RequestsPerSecond: 1, Burst: 20}}); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range 100 {
		resp := w.request(http.MethodGet, "/groups", nil)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests {
			continue
		}
		refused++
		if resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("refused with %v", resp.Header)
		}
	}
	if refused == 0 {
		t.Error("100 requests at once passed a limit of 20")
	}
	if got := w.status(http.MethodGet, "/session/current", nil, "Authorization", ""); got != http.StatusOK {
		t.Errorf("somebody else at the same address: %d", got)
	}
}

func TestPasswordSpraying(t *testing.T) {
	w := newWorld(t)
	try := func(name, pass, from string) int {
		return w.status(http.MethodPost, "/session", resource.Login{Username: name, Password: pass}, "Authorization", "", "X-Forwarded-For", from)
	}
	if err := w.Hub().Gate.Change(t.Context(), gate.Change{Settings: gate.Settings{
		RequestsPerSecond: 100_000, TrustedProxies: []string{"127.0.0.1"},
	}}); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i := range 80 { // another account each time, from another address of one /64
		if try(fmt.Sprintf("user%d", i), "correct horse battery", fmt.Sprintf("2001:db8::%x", i+1)) == http.StatusUnauthorized {
			tried++
		}
	}
	if tried > 60 {
		t.Errorf("%d passwords of 80 were tried from one network", tried)
	}
	if got := try("admin", password, "2001:db8:1::1"); got != http.StatusOK {
		t.Errorf("an honest sign-in from another network: %d", got)
	}
}

func TestProtectionIsNotChangedUnseen(t *testing.T) {
	w := newWorld(t)
	var p resource.Protection
	w.ask(http.MethodGet, "/settings/protection", nil, &p)
	if p.YourAddress != "127.0.0.1" {
		t.Errorf("the caller comes from %q", p.YourAddress)
	}
	next := resource.PutProtection{ProtectionSettings: p.ProtectionSettings}
	next.Devices = []string{"192.0.2.0/24"}
	if got := w.status(http.MethodPut, "/settings/protection", next, "If-Match", `"`+p.Etag+`"`); got != http.StatusOK {
		t.Fatalf("%d", got)
	}
	if got := w.status(http.MethodPut, "/settings/protection", next, "If-Match", `"`+p.Etag+`"`); got != http.StatusPreconditionFailed {
		t.Errorf("who has seen something else: %d", got)
	}
	next.People = []string{"192.0.2.0/24"}
	if got := w.status(http.MethodPut, "/settings/protection", next); got != http.StatusConflict {
		t.Errorf("shutting oneself out: %d", got)
	}
}
