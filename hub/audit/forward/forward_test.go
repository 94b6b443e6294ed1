package forward_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/audit/forward"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
)

// world is a trail with its destinations, as a hub runs them.
type world struct {
	t    *testing.T
	dir  string
	db   *store.Store
	log  *audit.Log
	desk *forward.Desk
	stop func()

	mu      sync.Mutex
	notices []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir()}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	w.t.Helper()
	var err error
	if w.db, err = store.Open(w.dir); err != nil {
		w.t.Fatal(err)
	}
	secrets, err := vault.Open(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.log, err = audit.Open(audit.Config{
		Dir: filepath.Join(w.dir, audit.Folder), Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), Store: w.db,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.desk, err = forward.New(forward.Config{
		Trail: w.log, Store: w.db, Vault: secrets, Retry: 10 * time.Millisecond,
		Notice: func(kind, text string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.notices = append(w.notices, kind+" "+text)
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{w.log.Run, w.desk.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := errors.Join(w.log.Close(), w.db.Close()); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) fill(n int) {
	w.t.Helper()
	for i := range n {
		err := w.log.Record(audit.Entry{
			Principal: `an"na]\`, Operation: "stacks.apply", Resource: "stack web", Result: audit.ResultDone, Detail: fmt.Sprintf("a\n%d ø", i) + strings.Repeat("x", 200),
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) put(d forward.Destination, secret string) {
	w.t.Helper()
	if _, err := w.desk.Put(forward.Change{Destination: d, Secret: &secret}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within 30 s: %+v", what, w.desk.States())
		}
	}
}

// got are the numbers of entries that arrived, however often.
type got struct {
	mu   sync.Mutex
	seqs map[uint64]int
	all  int
}

func (g *got) add(seq uint64) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seqs == nil {
		g.seqs = map[uint64]int{}
	}
	g.seqs[seq]++
	g.all++
	return g.all
}

// has says that each number from 1 to n arrived.
func (g *got) has(n uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for seq := uint64(1); seq <= n; seq++ {
		if g.seqs[seq] == 0 {
			return false
		}
	}
	return true
}

var form = regexp.MustCompile(`^<(110)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ farshore-hub - stacks.apply \[farshore@32473 seq="(\d+)" principal="an\\"na\\]\\\\" breakGlass="false" .* hash="[0-9a-f]{64}"\] \x{feff}an"na]\\ stacks.apply stack web: done, a \d+ øx+$`)

// receive reads framed messages until it was told to stop after some, or the connection ends.
func receive(t *testing.T, conn net.Conn, g *got, most int) {
	in := bufio.NewReader(conn)
	for i := 0; most == 0 || i < most; i++ {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil || n > 100_000 {
			t.Errorf("frame of %q", length)
			return
		}
		m := make([]byte, n)
		if _, err := io.ReadFull(in, m); err != nil {
			return
		}
		if strings.Contains(string(m), " audit.test ") {
			g.add(0)
			continue
		}
		f := form.FindSubmatch(m)
		if f == nil {
			t.Errorf("%q", m)
			return
		}
		seq, _ := strconv.ParseUint(string(f[2]), 10, 64)
		g.add(seq)
	}
}

// certificate is one that a test server shows for example.com and 127.0.0.1.
func certificate(t *testing.T) (tls.Certificate, string, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	sum := sha256.Sum256(s.Certificate().Raw)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return s.TLS.Certificates[0], string(ca), "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// A receiver is killed again and again in the middle of the stream, is away, and comes back at the same address; the
// hub is restarted too. Each entry arrives.
func TestSyslogLosesNothing(t *testing.T) {
	for _, scheme := range []string{"tcp", "tls"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t)
			shown, _, pin := certificate(t)
			listen := func(address string) net.Listener {
				l, err := net.Listen("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				if scheme == "tls" {
					l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{shown}})
				}
				return l
			}
			l := listen("127.0.0.1:0")
			address := l.Addr().String()
			d := forward.Destination{Name: "siem", URL: scheme + "://" + address}
			if scheme == "tls" {
				d.Pin = pin
			}
			w.put(d, "")
			var g got
			for round := range 4 {
				w.fill(500)
				conn, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				receive(t, conn, &g, 100+round*50) // and is killed with the rest unread
				_ = conn.Close()
				_ = l.Close()
				if round == 2 { // while the receiver is away
					w.stop()
					w.start()
				}
				w.until("the failure shows", func() bool { return w.desk.States()[0].Problem != "" })
				l = listen(address)
			}
			w.fill(500)
			var reading sync.WaitGroup
			reading.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					reading.Go(func() { receive(t, conn, &g, 0); _ = conn.Close() })
				}
			})
			w.until("all entries arrive", func() bool { return g.has(2500) })
			w.until("the state is well", func() bool {
				s := w.desk.States()[0]
				return s.Problem == "" && s.Backlog == 0 && s.Sent == 2500
			})
			if err := w.desk.Test(t.Context(), "siem"); err != nil {
				t.Error(err)
			}
			w.stop() // the receiver closes after us: it has all
			w.start()
			if s := w.desk.States()[0]; s.Progress.Seq != 2500 || w.desk.Needed() != 2500 {
				t.Errorf("after an orderly end: %+v", s)
			}
			w.stop()
			_ = l.Close()
			reading.Wait()
		})
	}
}

func TestAReceiverThatIsAnotherGetsNothing(t *testing.T) {
	w := newWorld(t)
	shown, ca, _ := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{shown}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var g got
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			receive(t, conn, &g, 0)
			_ = conn.Close()
		}
	}()
	w.fill(1)
	other := "SHA256:" + base64.RawStdEncoding.EncodeToString(make([]byte, 32))
	for name, d := range map[string]forward.Destination{
		"by the system's authorities": {}, "with another pin": {Pin: other}, "with another name": {CA: ca, ServerName: "log.invalid"},
	} {
		d.Name, d.URL = "siem", "tls://"+l.Addr().String()
		w.put(d, "")
		if err := w.desk.Test(t.Context(), "siem"); err == nil {
			t.Errorf("%s: it was trusted", name)
		}
	}
	if g.all != 0 {
		t.Fatal("it got something")
	}
	w.put(forward.Destination{Name: "siem", URL: "tls://" + l.Addr().String(), CA: ca, ServerName: "example.com"}, "")
	w.until("it arrives", func() bool { return g.has(1) })
}

// A webhook fails in each way that there is, and gets each entry all the same.
func TestWebhookLosesNothing(t *testing.T) {
	w := newWorld(t)
	var g got
	var mu sync.Mutex
	var requests int
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests++
		n := requests
		mu.Unlock()
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("a secret"))
		_, _ = mac.Write([]byte(r.Header.Get("X-Farshore-Timestamp") + "." + string(body)))
		if err != nil || r.Header.Get("X-Farshore-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signature %q, %v", r.Header.Get("X-Farshore-Signature"), err)
		}
		switch {
		case n == 1:
			rw.WriteHeader(http.StatusInternalServerError)
			return
		case n == 2:
			panic(http.ErrAbortHandler)
		case n == 3:
			http.Redirect(rw, r, "/elsewhere", http.StatusTemporaryRedirect)
			return
		case n == 4: // all taken, and not said
			defer panic(http.ErrAbortHandler)
		}
		for text := range strings.Lines(string(body)) {
			var l audit.Line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Error(err)
			}
			if l.Seq > 0 {
				g.add(l.Seq)
			}
		}
	}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	w.fill(2000)
	w.put(forward.Destination{Name: "hook", URL: server.URL + "/in", CA: string(ca)}, "a secret")
	w.until("all entries arrive", func() bool { return g.has(2000) })
	w.until("the place is kept", func() bool { return w.desk.Needed() == 2000 })
	if g.all > 4000 {
		t.Errorf("%d arrived, want few repetitions", g.all)
	}
	if err := w.desk.Test(t.Context(), "hook"); err != nil {
		t.Error(err)
	}
	if err := w.desk.Remove("hook"); err != nil {
		t.Error(err)
	}
	if err := w.desk.Remove("hook"); !errors.Is(err, forward.ErrNotFound) {
		t.Error(err)
	}
}

// A receiver that hangs does not hold a stop up.
func TestAHangingReceiver(t *testing.T) {
	w := newWorld(t)
	asked, end := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(end)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	w.fill(1)
	w.put(forward.Destination{Name: "hook", URL: server.URL, CA: string(ca), Header: "X-Key"}, "key")
	<-asked
	w.stop()
}

func TestWhatCannotBeADestination(t *testing.T) {
	w := newWorld(t)
	secret, none := "s", ""
	for name, c := range map[string]forward.Change{
		"name":             {Destination: forward.Destination{Name: "../x", URL: "tcp://a:1"}},
		"no port":          {Destination: forward.Destination{Name: "a", URL: "tls://a"}},
		"scheme":           {Destination: forward.Destination{Name: "a", URL: "http://a/"}},
		"file":             {Destination: forward.Destination{Name: "a", URL: "file:///etc/passwd"}},
		"user":             {Destination: forward.Destination{Name: "a", URL: "https://u:p@a/"}},
		"pin":              {Destination: forward.Destination{Name: "a", URL: "tls://a:1", Pin: "SHA256:x"}},
		"ca":               {Destination: forward.Destination{Name: "a", URL: "tls://a:1", CA: "x"}},
		"tcp with a pin":   {Destination: forward.Destination{Name: "a", URL: "tcp://a:1", Pin: "x"}},
		"secret":           {Destination: forward.Destination{Name: "a", URL: "tls://a:1"}, Secret: &secret},
		"header":           {Destination: forward.Destination{Name: "a", URL: "https://a/", Header: "X y"}, Secret: &secret},
		"header alone":     {Destination: forward.Destination{Name: "a", URL: "https://a/", Header: "X-Y"}, Secret: &none},
		"a header of ours": {Destination: forward.Destination{Name: "a", URL: "https://a/", Header: "host"}, Secret: &secret},
	} {
		if _, err := w.desk.Put(c); !errors.Is(err, forward.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.put(forward.Destination{Name: "a", URL: "https://127.0.0.1:1/"}, "s")
	if _, err := w.desk.Put(forward.Change{Destination: forward.Destination{Name: "a", URL: "https://127.0.0.1:2/"}}); !errors.Is(err, forward.ErrInvalid) {
		t.Errorf("a kept secret goes to another receiver: %v", err)
	}
	s, err := w.desk.Put(forward.Change{Destination: forward.Destination{Name: "a", URL: "https://127.0.0.1:1/", ServerName: "x"}})
	if err != nil || len(s.Destination.Sealed) == 0 || strings.Contains(string(s.Destination.Sealed), "s\x00") {
		t.Errorf("%v %+v", err, s)
	}
}
