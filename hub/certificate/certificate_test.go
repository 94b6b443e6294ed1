package certificate_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/internal/certtest"
)

// hub is a data folder with what a Keeper needs of it, on the real store.
type hub struct {
	t      *testing.T
	data   string
	store  *store.Store
	config certificate.Config
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{t: t, data: t.TempDir()}
	var err error
	if h.store, err = store.Open(h.data); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.store.Close() })
	v, err := vault.Open(h.data)
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.Open(h.data)
	if err != nil {
		t.Fatal(err)
	}
	h.config = certificate.Config{Store: h.store, Vault: v, Generated: id.Web()}
	return h
}

func (h *hub) open() *certificate.Keeper {
	h.t.Helper()
	k, err := certificate.New(h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

// seen is the subject that a browser sees.
func seen(t *testing.T, k *certificate.Keeper) string {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() { _ = tls.Server(a, &tls.Config{GetCertificate: k.Get}).Handshake() }()
	c := tls.Client(b, &tls.Config{InsecureSkipVerify: true}) // the test looks at it itself
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func anything(certificate.Status) error { return nil }

func TestAnUploadedCertificateIsUsedAtOnceAndKeptSealed(t *testing.T) {
	h := newHub(t)
	k := h.open()
	if got := seen(t, k); got != "Farshore hub" || k.Status().Own() {
		t.Fatalf("at first: %q, %+v", got, k.Status())
	}
	p := certtest.New(t, "root").Below("between").Server([]string{"hub.example", "192.0.2.7"})
	if err := k.Put(p.Chain, p.Key, anything); err != nil {
		t.Fatal(err)
	}
	s := k.Status()
	if seen(t, k) != "hub.example" || s.Source != certificate.SourceUpload || s.Chain != 2 || s.Issuer != "CN=between" ||
		strings.Join(s.Names, " ") != "hub.example 192.0.2.7" || !s.GoodFor("hub.example") || s.GoodFor("other.example") {
		t.Errorf("after the upload: %+v", s)
	}
	if got := seen(t, h.open()); got != "hub.example" {
		t.Errorf("after a restart: %q", got)
	}
	raw, err := os.ReadFile(filepath.Join(h.data, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(p.Key)
	if bytes.Contains(raw, p.Key) || bytes.Contains(raw, block.Bytes) {
		t.Error("the key can be read in the database")
	}
	if err := k.Remove(anything); err != nil || seen(t, k) != "Farshore hub" || seen(t, h.open()) != "Farshore hub" {
		t.Errorf("removed: %v, browsers see %q", err, seen(t, k))
	}
	stale := errors.New("changed meanwhile")
	if err := k.Put(p.Chain, p.Key, func(certificate.Status) error { return stale }); !errors.Is(err, stale) || k.Status().Own() {
		t.Errorf("who has seen something else: %v", err)
	}
}

func TestWhatIsWrongWithACertificateIsSaid(t *testing.T) {
	root := certtest.New(t, "root")
	between := root.Below("between")
	good, other := between.Server([]string{"hub.example"}), between.Server([]string{"other.example"})
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no weak keys")
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ended := root.Server([]string{"hub.example"}, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = c.NotBefore.AddDate(-1, 0, 0), time.Now().Add(-time.Hour)
	})
	early := root.Server([]string{"hub.example"}, func(c *x509.Certificate) { c.NotBefore = time.Now().AddDate(0, 0, 7) })
	nameless := root.Server([]string{"hub.example"}, func(c *x509.Certificate) { c.DNSNames = nil })
	client := root.Client("hub.example", func(c *x509.Certificate) { c.DNSNames = []string{"hub.example"} })
	blocks := bytes.SplitAfter(good.Chain, []byte("-----END CERTIFICATE-----\n"))
	turned := append(bytes.Clone(blocks[1]), blocks[0]...)
	lame := root.ServerFor("hub.example", weak)
	odd := root.ServerFor("hub.example", ed)

	for name, c := range map[string]struct {
		chain, key []byte
		want       string
	}{
		"nothing":                        {nil, nil, "BEGIN CERTIFICATE"},
		"junk":                           {[]byte("junk"), good.Key, "BEGIN CERTIFICATE"},
		"damaged":                        {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), good.Key, "certificate 1 of the chain is damaged"},
		"no key":                         {good.Chain, good.Chain[:10], "there is no key"},
		"another's key":                  {good.Chain, other.Key, "not that of the first certificate"},
		"encrypted key":                  {good.Chain, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), "decrypt it first"},
		"authority first":                {turned, good.Key, "the hub's own certificate first"},
		"chain of somebody else":         {append(bytes.Clone(blocks[0]), root.PEM...), good.Key, "is not signed by the next one"},
		"ended":                          {ended.Chain, ended.Key, "have it renewed"},
		"not yet":                        {early.Chain, early.Key, "only good from"},
		"for no name":                    {nameless.Chain, nameless.Key, "for no name"},
		"for clients":                    {client.Chain, client.Key, "not for servers"},
		"weak":                           {lame.Chain, lame.Key, "1024 bits"},
		"of a kind that browsers refuse": {odd.Chain, odd.Key, "want RSA or ECDSA"},
		"huge":                           {bytes.Repeat([]byte("x"), 100_000), good.Key, "64 kB"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newHub(t).open()
			err := k.Put(c.chain, c.key, anything)
			if !errors.Is(err, certificate.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want a sentence with %q", err, c.want)
			}
			if seen(t, k) != "Farshore hub" {
				t.Error("it is in use")
			}
		})
	}
}

func TestFilesWinAndAreReadAgain(t *testing.T) {
	h, root := newHub(t), certtest.New(t, "root")
	uploaded := root.Server([]string{"uploaded.example"})
	if err := h.open().Put(uploaded.Chain, uploaded.Key, anything); err != nil {
		t.Fatal(err)
	}
	h.config.CertFile, h.config.KeyFile = filepath.Join(h.data, "hub.pem"), filepath.Join(h.data, "hub-key.pem")
	put := func(chain, key []byte) {
		t.Helper()
		if err := errors.Join(os.WriteFile(h.config.CertFile, chain, 0o644), os.WriteFile(h.config.KeyFile, key, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	first, second := root.Server([]string{"first.example"}), root.Server([]string{"second.example"})
	if _, err := certificate.New(h.config); err == nil || !strings.Contains(err.Error(), "--tls-cert") {
		t.Errorf("files that are not there: %v", err)
	}
	put(first.Chain, first.Key)
	k := h.open()
	if seen(t, k) != "first.example" || k.Status().Source != certificate.SourceFiles {
		t.Fatalf("browsers see %q, %+v", seen(t, k), k.Status())
	}
	if err := k.Put(uploaded.Chain, uploaded.Key, anything); !errors.Is(err, certificate.ErrFiles) || !strings.Contains(err.Error(), h.config.CertFile) {
		t.Errorf("an upload while files are in use: %v", err)
	}
	put(second.Chain, first.Key) // half of a renewal
	if err := k.Reload(); !errors.Is(err, certificate.ErrInvalid) || seen(t, k) != "first.example" || k.Status().Problem == "" {
		t.Errorf("half of a renewal: %v, browsers see %q", err, seen(t, k))
	}
	put(second.Chain, second.Key)
	if err := k.Reload(); err != nil || seen(t, k) != "second.example" || k.Status().Problem != "" {
		t.Errorf("a renewal: %v, browsers see %q, problem %q", err, seen(t, k), k.Status().Problem)
	}
}

func TestItsEndIsToldInTime(t *testing.T) {
	h := newHub(t)
	now := time.Now()
	var told []time.Duration
	h.config.Now = func() time.Time { return now }
	h.config.Ending = func(s certificate.Status) { told = append(told, s.Until.Sub(now)) }
	p := certtest.New(t, "root").Server([]string{"hub.example"}, func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, 90) })
	h.config.CertFile, h.config.KeyFile = filepath.Join(h.data, "c"), filepath.Join(h.data, "k")
	if err := errors.Join(os.WriteFile(h.config.CertFile, p.Chain, 0o600), os.WriteFile(h.config.KeyFile, p.Key, 0o600)); err != nil {
		t.Fatal(err)
	}
	k := h.open()
	for range 100 * 4 {
		k.Look()
		now = now.Add(6 * time.Hour)
	}
	const day = 24 * time.Hour
	if len(told) != 3 || told[0] <= 29*day || told[0] >= 30*day || told[1] <= 6*day || told[1] >= 7*day || told[2] > 0 {
		t.Errorf("it was told %v before the end, want just below 30 days, just below 7, and when it has ended", told)
	}
}

func TestHTTPSAloneIsPromisedOnlyWithAnOwnCertificate(t *testing.T) {
	k := newHub(t).open()
	ask := func() string {
		rec := httptest.NewRecorder()
		k.Strict(http.NotFoundHandler()).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		return rec.Header().Get("Strict-Transport-Security")
	}
	if got := ask(); got != "" {
		t.Errorf("with the generated certificate: %q, after which browsers let nobody past their warning", got)
	}
	p := certtest.New(t, "root").Server([]string{"hub.example"})
	if err := k.Put(p.Chain, p.Key, anything); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != "max-age=31536000" {
		t.Errorf("with an own certificate: %q", got)
	}
}
