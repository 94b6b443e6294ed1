package deviceca_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/deviceca"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/internal/certtest"
)

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// connect does a handshake as a device does, and tells both sides' errors.
func connect(t *testing.T, server *tls.Config, certs ...tls.Certificate) (state tls.ConnectionState, hub, device error) {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer a.Close()
		s := tls.Server(a, server)
		if hub = s.Handshake(); hub == nil {
			state = s.ConnectionState()
			_, _ = s.Write([]byte("x"))
		}
	}()
	c := tls.Client(b, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, Certificates: certs})
	_, device = c.Read(make([]byte, 1)) // a refusal comes after the handshake
	_ = b.Close()
	<-done
	return state, hub, device
}

func TestDevicesNeedACertificateOfTheAuthority(t *testing.T) {
	dir := t.TempDir()
	caFile, crlFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "crl.pem")
	root, stranger := certtest.New(t, "plant"), certtest.New(t, "plant")
	between := root.Below("line 7")
	write(t, caFile, root.PEM)
	write(t, crlFile, root.Revoke())
	changed := 0
	a, err := deviceca.Open(deviceca.Config{CAFile: caFile, CRLFile: crlFile, Changed: func() { changed++ }})
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	server := id.MQTTTLSConfig(identity.Extras{Agents: a.Agents})
	good, second := root.Client("pump 7"), root.Client("pump 8")
	ended := root.Client("pump 9", func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().Add(-time.Minute)
	})
	for name, c := range map[string]struct {
		certs []tls.Certificate
		alert string // "": let in
	}{
		"of the authority":            {[]tls.Certificate{good.TLS(t)}, ""},
		"of one below it":             {[]tls.Certificate{between.Client("pump 10").TLS(t)}, ""},
		"none":                        {nil, "certificate required"},
		"of another of the same name": {[]tls.Certificate{stranger.Client("pump 7").TLS(t)}, "unknown certificate authority"},
		"for servers":                 {[]tls.Certificate{root.Server([]string{"pump 7"}).TLS(t)}, "certificate"},
		"ended":                       {[]tls.Certificate{ended.TLS(t)}, "expired certificate"},
	} {
		_, hub, device := connect(t, server, c.certs...)
		if c.alert == "" {
			if hub != nil || device != nil {
				t.Errorf("%s: %v, %v", name, hub, device)
			}
			continue
		}
		if hub == nil || !a.Refusal(hub) || device == nil || !strings.Contains(device.Error(), c.alert) {
			t.Errorf("%s: the hub says %v, the device is told %v, want %q", name, hub, device, c.alert)
		}
	}

	before, _, _ := connect(t, server, good.TLS(t))
	if err := a.Check(&before); err != nil {
		t.Fatal(err)
	}
	write(t, crlFile, root.Revoke(good.Leaf))
	if err := a.Reload(); err != nil || changed != 2 {
		t.Fatalf("%v, told %d times", err, changed)
	}
	if err := a.Check(&before); !errors.Is(err, deviceca.ErrRefused) || !strings.Contains(err.Error(), "was revoked") {
		t.Errorf("a connection that is open, after its certificate was revoked: %v", err)
	}
	if _, hub, _ := connect(t, server, good.TLS(t)); !a.Refusal(hub) {
		t.Errorf("a revoked one: %v", hub)
	}
	if _, hub, device := connect(t, server, second.TLS(t)); hub != nil || device != nil {
		t.Errorf("another of the same authority: %v, %v", hub, device)
	}
	write(t, crlFile, stranger.Revoke())
	if err := a.Reload(); err == nil || !strings.Contains(err.Error(), "--device-ca") {
		t.Errorf("a list that somebody else signed: %v", err)
	}
	if err := a.Check(&before); err == nil {
		t.Error("with a list that cannot be used, what was revoked is good again")
	}
}

func TestFilesThatCannotBeUsedAreNamed(t *testing.T) {
	dir := t.TempDir()
	ca, junk := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "junk")
	write(t, ca, certtest.New(t, "plant").PEM)
	write(t, junk, []byte("junk"))
	for _, c := range []deviceca.Config{{CAFile: filepath.Join(dir, "no")}, {CAFile: junk}, {CAFile: ca, CRLFile: junk}, {CAFile: ca, CRLFile: filepath.Join(dir, "no")}} {
		if _, err := deviceca.Open(c); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
