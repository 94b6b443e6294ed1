package gate_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/deviceca"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/internal/certtest"
)

func open(t *testing.T, s gate.Settings) *gate.Gate {
	t.Helper()
	g, err := gate.New(gate.Config{})
	if err == nil {
		err = g.Change(t.Context(), gate.Change{Settings: s})
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// request is one of a person, from a connection of peer, with X-Forwarded-For.
func request(peer string, forwarded ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, f := range forwarded {
		r.Header.Add("X-Forwarded-For", f)
	}
	return r
}

// said answers with the caller's address.
func said(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }

func TestOnlyTrustedProxiesSayWhereACallerIs(t *testing.T) {
	g := open(t, gate.Settings{TrustedProxies: []string{"10.0.0.0/8", "2001:db8:1::/48"}})
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.7:4711", nil, "192.0.2.7:0"},
		{"192.0.2.7:4711", []string{"198.51.100.1"}, "192.0.2.7:0"}, // anybody can write that
		{"10.0.0.1:4711", nil, "10.0.0.1:0"},
		{"10.0.0.1:4711", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"[::ffff:10.0.0.1]:4711", []string{"::ffff:198.51.100.1"}, "198.51.100.1:0"},
		{"10.0.0.1:4711", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1:0"}, // the first is the caller's own invention
		{"10.0.0.1:4711", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1:0"},
		{"10.0.0.1:4711", []string{"203.0.113.9, 10.9.9.9"}, "203.0.113.9:0"},
		{"[2001:db8:1::5]:1", []string{"[2001:db8:2::7]:99"}, "[2001:db8:2::7]:0"},
		{"10.0.0.1:4711", []string{"203.0.113.9, unknown"}, "10.0.0.1:0"},
		{"10.0.0.1:4711", []string{"10.1.1.1, 10.2.2.2"}, "10.1.1.1:0"},
		{"10.0.0.1:4711", []string{"198.51.100.1\x00"}, "10.0.0.1:0"},
	} {
		rec := httptest.NewRecorder()
		g.People(http.HandlerFunc(said)).ServeHTTP(rec, request(c.peer, c.forwarded...))
		if rec.Body.String() != c.want {
			t.Errorf("from %s with %q: the caller is %s, want %s", c.peer, c.forwarded, rec.Body, c.want)
		}
	}
}

func TestPeopleOutsideOfTheirListAreTurnedAway(t *testing.T) {
	g := open(t, gate.Settings{People: []string{"192.0.2.0/24", "::ffff:198.51.100.0/120", "2001:db8::1"}, TrustedProxies: []string{"10.0.0.1"}})
	for peer, want := range map[string]int{
		"192.0.2.7:1": 200, "[::ffff:192.0.2.7]:1": 200, "198.51.100.200:1": 200, "[2001:db8::1]:1": 200, "[2001:db8::1%eth0]:1": 200,
		"192.0.3.1:1": 403, "[2001:db8::2]:1": 403, "[::ffff:192.0.3.1]:1": 403, "10.0.0.1:1": 403, "nonsense": 403,
	} {
		rec := httptest.NewRecorder()
		g.People(http.HandlerFunc(said)).ServeHTTP(rec, request(peer))
		if rec.Code != want {
			t.Errorf("%s: %d %s", peer, rec.Code, rec.Body)
		}
		if want == 403 && !strings.Contains(rec.Body.String(), `"code":"address"`) {
			t.Errorf("%s is told %s", peer, rec.Body)
		}
	}
	through := httptest.NewRecorder()
	g.People(http.HandlerFunc(said)).ServeHTTP(through, request("10.0.0.1:1", "192.0.2.7"))
	if through.Code != 200 {
		t.Errorf("through the proxy: %d %s", through.Code, through.Body)
	}
	if n := g.Refused()["people-address"]; n != 5 {
		t.Errorf("%d counted as turned away, want 5", n)
	}
}

// peer is a connection's other end that remembers whether it was closed.
type peer struct{ closed atomic.Bool }

func (p *peer) Close() error { p.closed.Store(true); return nil }

func tcp(address string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(address), Port: 4711} }

func TestAChangedListEndsWhoIsOutside(t *testing.T) {
	g := open(t, gate.Settings{})
	inside, outside, gone := &peer{}, &peer{}, &peer{}
	for _, c := range []struct {
		p    *peer
		from string
	}{{inside, "192.0.2.7"}, {outside, "198.51.100.1"}, {gone, "198.51.100.2"}} {
		leave, err := g.Device(tcp(c.from), c.p, new(tls.ConnectionState))
		if err != nil {
			t.Fatal(err)
		}
		if c.p == gone {
			leave()
			leave()
		}
	}
	stream := make(chan struct{})
	go g.People(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stream <- struct{}{}
		<-r.Context().Done() // as a stream of events
		close(stream)
	})).ServeHTTP(httptest.NewRecorder(), request("198.51.100.1:1"))
	<-stream
	err := g.Change(t.Context(), gate.Change{Settings: gate.Settings{Devices: []string{"192.0.2.7"}, People: []string{"192.0.2.0/24"}}})
	if err != nil {
		t.Fatal(err)
	}
	<-stream
	if inside.closed.Load() || !outside.closed.Load() || gone.closed.Load() {
		t.Errorf("inside closed %v, outside closed %v, gone closed %v", inside.closed.Load(), outside.closed.Load(), gone.closed.Load())
	}
	if _, err := g.Device(tcp("198.51.100.1"), outside, nil); !errors.Is(err, gate.ErrAddress) {
		t.Errorf("a device from outside: %v", err)
	}
	if err := g.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Device(tcp("198.51.100.1"), outside, nil); err != nil {
		t.Errorf("after the lists were emptied: %v", err)
	}
}

func TestAConnectionEndsWithItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plant, file := certtest.New(t, "plant"), filepath.Join(t.TempDir(), "plant.pem")
		if err := os.WriteFile(file, plant.PEM, 0o600); err != nil {
			t.Fatal(err)
		}
		authority, err := deviceca.Open(deviceca.Config{CAFile: file})
		if err != nil {
			t.Fatal(err)
		}
		g, err := gate.New(gate.Config{Certificates: authority})
		if err != nil {
			t.Fatal(err)
		}
		short := plant.Client("pump 7", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Hour) })
		state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{short.Leaf}}
		var pump peer
		leave, err := g.Device(tcp("192.0.2.7"), &pump, state)
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		time.Sleep(59 * time.Minute)
		if pump.closed.Load() {
			t.Error("it was closed before its certificate ended")
		}
		time.Sleep(2 * time.Minute)
		if !pump.closed.Load() {
			t.Error("it is open although its certificate has ended")
		}
		if _, err := g.Device(tcp("192.0.2.7"), &pump, state); !errors.Is(err, deviceca.ErrRefused) {
			t.Errorf("another with the same certificate: %v", err)
		}
	})
}

func TestNobodyShutsThemselvesOutByMistake(t *testing.T) {
	for name, c := range map[string]struct {
		now, then gate.Settings
		peer      string
		forwarded []string
		refused   bool
	}{
		"own address is in it":     {gate.Settings{}, gate.Settings{People: []string{"192.0.2.0/24"}}, "192.0.2.7:1", nil, false},
		"own address is not in it": {gate.Settings{}, gate.Settings{People: []string{"192.0.3.0/24"}}, "192.0.2.7:1", nil, true},
		"all":                      {gate.Settings{People: []string{"192.0.2.7"}}, gate.Settings{}, "192.0.2.7:1", nil, false},
		"behind a proxy": {
			gate.Settings{TrustedProxies: []string{"10.0.0.1"}},
			gate.Settings{TrustedProxies: []string{"10.0.0.1"}, People: []string{"192.0.2.7"}},
			"10.0.0.1:1",
			[]string{"192.0.2.7"},
			false,
		},
		"a proxy that is not trusted any more": {
			gate.Settings{TrustedProxies: []string{"10.0.0.1"}, People: []string{"192.0.2.7"}},
			gate.Settings{People: []string{"192.0.2.7"}},
			"10.0.0.1:1",
			[]string{"192.0.2.7"},
			true,
		},
		"devices are not people": {gate.Settings{}, gate.Settings{Devices: []string{"192.0.3.0/24"}}, "192.0.2.7:1", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t, c.now)
			try := func(force bool) (err error) {
				g.People(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					err = g.Change(r.Context(), gate.Change{Settings: c.then, Force: force})
				})).ServeHTTP(httptest.NewRecorder(), request(c.peer, c.forwarded...))
				return err
			}
			if err := try(false); errors.Is(err, gate.ErrShutOut) != c.refused {
				t.Errorf("%v, want refused %v", err, c.refused)
			}
			if err := try(true); err != nil {
				t.Errorf("by force: %v", err)
			}
		})
	}
}

