package gitsource_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/gitsource"
)

func unhex(t testing.TB, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is wrong on the way to a server over HTTPS is said, each in its own words, and ends when it is put right.
func TestTroubleOverHTTPS(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	with := func(change func(*gitsource.Change)) {
		c := s.source(r)
		change(&c)
		d.put(c)
	}
	with(func(c *gitsource.Change) { c.Source.CA = "" })
	d.fails("certificate", "authority", "CA")
	with(func(c *gitsource.Change) { c.Password = ptr(token1 + "x") })
	d.fails("sign-in", "token", "401")
	with(func(c *gitsource.Change) { c.Source.SignIn, c.Source.User = gitsource.SignInNone, "" })
	d.fails("sign-in", "sign in")
	with(func(c *gitsource.Change) { c.Source.URL += "x" })
	d.fails("no-repository", "404")
	with(func(c *gitsource.Change) { c.Source.URL = strings.Replace(c.Source.URL, "https", "http", 1) })
	d.fails("server")
	if s, _ := d.Get("web"); !strings.Contains(s.Warning(), "not encrypted") {
		t.Error("http:// is not warned of")
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	d.must(err)
	d.must(gone.Close())
	with(func(c *gitsource.Change) { c.Source.URL = "https://" + gone.Addr().String() + "/x.git" })
	d.fails("unreachable", "cannot be reached", "refused")
	with(func(c *gitsource.Change) { c.Source.URL = "https://git.invalid/x.git" })
	d.fails("unreachable", "git.invalid")
	with(func(*gitsource.Change) {})
	if out := d.sync(); out.Code != "" || d.version() != 1 {
		t.Fatalf("%+v", out)
	}
	// A token that does not hold any more: what runs stays, and the pause grows.
	s.set("another")
	d.fails("sign-in")
	s1, _ := d.Get("web")
	d.fails("sign-in")
	s2, _ := d.Get("web")
	if d.version() != 1 || s2.Progress.Commit == "" || s1.Next.IsZero() || !s2.Next.After(s1.Next) {
		t.Errorf("next looks at %v and %v; %+v", s1.Next, s2.Next, s2.Progress)
	}
	s.set(token1)
	if out := d.sync(); out.Code != "" {
		t.Errorf("%+v", out)
	}
}

// A server that sends on to another one is not followed there, and gets nothing more.
func TestRedirectsElsewhereAreNotFollowed(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	var seen bool
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen = true }))
	defer elsewhere.Close()
	s := serveHTTP(t, r)
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case strings.HasPrefix(req.URL.Path, "/away/"):
			http.Redirect(w, req, elsewhere.URL+req.URL.Path, http.StatusFound)
		case strings.HasPrefix(req.URL.Path, "/old/"):
			http.Redirect(w, req, "/plant/"+strings.TrimPrefix(req.URL.RequestURI(), "/old/"), http.StatusTemporaryRedirect)
		default:
			inner.ServeHTTP(w, req)
		}
	})
	c := s.source(r)
	good := c.Source.URL
	c.Source.URL = strings.Replace(good, "/plant/", "/away/", 1)
	d.put(c)
	d.fails("redirect", strings.TrimPrefix(elsewhere.URL, "https://"))
	if seen {
		t.Error("the other server was asked")
	}
	c.Source.URL = strings.Replace(good, "/plant/", "/old/", 1)
	d.put(c)
	if out := d.sync(); out.Code != "" || d.version() != 1 {
		t.Errorf("on the same server: %+v", out)
	}
}

