package apiclient_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/internal/apiclient"
)

const secret = "fst_secret"

// serve runs a server and gives the fingerprint by which it is trusted.
func serve(t *testing.T, h http.HandlerFunc) (server *httptest.Server, fingerprint string) {
	t.Helper()
	server = httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	return server, apiclient.FingerprintOf(server.Certificate().Raw)
}

func client(t *testing.T, c apiclient.Config) *apiclient.Client {
	t.Helper()
	c.Token = secret
	out, err := apiclient.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestNobodyElseGetsTheToken: a server that is not known to be the one that is meant sees no request at all, and
// people are told what it showed.
func TestNobodyElseGetsTheToken(t *testing.T) {
	asked := 0
	server, fingerprint := serve(t, func(w http.ResponseWriter, _ *http.Request) { asked++; fmt.Fprint(w, `{}`) })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	other := "SHA256:" + strings.Repeat("A", 43)
	for name, c := range map[string]struct {
		config  apiclient.Config
		trusted bool
		says    []string
	}{
		"fingerprint":             {apiclient.Config{Fingerprint: fingerprint}, true, nil},
		"fingerprint, padded":     {apiclient.Config{Fingerprint: fingerprint + "="}, true, nil},
		"authority":               {apiclient.Config{CAFile: ca}, true, nil},
		"another fingerprint":     {apiclient.Config{Fingerprint: other}, false, []string{fingerprint, other}},
		"authorities of the host": {apiclient.Config{}, false, []string{fingerprint, "--fingerprint", "--ca-file"}},
	} {
		t.Run(name, func(t *testing.T) {
			asked = 0
			c.config.URL = server.URL
			err := client(t, c.config).Do(t.Context(), apiclient.Request{Method: http.MethodGet, Path: "/x"}, nil)
			if c.trusted {
				if err != nil || asked != 1 {
					t.Fatalf("%d requests, %v", asked, err)
				}
				return
			}
			u, ok := errors.AsType[*apiclient.UntrustedError](err)
			if !ok || !errors.Is(err, apiclient.ErrUntrusted) || u.Got != fingerprint {
				t.Fatalf("got %#v: %v", u, err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if asked != 0 {
				t.Error("the server was asked")
			}
		})
	}
}

func TestConfigsThatCannotBe(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []apiclient.Config{
		{},
		{URL: "http://hub.example:9443"},
		{URL: "https://"},
		{URL: "https://user:word@hub.example"},
		{URL: "https://hub.example/?x=1"},
		{URL: "https://hub.example", Fingerprint: "SHA256:short"},
		{URL: "https://hub.example", Fingerprint: strings.Repeat("A", 43)},
		{URL: "https://hub.example", CAFile: empty},
		{URL: "https://hub.example", CAFile: empty + ".none"},
	} {
		if _, err := apiclient.New(c); !errors.Is(err, apiclient.ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for text, want := range map[string]string{
		"hub.example:9443":          "https://hub.example:9443",
		"https://hub.example/farm/": "https://hub.example/farm",
	} {
		if u, err := apiclient.ParseURL(text); err != nil || u.String() != want {
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
}

// TestWhatIsAnswered: below a path, with the token, and what went wrong as the kind of error that it is.
func TestWhatIsAnswered(t *testing.T) {
	elsewhere, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %q", r.Header.Get("Authorization"))
	})
	server, fingerprint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+secret {
			t.Errorf("authorization is %q", got)
		}
		problem := func(status int) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			fmt.Fprint(w, `{"status":404,"code":"not-found","detail":"device \"a\": not found"}`)
		}
		switch r.URL.EscapedPath() {
		case "/farm/api/v1/devices/a%2Fb":
			fmt.Fprintf(w, `{"method":%q,"query":%q}`, r.Method, r.URL.RawQuery)
		case "/farm/api/v1/none":
			problem(http.StatusNotFound)
		case "/farm/api/v1/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/farm/api/v1/page":
			fmt.Fprint(w, "<html>")
		case "/farm/api/v1/gateway":
			http.Error(w, "bad gateway", http.StatusBadGateway)
		case "/farm/api/v1/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"a":`)
		default:
			t.Errorf("asked for %s", r.URL.EscapedPath())
		}
	})
	c := client(t, apiclient.Config{URL: server.URL + "/farm/", Base: "/api/v1", Fingerprint: fingerprint})
	var out struct{ Method, Query string }
	r := apiclient.Request{Method: http.MethodPut, Path: "/devices/a%2Fb", Query: map[string][]string{"q": {"x y"}}, Body: out}
	if err := c.Do(t.Context(), r, &out); err != nil || out.Method != "PUT" || out.Query != "q=x+y" {
		t.Errorf("got %+v, %v", out, err)
	}
	ask := func(path string) error {
		var v map[string]any
		err := c.Do(t.Context(), apiclient.Request{Method: http.MethodGet, Path: path}, &v)
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the token is in %q", path, err)
		}
		return err
	}
	if p, ok := errors.AsType[*apiclient.Problem](ask("/none")); !ok || p.Status != 404 || p.Code != "not-found" || p.Error() != `device "a": not found` {
		t.Errorf("a problem came as %+v", p)
	}
	for _, path := range []string{"/away", "/page", "/gateway", "/cut"} {
		if err := ask(path); !errors.Is(err, apiclient.ErrUnreachable) {
			t.Errorf("%s: %v", path, err)
		}
	}
	server.Close()
	if err := ask("/none"); !errors.Is(err, apiclient.ErrUnreachable) || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("nobody is there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Do(ctx, r, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestStreamGoesOn: a stream that breaks is taken up after the last event, and nothing is seen twice.
func TestStreamGoesOn(t *testing.T) {
	var asked []string
	server, fingerprint := serve(t, func(w http.ResponseWriter, r *http.Request) {
		last := r.Header.Get("Last-Event-ID")
		asked = append(asked, last)
		from := 1
		if last != "" {
			fmt.Sscan(last, &from)
			from++
		}
		fmt.Fprint(w, ": hello\n\n")
		for id := from; id < from+2; id++ {
			fmt.Fprintf(w, "id: %d\ndata: {\"n\":%d}\n\n", id, id)
		}
		w.(http.Flusher).Flush()
		if last == "" {
			panic(http.ErrAbortHandler)
		}
	})
	server.Config.ErrorLog = nil
	c := client(t, apiclient.Config{URL: server.URL, Fingerprint: fingerprint})
	enough := errors.New("enough")
	var seen []int
	err := c.Stream(t.Context(), apiclient.Request{Method: http.MethodGet, Path: "/"}, apiclient.UntilDone, func(e apiclient.Event) error {
		var v struct{ N int }
		if err := json.Unmarshal(e.Data, &v); err != nil {
			return err
		}
		if seen = append(seen, v.N); v.N == 4 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || fmt.Sprint(seen) != "[1 2 3 4]" || fmt.Sprint(asked) != "[ 2]" {
		t.Errorf("saw %v by asking after %v: %v", seen, asked, err)
	}

	var rest []string
	err = c.Stream(t.Context(), apiclient.Request{Method: http.MethodGet, Path: "/", Header: nil}, apiclient.AtItsEnd, func(e apiclient.Event) error {
		rest = append(rest, e.ID)
		return nil
	})
	if err == nil || fmt.Sprint(rest) != "[1 2]" {
		t.Errorf("of a stream that broke off %v came, and %v", rest, err)
	}
}