func TestSettingsAreKeptAndWrongOnesNamed(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g, err := gate.New(gate.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	want := gate.Settings{People: []string{"192.0.2.9/24", "192.0.2.0/24", "::ffff:10.1.2.3"}, RequestsPerSecond: 7}
	if err := g.Change(t.Context(), gate.Change{Settings: want}); err != nil {
		t.Fatal(err)
	}
	if g, err = gate.New(gate.Config{Store: s}); err != nil {
		t.Fatal(err)
	}
	if got := g.Settings(); strings.Join(got.People, " ") != "192.0.2.0/24 10.1.2.3/32" || got.RequestsPerSecond != 7 || got.Burst != gate.DefaultBurst {
		t.Errorf("after a restart: %+v", got)
	}
	for field, bad := range map[string]gate.Settings{
		"people": {People: []string{"192.0.2.0/33"}}, "devices": {Devices: []string{"example.org"}},
		"trusted_proxies": {TrustedProxies: []string{""}}, "requests_per_second": {RequestsPerSecond: 1 << 30},
	} {
		var f *gate.FieldError
		if err := g.Change(t.Context(), gate.Change{Settings: bad}); !errors.Is(err, gate.ErrInvalid) || !errors.As(err, &f) || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestAnAccountMaySendItsBurstAndThenItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, gate.Settings{RequestsPerSecond: 10, Burst: 30})
		send := func(account string, n int) (passed int) {
			for range n {
				if g.Take(account) == 0 {
					passed++
				}
			}
			return passed
		}
		if n := send("anna", 100); n != 30 {
			t.Errorf("%d of 100 at once, want 30", n)
		}
		if n := send("bo", 5); n != 5 {
			t.Errorf("another account: %d of 5", n)
		}
		if wait := g.Take("anna"); wait <= 0 || wait > 100*time.Millisecond {
			t.Errorf("she is told to wait %v", wait)
		}
		time.Sleep(time.Second)
		if n := send("anna", 100); n != 10 {
			t.Errorf("a second later: %d, want 10", n)
		}
		time.Sleep(time.Hour)
		if n := send("anna", 100); n != 30 {
			t.Errorf("after a rest: %d, want 30", n)
		}
	})
}

func TestATrustedProxyNamesTheDevice(t *testing.T) {
	g := open(t, gate.Settings{TrustedProxies: []string{"127.0.0.1"}, Devices: []string{"192.0.2.0/24"}, People: []string{"192.0.2.0/24"}})
	arrive := func(first string) (net.Addr, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if _, err := io.WriteString(out, first); err != nil {
			t.Fatal(err)
		}
		in, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		c, err := g.Arrive(in)
		if err != nil {
			return nil, err
		}
		return c.RemoteAddr(), nil
	}
	if a, err := arrive("PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n\x16\x03"); err != nil || a.String() != "192.0.2.7:4711" {
		t.Errorf("%v, %v", a, err)
	}
	if a, err := arrive("PROXY TCP4 198.51.100.1 127.0.0.1 4711 443\r\n\x16\x03"); !errors.Is(err, gate.ErrAddress) {
		t.Errorf("from outside: %v, %v", a, err)
	}
	if err := g.Change(context.Background(), gate.Change{Settings: gate.Settings{}}); err != nil {
		t.Fatal(err)
	}
	if a, err := arrive("PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n\x16\x03"); err != nil || !strings.HasPrefix(a.String(), "127.0.0.1:") {
		t.Errorf("from somebody who is not trusted: %v, %v", a, err)
	}
}
