package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
)

func open(t *testing.T, dir string) *Identity {
	t.Helper()
	id, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// handshake returns what a client sees that offers the given protocols.
func handshake(t *testing.T, server *tls.Config, client *tls.Config) tls.ConnectionState {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	done := make(chan error, 1)
	srv := tls.Server(a, server)
	go func() { done <- srv.HandshakeContext(context.Background()) }()
	client.InsecureSkipVerify = true // the test looks at the certificate itself
	c := tls.Client(b, client)
	if err := c.HandshakeContext(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState()
}

func TestAHubKeyThatOthersCanReadIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	for _, mode := range []os.FileMode{0o644, 0o640} { // as a backup may be put back
		if err := os.Chmod(filepath.Join(dir, HubKeyFile), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestIdentityStaysTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	a, b := open(t, dir), open(t, dir)
	if !a.Public().Equal(b.Public()) {
		t.Error("the hub key changed with a restart: every device would be locked out")
	}
	if a.Fingerprint() != b.Fingerprint() || !strings.HasPrefix(a.Fingerprint(), "SHA256:") || len(a.Fingerprint()) != 7+43 {
		t.Errorf("fingerprint %q, then %q", a.Fingerprint(), b.Fingerprint())
	}
	for _, f := range []string{HubKeyFile, WebKeyFile} {
		st, err := os.Stat(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", f, st.Mode().Perm())
		}
	}
}

func TestPublicPortTellsAgentsFromBrowsers(t *testing.T) {
	id := open(t, t.TempDir())

	agent := handshake(t, id.TLSConfig(Extras{}), &tls.Config{NextProtos: []string{protocol.ALPN}})
	if len(agent.PeerCertificates) != 1 {
		t.Fatalf("an agent was sent %d certificates, want the leaf alone", len(agent.PeerCertificates))
	}
	leaf := agent.PeerCertificates[0]
	if !ed25519.Verify(id.Public(), leaf.RawTBSCertificate, leaf.Signature) {
		t.Error("the edge certificate is not signed by the hub key")
	}
	if len(leaf.Raw) > 240 {
		t.Errorf("the edge certificate has %d bytes; it travels in every handshake and shall stay below 240", len(leaf.Raw))
	}
	if agent.NegotiatedProtocol != protocol.ALPN || agent.Version != tls.VersionTLS13 {
		t.Errorf("agent got %q, TLS %x", agent.NegotiatedProtocol, agent.Version)
	}

	browser := handshake(t, id.TLSConfig(Extras{}), &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
	if browser.NegotiatedProtocol != "h2" {
		t.Errorf("a browser got %q, want h2", browser.NegotiatedProtocol)
	}
	if got := FingerprintOf(browser.PeerCertificates[0].Raw); got != id.Fingerprint() {
		t.Errorf("a browser sees %s, the hub prints %s", got, id.Fingerprint())
	}
	pool := x509.NewCertPool()
	pool.AddCert(browser.PeerCertificates[0])
	if _, err := browser.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, DNSName: "localhost"}); err != nil {
		t.Errorf("the web certificate cannot be trusted as a CA file for localhost: %v", err)
	}
}

func TestMQTTPortIsTLS13WithTheEdgeCertificate(t *testing.T) {
	id := open(t, t.TempDir())
	st := handshake(t, id.MQTTTLSConfig(Extras{}), &tls.Config{})
	if !ed25519.Verify(id.Public(), st.PeerCertificates[0].RawTBSCertificate, st.PeerCertificates[0].Signature) {
		t.Error("the certificate on the MQTT port is not signed by the hub key")
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() { _ = tls.Server(a, id.MQTTTLSConfig(Extras{})).Handshake() }()
	if err := tls.Client(b, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake(); err == nil {
		t.Error("TLS 1.2 was accepted; its exporter does not bind to the connection")
	}
}

func TestDamageIsNamedAndNothingIsReplaced(t *testing.T) {
	cases := map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"hub key damaged": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, HubKeyFile), "junk") }, "restore it from a backup"},
		"hub key of another kind": {func(t *testing.T, dir string) {
			raw, _ := os.ReadFile(filepath.Join(dir, WebKeyFile))
			write(t, filepath.Join(dir, HubKeyFile), string(raw))
		}, "want an Ed25519 key"},
		"web key lost": {func(t *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, WebKeyFile)) }, "is missing while its certificate"},
		"web pair does not match": {func(t *testing.T, dir string) {
			other := t.TempDir()
			open(t, other)
			raw, _ := os.ReadFile(filepath.Join(other, WebKeyFile))
			write(t, filepath.Join(dir, WebKeyFile), string(raw))
		}, "put a matching PEM pair there"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir)
			c.spoil(t, dir)
			before, _ := os.ReadFile(filepath.Join(dir, HubKeyFile))
			_, err := Open(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("got %v, want a sentence with %q and the path", err, c.want)
			}
			if after, _ := os.ReadFile(filepath.Join(dir, HubKeyFile)); string(after) != string(before) {
				t.Error("the hub key file was changed")
			}
		})
	}
}

func TestStopBetweenKeyAndCertificateHeals(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	key, _ := os.ReadFile(filepath.Join(dir, WebKeyFile))
	if err := os.Remove(filepath.Join(dir, WebCertFile)); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if after, _ := os.ReadFile(filepath.Join(dir, WebKeyFile)); string(after) != string(key) {
		t.Error("the web key was replaced")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
