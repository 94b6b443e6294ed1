package keypage_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/keypage"
	"github.com/farshore/farshore/waitingroom"
)

// bench is a page, what it printed and what it was given.
type bench struct {
	t        *testing.T
	page     *keypage.Page
	pins     chan string
	taken    []string
	refuse   error // of Take
	standing keypage.Standing
	log      bytes.Buffer
}

func newBench(t *testing.T, cfg keypage.Config) *bench {
	t.Helper()
	b := &bench{t: t, pins: make(chan string, 100)}
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	cfg.Announce = func(pin string) { b.pins <- pin }
	cfg.Standing = func() keypage.Standing { return b.standing }
	cfg.Take = func(key string) error {
		if b.refuse == nil {
			b.taken = append(b.taken, key)
		}
		return b.refuse
	}
	cfg.Log = slog.New(slog.NewTextHandler(&b.log, nil))
	page, err := keypage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = page.Close() })
	b.page = page
	return b
}

// run serves the page until the test ends and returns its first PIN.
func (b *bench) run() string {
	ctx, cancel := context.WithCancel(b.t.Context())
	ran := make(chan error, 1)
	go func() { ran <- b.page.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			b.t.Error(err)
		}
	})
	return <-b.pins
}

// answer is what came of a request.
type answer struct {
	status               int
	text                 string // of the whole body
	Field, Text          string
	State, Code, Approve string
	QR                   string
}

func (b *bench) send(r *http.Request) answer {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.page.Handler().ServeHTTP(w, r)
	a := answer{status: w.Code, text: w.Body.String()}
	if w.Header().Get("Content-Type") == "application/json" {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			b.t.Error(err)
		}
	}
	return a
}

// post sends what the page's own script would.
func (b *bench) post(path string, fields map[string]string) answer {
	b.t.Helper()
	return b.send(b.request(path, fields))
}

func (b *bench) request(path string, fields map[string]string) *http.Request {
	body, err := json.Marshal(fields)
	if err != nil {
		b.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, b.page.URL()+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", b.page.URL())
	return r
}

func edgeKey(t *testing.T) string {
	t.Helper()
	key, err := waitingroom.EdgeKey{
		HTTPS: "https://hub.example:9443", HubKey: make(ed25519.PublicKey, ed25519.PublicKeySize), KeyID: "k1",
		Secret: []byte("0123456789abcdef"),
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeyIsTakenOnceAndThenTheDeviceIsShown(t *testing.T) {
	b := newBench(t, keypage.Config{})
	b.standing = keypage.Standing{State: "waiting", PairingCode: "7ZK4-M0QD", ApproveURL: "https://hub.example:9443/waiting?code=7ZK4-M0QD"}
	pin, key := b.run(), edgeKey(t)
	if a := b.post("/standing", map[string]string{"pin": pin}); a.status != http.StatusOK || a.State != keypage.StateNoKey {
		t.Errorf("with the PIN and no key: %+v", a)
	}
	a := b.post("/key", map[string]string{"pin": pin, "key": key[:40]})
	if a.status != http.StatusUnprocessableEntity || a.Field != "key" || !strings.HasPrefix(a.Text, "The edge key is cut off: ") {
		t.Errorf("half a key: %+v", a)
	}
	b.refuse = errors.New("disk is full")
	if a = b.post("/key", map[string]string{"pin": pin, "key": key}); a.Field != "key" || !strings.Contains(a.Text, "its log says why") {
		t.Errorf("a key that cannot be kept: %+v", a)
	}
	b.refuse = nil
	if a = b.post("/key", map[string]string{"pin": strings.ReplaceAll(pin, " ", "-"), "key": " " + key[:30] + "\r\n  " + key[30:]}); a.status != http.StatusOK {
		t.Errorf("the key as a mail program breaks it: %+v", a)
	}
	if a = b.post("/key", map[string]string{"pin": pin, "key": key}); a.status != http.StatusConflict {
		t.Errorf("a second key: %+v", a)
	}
	if len(b.taken) != 1 || b.taken[0] != key {
		t.Errorf("the agent was given %d keys: %q", len(b.taken), b.taken)
	}
	if a = b.post("/standing", map[string]string{"pin": pin}); a.State != "waiting" || a.Code != "7ZK4-M0QD" || !strings.HasPrefix(a.QR, "M0 0h7v1h-7z") {
		t.Errorf("how it stands: %+v", a)
	}
	if log := b.log.String(); strings.Contains(log, key) || !strings.Contains(log, "disk is full") {
		t.Errorf("the log has the key, or not why it was not kept: %s", log)
	}
}

func TestFiveWrongPINsNeedANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, keypage.Config{})
		b.page.FreshPIN()
		first := <-b.pins
		for i := range 5 {
			a := b.post("/key", map[string]string{"pin": wrong(first), "key": edgeKey(t)})
			if last := i == 4; a.Field != "pin" || (a.status == http.StatusTooManyRequests) != last ||
				!last && !strings.Contains(a.Text, fmt.Sprintf("tries left: %d", 4-i)) {
				t.Errorf("wrong PIN %d: %+v", i+1, a)
			}
		}
		if a := b.post("/key", map[string]string{"pin": first, "key": edgeKey(t)}); a.status != http.StatusTooManyRequests {
			t.Errorf("the right PIN after five wrong ones: %+v", a)
		}
		if a := b.post("/key", map[string]string{"pin": "", "key": edgeKey(t)}); a.status != http.StatusTooManyRequests {
			t.Errorf("no PIN while there is none: %+v", a)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		second := <-b.pins
		if a := b.post("/key", map[string]string{"pin": second, "key": edgeKey(t)}); a.status != http.StatusOK {
			t.Errorf("the new PIN: %+v", a)
		}
	})
}

