package registries_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/internal/certtest"
	"github.com/farshore/farshore/internal/testengine"
)

// near lets a book ask registries on this machine.
func near(t *testing.T) *bench {
	b := newBench(t)
	b.reaches = func(netip.Addr) error { return nil }
	b.open(b.dir)
	return b
}

func (b *bench) finds(id, want string) registries.Finding {
	b.t.Helper()
	f, err := b.Check(b.t.Context(), id)
	if err != nil || !strings.Contains(f.Text, want) || strings.Contains(f.Text, password) {
		b.t.Errorf("found %+v, %v; want a sentence with %q", f, err, want)
	}
	return f
}

func TestCheckOfARealRegistry(t *testing.T) {
	authority := certtest.New(t, "plant")
	pair := authority.Server([]string{"127.0.0.1"})
	spec := testengine.RegistrySpec{Chain: pair.Chain, Key: pair.Key, User: "bot", Password: password}
	real, open := testengine.RegistryWith(t, spec), testengine.Registry(t)
	b := near(t)
	good := registries.Change{Name: "good", Address: real.Addr, User: "bot", Password: password, CA: string(authority.PEM)}
	id := b.add(good)
	if f := b.finds(id, "lets bot in"); !f.OK {
		t.Error("not ok")
	}
	for text, change := range map[string]func(*registries.Change){
		"does not let bot in (401":         func(c *registries.Change) { c.Password = "wrong" },
		"does not let eve in (401":         func(c *registries.Change) { c.User = "eve" },
		"from an authority that the hub":   func(c *registries.Change) { c.CA = "" },
		"is for another name":              func(c *registries.Change) { c.Address = strings.Replace(real.Addr, "127.0.0.1", "localhost", 1) },
		"does not speak TLS":               func(c *registries.Change) { c.Address = open.Addr },
		"does not find no-such.invalid by": func(c *registries.Change) { c.Address = "no-such.invalid" },
	} {
		c := good
		c.Password = password
		change(&c)
		if _, err := b.Edit(id, c); err != nil {
			t.Fatal(err)
		}
		if f := b.finds(id, text); f.OK {
			t.Errorf("%s: ok", text)
		}
	}
	if _, err := b.Edit(id, good); err != nil {
		t.Fatal(err)
	}
	real.Stop()
	b.finds(id, "Nobody answers the hub")
	// In the hub itself what is on its own machine is not asked.
	b.reaches = nil
	b.open(b.dir)
	b.finds(id, "the hub does not ask")
}

func TestCheckOfARegistryThatAsksForTokens(t *testing.T) {
	authority := certtest.New(t, "plant")
	pair := authority.Server([]string{"127.0.0.1"})
	var asked []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		asked = append(asked, r.URL.Query().Get("service")+" for "+r.URL.Query().Get("account"))
		if user != "bot" || given != password {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"token":"t"}`))
	})
	tokens := httptest.NewUnstartedServer(handler)
	tokens.TLS = certtestConfig(t, pair)
	tokens.StartTLS()
	defer tokens.Close()
	plain := httptest.NewServer(handler)
	defer plain.Close()

	b := near(t)
	for _, c := range []struct {
		from, password, finds string
		ok                    bool
	}{
		{tokens.URL + "/token", password, "lets bot in", true},
		{tokens.URL + "/token", "wrong", "does not let bot in", false},
		{plain.URL + "/token", password, "the password was not sent there", false},
	} {
		asked = nil
		registry := testengine.RegistryWith(t, testengine.RegistrySpec{Chain: pair.Chain, Key: pair.Key, TokensFrom: c.from})
		id := b.add(registries.Change{Address: registry.Addr, User: "bot", Password: c.password, CA: string(authority.PEM)})
		if f := b.finds(id, c.finds); f.OK != c.ok {
			t.Errorf("%+v", f)
		}
		if c.from == plain.URL+"/token" && len(asked) != 0 {
			t.Error("a service without TLS was sent the password")
		}
		if c.ok && (len(asked) != 1 || asked[0] != "test for bot") {
			t.Errorf("the service was asked %q", asked)
		}
	}
}

// TestCheckStandsWhateverAnswers: what answers may be anything, and is not followed anywhere.
func TestCheckStandsWhateverAnswers(t *testing.T) {
	authority := certtest.New(t, "plant")
	pair := authority.Server([]string{"127.0.0.1"})
	elsewhere := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere = true }))
	defer other.Close()
	b := near(t)
	for finds, handler := range map[string]http.HandlerFunc{
		"answers with 302": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"answers with 404": http.NotFound,
		"lets everybody in": func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 { // more than is read
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"an address that is not HTTPS": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="file:///etc/passwd"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		s := httptest.NewUnstartedServer(handler)
		s.TLS = certtestConfig(t, pair)
		s.StartTLS()
		id := b.add(registries.Change{Address: strings.TrimPrefix(s.URL, "https://"), User: "bot", CA: string(authority.PEM)})
		b.finds(id, finds)
		s.Close()
	}
	if elsewhere {
		t.Error("a redirection was followed")
	}
}

func certtestConfig(t *testing.T, pair certtest.Pair) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{pair.TLS(t)}}
}