// The key of an SSH server has to be known before anything is said to it.
func TestTroubleOverSSH(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	s := serveSSH(t, "the passphrase")
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	with := func(change func(*gitsource.Change)) {
		c := s.source(r)
		c.Passphrase = "the passphrase"
		change(&c)
		d.put(c)
	}
	with(func(c *gitsource.Change) { c.Source.HostKeys = nil })
	d.fails("host-key", s.hostKey, "ssh-ed25519")
	with(func(c *gitsource.Change) {
		c.Source.HostKeys = []string{"# " + s.address, "SHA256:" + strings.Repeat("A", 43)}
	})
	d.fails("host-key", s.hostKey, "another key")
	other, _ := sshKey(t, "")
	with(func(c *gitsource.Change) { c.Key, c.Passphrase = &other, "" })
	d.fails("sign-in", "SHA256:", s.user)
	with(func(c *gitsource.Change) { c.Source.URL = s.url(r.bare + "x") })
	d.fails("no-repository", "does not appear to be a git repository")
	with(func(c *gitsource.Change) {
		c.Source.URL = s.url(r.root + "/it's%20not%20here;touch%20" + r.root + "/done;'")
	})
	d.fails("no-repository")
	if _, err := os.Stat(filepath.Join(r.root, "done")); err == nil {
		t.Error("a path was run as a command")
	}
	with(func(*gitsource.Change) {})
	if out := d.sync(); out.Code != "" || d.version() != 1 {
		t.Fatalf("%+v", out)
	}
	was := s.hostKey
	s.newHostKey(t, s.authorized(t))
	r.write("web/compose.yml", composeOf("web:2"))
	r.commit("Two")
	d.fails("host-key", was, s.hostKey, "told it nothing")
	if d.version() != 1 {
		t.Error("a version came of a server with another key")
	}
	with(func(*gitsource.Change) {})
	if d.sync(); d.version() != 2 {
		t.Errorf("version %d with the new key", d.version())
	}
}

// Repositories that are too large, or never end, cost a bounded amount of bytes and time.
func TestLargeAndHangingRepositories(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	d.stop()
	d.limits = gitsource.Limits{Bytes: 2 << 20, Time: 2 * time.Second}
	d.start()
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	noise := make([]byte, 3<<20)
	_, _ = rand.Read(noise)
	r.write("images/large.bin", string(noise))
	r.commit("Large")
	d.put(s.source(r))
	d.fails("too-large", "2 MiB")
	packs := s.packs()
	if d.fails("too-large"); s.packs() != packs {
		t.Error("it was fetched again")
	}
	// Little that unpacks to much.
	r.write("images/large.bin", strings.Repeat("\x00", 30<<20))
	r.commit("Bomb")
	d.fails("too-large", "2 MiB")
	// A server that gives single files: what else is in the repository does not matter.
	r.git("--git-dir="+r.bare, "config", "uploadpack.allowFilter", "true")
	r.git("--git-dir="+r.bare, "config", "uploadpack.allowAnySHA1InWant", "true")
	c := s.source(r)
	d.put(c)
	if out := d.sync(); out.Code != "" || d.version() != 1 || d.content("compose.yml") != composeOf("web:1") {
		t.Fatalf("%+v", out)
	}
	hang := make(chan struct{})
	defer close(hang)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("001e# service=git-upload-pack\n0000"))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-hang:
		case <-req.Context().Done():
		}
	}))
	defer slow.Close()
	c.Source.URL, c.Source.SignIn = slow.URL+"/x.git", gitsource.SignInNone
	d.put(c)
	d.fails("timeout", "hangs")
}

// What a server says is hostile: nothing of it ends the hub.
func TestServersThatLie(t *testing.T) {
	d := newDesk(t)
	advert := func(s string) []byte {
		return []byte("001e# service=git-upload-pack\n0000" + s)
	}
	for name, answer := range map[string][]byte{
		"nothing":        nil,
		"not git":        []byte("<html>"),
		"no such length": advert("zzzz"),
		"half a line":    advert("00ff1234"),
		"an error":       advert("001dERR the cellar is flooded"),
		"another hash":   advert("0072" + strings.Repeat("a", 64) + " HEAD\x00object-format=sha256 agent=x" + strings.Repeat("y", 13) + "\n0000"),
		"controls":       advert("0012ERR \x1b[31m\x07red"),
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
				_, _ = w.Write(answer)
			}))
			defer s.Close()
			d.put(gitsource.Change{Source: gitsource.Source{URL: s.URL + "/x.git", SignIn: gitsource.SignInNone}})
			out := d.sync()
			if out.Code != "server" && out.Code != "no-repository" || strings.ContainsAny(out.Text, "\x1b\x07\n") {
				t.Errorf("%s: %q", out.Code, out.Text)
			}
		})
	}
}

