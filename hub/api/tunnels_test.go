package api_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/protocol"
)

// A call of the Engine API passes as it is, but for what is between the caller and the hub alone; of the answer nothing comes
// through that is meant for a browser, whoever has the engine in hand.
func TestTheEngineAPIPasses(t *testing.T) {
	w := newWorld(t)
	var seen *http.Request
	engine := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = r.Clone(context.Background())
		h := rw.Header()
		h.Set("Set-Cookie", "farshore=stolen")
		h.Set("Link", "</x>; rel=preload")
		rw.WriteHeader(http.StatusEarlyHints)
		for name, value := range map[string]string{
			"Content-Type": "text/html", "Location": "https://evil.example", "Access-Control-Allow-Origin": "*", "Content-Security-Policy": "script-src *",
			"Clear-Site-Data": `"*"`, "Refresh": "0; url=https://evil.example", "Api-Version": "1.41",
		} {
			h.Set(name, value)
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "<script>%s", body)
	}))
	t.Cleanup(engine.Close)
	d := w.Device(fleettest.DeviceSpec{Seed: 1, Mode: protocol.ModeStandard, DialEngine: func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", engine.Listener.Addr().String())
	}})
	w.Until("it is online", 30*time.Second, func() bool { _, ok := w.Hub().Sessions.Online(d.ID); return ok })
	path := "/devices/" + string(d.ID) + "/docker"

	resp := w.request(http.MethodPost, path+"/v1.41/containers/a%2Fb/exec?x=1&y=%20", []byte(`{"Cmd":["ls"]}`), "Cookie", "other=1")
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || string(text) != `<script>{"Cmd":["ls"]}` || resp.Header.Get("Api-Version") != "1.41" {
		t.Errorf("the answer is %d %q %v, %v", resp.StatusCode, text, resp.Header, err)
	}
	for name := range resp.Header {
		switch name {
		case "Api-Version", "Content-Type", "Content-Length", "Date":
		case "Content-Security-Policy":
			if all := strings.Join(resp.Header.Values(name), ";"); strings.Contains(all, "script-src") || !strings.Contains(all, "sandbox") {
				t.Errorf("policy %q", all)
			}
		case "X-Content-Type-Options", "Cache-Control", "Referrer-Policy", "X-Frame-Options":
		default:
			t.Errorf("the header %s came through: %q", name, resp.Header.Values(name))
		}
	}
	if seen.Method != http.MethodPost || seen.URL.RequestURI() != "/v1.41/containers/a%2Fb/exec?x=1&y=%20" || seen.Host != "docker" {
		t.Errorf("the engine was asked %s %s of %s", seen.Method, seen.URL.RequestURI(), seen.Host)
	}
	for _, name := range []string{"Authorization", "Cookie", "X-Farshore", "X-Forwarded-For", "Forwarded"} {
		if seen.Header.Get(name) != "" {
			t.Errorf("the engine was told %s: %s", name, seen.Header.Get(name))
		}
	}
	if trail := w.trail(); !strings.Contains(trail, `"operation":"live.engine"`) || !strings.Contains(trail, "POST /v1.41/containers/a/b/exec") {
		t.Errorf("the trail does not say what was done: %s", trail)
	}

	// A browser's session is good for no such call that a page could make by itself.
	cookie := cookieName + "=" + w.token
	for name, headers := range map[string][]string{
		"navigation": {"Sec-Fetch-Site", "none"}, "same origin": {"Sec-Fetch-Site", "same-origin"}, "websocket": {"Sec-Fetch-Site", "same-site", "Connection", "Upgrade", "Upgrade", "websocket"},
	} {
		seen = nil
		p := w.refused(http.MethodGet, path+"/containers/x/attach/ws", nil, append(headers, "Authorization", "", "Cookie", cookie)...)
		if p.Code != "foreign-request" || seen != nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if code, text := w.answer(http.MethodGet, path+"/_ping", nil, "Authorization", "", "Cookie", cookie, "X-Farshore", "1"); code != 200 {
		t.Errorf("the console's own call: %d %s", code, text)
	}

	var tunnel resource.Tunnel
	w.ask(http.MethodGet, "/devices/"+string(d.ID)+"/tunnel", nil, &tunnel)
	if tunnel.State != "active" || tunnel.By != "admin" || tunnel.Served != 2 {
		t.Errorf("the tunnel is %+v", tunnel)
	}
	w.ask(http.MethodDelete, "/devices/"+string(d.ID)+"/tunnel", nil, nil)
	async := w.Device(fleettest.DeviceSpec{Seed: 2, Mode: protocol.ModeAsync})
	if p := w.refused(http.MethodGet, "/devices/"+string(async.ID)+"/docker/_ping", nil); p.Status != http.StatusConflict || p.Code != "no-tunnel" {
		t.Errorf("of a device in async mode: %+v", p)
	}
	if p := w.refused(http.MethodGet, path+"/_ping", nil, "X-Farshore-Timeout", "0"); p.Status != 422 {
		t.Errorf("a time of nothing: %+v", p)
	}
}