// wrong is another PIN.
func wrong(pin string) string {
	if pin == "000 000" {
		return "111111"
	}
	return "000000"
}

func TestOtherSitesAreKeptOut(t *testing.T) {
	b := newBench(t, keypage.Config{Host: "Gateway.lan"})
	pin, key := b.run(), edgeKey(t)
	url := b.page.URL()
	if want := "http://Gateway.lan:"; !strings.HasPrefix(url, want) {
		t.Errorf("the page is at %s, want %s…", url, want)
	}
	fields := map[string]string{"pin": pin, "key": key}
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"another site's page":        {func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, http.StatusForbidden},
		"another port's page":        {func(r *http.Request) { r.Header.Set("Origin", url+"1") }, http.StatusForbidden},
		"a page without an origin":   {func(r *http.Request) { r.Header.Set("Origin", "null") }, http.StatusForbidden},
		"no browser's page":          {func(r *http.Request) { r.Header.Del("Origin") }, http.StatusForbidden},
		"a form":                     {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, http.StatusForbidden},
		"a name that was bound anew": {func(r *http.Request) { r.Host = "evil.example"; r.Header.Set("Origin", "http://evil.example") }, http.StatusMisdirectedRequest},
		"no name":                    {func(r *http.Request) { r.Host = "" }, http.StatusMisdirectedRequest},
		"too much": {func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(`{"key":"` + strings.Repeat("a", 20_000)))
		}, http.StatusRequestEntityTooLarge},
		"not JSON": {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("hello")) }, http.StatusBadRequest},
	} {
		r := b.request("/key", fields)
		c.change(r)
		if a := b.send(r); a.status != c.want {
			t.Errorf("%s: %+v, want status %d", name, a, c.want)
		}
	}
	if len(b.taken) > 0 {
		t.Error("a key was taken all the same")
	}
	for _, host := range []string{"192.0.2.7:9009", "[2001:db8::1]:9009", "[::1]", "10.0.0.1", "localhost:80", "LOCALHOST", "gateway.LAN:9009"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		if a := b.send(r); a.status != http.StatusOK || !strings.Contains(a.text, "Paste the edge key") {
			t.Errorf("asked for as %s: %d", host, a.status)
		}
	}
	everywhere := newBench(t, keypage.Config{Address: "0.0.0.0:0"})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = "localhost"
	if a := everywhere.send(r); a.status != http.StatusMisdirectedRequest {
		t.Errorf("localhost of a page for others: %d", a.status)
	}
}

// TestPageHasNothingInline makes sure that the policy lets the page work.
func TestPageHasNothingInline(t *testing.T) {
	b := newBench(t, keypage.Config{})
	r := httptest.NewRequest(http.MethodGet, b.page.URL()+"/", nil)
	w := httptest.NewRecorder()
	b.page.Handler().ServeHTTP(w, r)
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", w.Header())
	}
	page := w.Body.String()
	for _, bad := range []string{"<style", "style=", "onclick", "<script>", "javascript:", `="http`, `="//`} {
		if strings.Contains(strings.ToLower(page), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, file := range []string{"page.css", "page.js", "icon.svg"} {
		if a := b.send(httptest.NewRequest(http.MethodGet, b.page.URL()+"/"+file, nil)); a.status != http.StatusOK || !strings.Contains(page, `"`+file+`"`) {
			t.Errorf("%s: %d, and is it named in the page?", file, a.status)
		}
	}
}

func TestPageCloses(t *testing.T) {
	b := newBench(t, keypage.Config{OpenFor: time.Millisecond})
	if err := b.page.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(b.page.URL()); err == nil {
		t.Error("it still answers after its time")
	}
}

func TestPortInUseIsSaid(t *testing.T) {
	b := newBench(t, keypage.Config{})
	_, address, _ := strings.Cut(b.page.URL(), "//")
	if _, err := keypage.New(keypage.Config{Address: address}); err == nil || !strings.Contains(err.Error(), "the port is in use") {
		t.Errorf("a second page there: %v", err)
	}
}