// The hub does not connect to its own machine, whatever name is used for it.
func TestLocalAddressesAreRefused(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	d.stop()
	d.local = false
	d.start()
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]", "0.0.0.0", "[::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]"} {
		c := s.source(r)
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL, "https://"))
		c.Source.URL = "https://" + host + ":" + port + "/plant/stacks.git"
		d.put(c)
		d.fails("local-address", "--git-allow-local")
	}
	key, _ := sshKey(t, "")
	d.put(gitsource.Change{Source: gitsource.Source{URL: "git@127.0.0.1:x.git", SignIn: gitsource.SignInKey}, Key: &key})
	d.fails("local-address")
	if s.packs() != 0 {
		t.Error("it was asked")
	}
}

func TestSourcesThatAreRefused(t *testing.T) {
	d := newDesk(t)
	key, _ := sshKey(t, "x")
	for name, c := range map[string]gitsource.Change{
		"password in it":    {Source: gitsource.Source{URL: "https://anna:" + token1 + "@example.com/x"}},
		"user in it":        {Source: gitsource.Source{URL: "https://anna@example.com/x"}},
		"query":             {Source: gitsource.Source{URL: "https://example.com/x?token=" + token1}},
		"file":              {Source: gitsource.Source{URL: "file:///etc"}},
		"folder":            {Source: gitsource.Source{URL: "/etc"}},
		"ext":               {Source: gitsource.Source{URL: "ext::sh -c id"}},
		"option":            {Source: gitsource.Source{URL: "--upload-pack=id"}},
		"nothing":           {},
		"path up":           {Source: gitsource.Source{URL: "https://example.com/x", Path: "../x"}},
		"path within":       {Source: gitsource.Source{URL: "https://example.com/x", Path: "a/../../x"}},
		"ref":               {Source: gitsource.Source{URL: "https://example.com/x", Ref: "a b"}},
		"too often":         {Source: gitsource.Source{URL: "https://example.com/x", Interval: 59}},
		"no password":       {Source: gitsource.Source{URL: "https://example.com/x", SignIn: gitsource.SignInPassword}},
		"key over HTTPS":    {Source: gitsource.Source{URL: "https://example.com/x", SignIn: gitsource.SignInKey}, Key: &key},
		"password over SSH": {Source: gitsource.Source{URL: "git@example.com:x", SignIn: gitsource.SignInPassword}, Password: ptr(token1)},
		"locked key":        {Source: gitsource.Source{URL: "git@example.com:x", SignIn: gitsource.SignInKey}, Key: &key},
		"wrong passphrase":  {Source: gitsource.Source{URL: "git@example.com:x", SignIn: gitsource.SignInKey}, Key: &key, Passphrase: token1},
		"no key":            {Source: gitsource.Source{URL: "git@example.com:x", SignIn: gitsource.SignInKey}, Key: ptr(token1)},
		"no authority":      {Source: gitsource.Source{URL: "https://example.com/x", CA: "x"}},
		"no host key":       {Source: gitsource.Source{URL: "git@example.com:x", SignIn: gitsource.SignInKey, HostKeys: []string{"SHA256:x"}}, Key: &key, Passphrase: "x"},
		"open webhook":      {Source: gitsource.Source{URL: "https://example.com/x"}, Webhook: true},
		"short secret":      {Source: gitsource.Source{URL: "https://example.com/x"}, Webhook: true, HookSecret: ptr("short")},
		"bad variable":      {Source: gitsource.Source{URL: "https://example.com/x"}, Env: &map[string]string{"A B": token1}},
	} {
		c.Source.Stack = "web"
		if c.Source.SignIn == "" {
			c.Source.SignIn = gitsource.SignInNone
		}
		_, err := d.Put(c)
		if !errors.Is(err, gitsource.ErrInvalid) || strings.Contains(err.Error(), token1) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(d.List()) != 0 {
		t.Error("one was kept")
	}
	// A secret that is kept is for the server that it was given for.
	c := gitsource.Change{Source: gitsource.Source{URL: "https://git.invalid/x", SignIn: gitsource.SignInPassword}, Password: ptr(token1)}
	d.put(c)
	c.Password, c.Source.Stack, c.Source.URL = nil, "web", "https://evil.invalid/x"
	if _, err := d.Put(c); !errors.Is(err, gitsource.ErrInvalid) {
		t.Errorf("a kept token went to another server: %v", err)
	}
	c.Source.URL = "http://git.invalid/x"
	if _, err := d.Put(c); !errors.Is(err, gitsource.ErrInvalid) {
		t.Errorf("a kept token went over http: %v", err)
	}
}

// A webhook makes the hub look when its sender knows the secret, in either of the two ways, and at nothing else.
func TestWebhooks(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	c := s.source(r)
	c.Webhook, c.HookSecret = true, ptr(hookSecret)
	at := gitsource.HookPath + d.put(c).Hook
	d.until("the first look ended", func() bool { s, _ := d.Get("web"); return s.Progress.Version == 1 && !s.Looking })
	sign := func(secret, body string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	send := func(method, at, body string, headers ...string) int {
		req := httptest.NewRequest(method, at, bytes.NewReader([]byte(body)))
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		rec := httptest.NewRecorder()
		d.ServeHTTP(rec, req)
		d.silent(rec.Body.String())
		return rec.Code
	}
	const body = `{"ref":"refs/heads/main"}`
	for name, x := range map[string]struct {
		want    int
		method  string
		at      string
		headers []string
	}{
		"another method":    {404, http.MethodGet, at, []string{"X-Gitlab-Token", hookSecret}},
		"another address":   {404, http.MethodPost, at + "x", []string{"X-Gitlab-Token", hookSecret}},
		"no address":        {404, http.MethodPost, gitsource.HookPath, []string{"X-Gitlab-Token", hookSecret}},
		"no signature":      {401, http.MethodPost, at, nil},
		"wrong token":       {401, http.MethodPost, at, []string{"X-Gitlab-Token", hookSecret + "x"}},
		"wrong signature":   {401, http.MethodPost, at, []string{"X-Hub-Signature-256", sign("another", body)}},
		"of another body":   {401, http.MethodPost, at, []string{"X-Hub-Signature-256", sign(hookSecret, "{}")}},
		"half a signature":  {401, http.MethodPost, at, []string{"X-Hub-Signature-256", sign(hookSecret, body)[:40]}},
		"older signature":   {401, http.MethodPost, at, []string{"X-Hub-Signature", sign(hookSecret, body)}},
		"bad one with good": {401, http.MethodPost, at, []string{"X-Hub-Signature-256", "sha256=00", "X-Gitlab-Token", hookSecret}},
	} {
		if got := send(x.method, x.at, body, x.headers...); got != x.want {
			t.Errorf("%s: %d, want %d", name, got, x.want)
		}
	}
	if s, _ := d.Get("web"); !s.Next.IsZero() || s.Looking {
		t.Error("a stranger made the hub look")
	}
	if got := send(http.MethodPost, at, body, "X-Hub-Signature-256", sign(hookSecret, body)); got != http.StatusAccepted {
		t.Errorf("signed as GitHub does: %d", got)
	}
	if s, _ := d.Get("web"); s.Next.IsZero() && !s.Looking {
		t.Error("no look is due")
	}
	if got := send(http.MethodPost, at, body, "X-Gitlab-Token", hookSecret); got != http.StatusAccepted {
		t.Errorf("as GitLab does: %d", got)
	}
	limited := false
	for range 20 {
		limited = limited || send(http.MethodPost, at, body) == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("it may be asked without end")
	}
	c.Webhook = false
	d.put(c)
	if got := send(http.MethodPost, at, body, "X-Gitlab-Token", hookSecret); got != http.StatusNotFound {
		t.Errorf("after it was turned off: %d", got)
	}
}

// Looks come by themselves where an interval is set, after a restart too.
func TestPollingGoesOnAfterARestart(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("Good")
	c := s.source(r)
	c.Source.Interval = 60
	d.put(c)
	d.until("the first version", func() bool { return d.version() == 1 })
	d.until("a look is planned", func() bool { s, _ := d.Get("web"); return !s.Looking && !s.Next.IsZero() })
	s1, _ := d.Get("web")
	if wait := time.Until(s1.Next); wait < 50*time.Second || wait > 67*time.Second {
		t.Errorf("the next look in %s", wait)
	}
	d.restart()
	if s, _ := d.Get("web"); s.Next.IsZero() || time.Until(s.Next) > 31*time.Second {
		t.Errorf("after a restart the next look is at %v", s.Next)
	}
}
