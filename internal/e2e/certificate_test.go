package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/farshore/farshore/internal/certtest"
)

// shown does a handshake as a browser does, and returns the certificate that the hub shows.
func (h *hub) shown() (*x509.Certificate, error) {
	c, err := tls.Dial("tcp", address(h.port), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // it is looked at here
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

func (h *hub) mustShow(want certtest.Pair) {
	h.t.Helper()
	until(h.t, "browsers get the certificate", func() error {
		got, err := h.shown()
		if err == nil && !got.Equal(want.Leaf) {
			err = fmt.Errorf("they get number %v of %v, want number %v", got.SerialNumber, got.Subject, want.Leaf.SerialNumber)
		}
		return err
	})
}

func writePair(t *testing.T, p certtest.Pair, cert, key string) {
	t.Helper()
	write(t, cert, string(p.Chain))
	write(t, key, string(p.Key))
}

// TestCertificateOfOnesOwn: an uploaded certificate is what people see from the next connection on; agents do not
// notice, whoever made the change goes on, and others are told what to do.
func TestCertificateOfOnesOwn(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", nil)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	h.connected(device, "mqtt")
	other := []string{"FARSHORE_CONFIG=" + filepath.Join(h.dir, "other", "config")}
	signIn := func(args ...string) result {
		return runCLI(t, other, append([]string{"login", h.url(), "--username", "admin", "--password-file", h.passwordFile()}, args...)...)
	}
	if r := signIn("--fingerprint", h.fingerprint); r.code != exitOK {
		t.Fatal(r)
	}

	root := certtest.New(t, "root")
	own := root.Server([]string{"127.0.0.1"})
	cert, key, ca := filepath.Join(h.dir, "own.pem"), filepath.Join(h.dir, "own.key"), filepath.Join(h.dir, "root.pem")
	writePair(t, own, cert, key)
	write(t, ca, string(root.PEM))
	strange := filepath.Join(h.dir, "strange.key")
	write(t, strange, string(root.Server([]string{"127.0.0.1"}).Key))
	if r := h.try("certificate", "set", "--cert", cert, "--key", strange); r.code == exitOK {
		t.Error("a certificate was taken with the key of another")
	} else {
		says(t, r.err, "key", "127.0.0.1")
	}

	first, began := h.fingerprint, a.log.mark()
	printed := h.cli("certificate", "set", "--cert", cert, "--key", key)
	h.mustShow(own)
	says(t, h.cli("certificate", "show"), "set by an administrator", "127.0.0.1") // it trusts what it changed itself
	fingerprint := strings.Fields(printed[strings.Index(printed, "SHA256:"):])[0]
	r := runCLI(t, other, "devices", "ls")
	if r.code == exitOK {
		t.Error("a CLI that trusts the former certificate took the new one without a word")
	}
	says(t, r.err, fingerprint, h.fingerprint, "sign in again")
	if r := signIn("--ca-file", ca); r.code != exitOK {
		t.Errorf("by the authority: %v", r)
	}
	if r := signIn("--fingerprint", fingerprint); r.code != exitOK {
		t.Errorf("by the new fingerprint: %v", r)
	}

	secret := bytes.TrimSpace(own.Key[bytes.IndexByte(own.Key, '\n'):])[:60]
	for _, name := range []string{"farshore.db", "audit.db"} {
		if text, err := os.ReadFile(filepath.Join(h.data, name)); err == nil && bytes.Contains(text, secret) {
			t.Errorf("%s has the certificate's key in clear", name)
		}
	}
	if text := printed + h.cli("certificate", "show", "-o", "json") + h.cli("audit", "ls", "-o", "json") + h.log.text(); strings.Contains(text, string(secret)) || strings.Contains(text, "PRIVATE KEY") {
		t.Error("the key is in an answer, the audit trail or the log")
	}

	h.cli("certificate", "remove", "--yes")
	says(t, h.cli("certificate", "show"), "made by the hub itself", first)
	h.cli("certificate", "set", "--cert", cert, "--key", key)
	h.heard(device)
	if said := a.log.since(began); strings.Contains(said, "WARN") || strings.Contains(said, "out of reach") {
		t.Errorf("the agent was disturbed:\n%s", said)
	}

	h.stop()
	h.start()
	h.mustShow(own)
	h.heard(device)
}

// TestCertificateOfFiles: a program renews the files, and the hub shows the new certificate without a restart.
func TestCertificateOfFiles(t *testing.T) {
	t.Parallel()
	root := certtest.New(t, "root")
	dir := workDir(t)
	cert, key, ca := filepath.Join(dir, "own.pem"), filepath.Join(dir, "own.key"), filepath.Join(dir, "root.pem")
	first, second := root.Server([]string{"127.0.0.1"}), root.Server([]string{"127.0.0.1"})
	writePair(t, first, cert, key)
	write(t, ca, string(root.PEM))
	h := newHub(t, hubConfig{args: []string{"--tls-cert", cert, "--tls-key", key}})
	h.mustShow(first)
	r := runCLI(t, h.configEnv(), "login", h.url(), "--username", "admin", "--password-file", h.passwordFile(), "--ca-file", ca)
	if r.code != exitOK {
		t.Fatal(r)
	}
	a := newAgent(t, "https", nil)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	h.connected(device, "https")

	if r := h.try("certificate", "set", "--cert", cert, "--key", key); r.code == exitOK {
		t.Error("an upload was taken although files are in use")
	} else {
		says(t, r.err, cert, "--tls-cert")
	}

	writePair(t, second, cert, key)
	h.signal(syscall.SIGHUP)
	h.mustShow(second)
	says(t, h.cli("certificate", "show"), "files of the hub's machine")

	write(t, key, "nothing\n")
	h.signal(syscall.SIGHUP)
	until(t, "the hub says that the files cannot be used", func() error {
		if out := h.cli("certificate", "show"); !strings.Contains(out, key) {
			return fmt.Errorf("it shows\n%s", out)
		}
		return nil
	})
	h.mustShow(second)
	h.heard(device)
}
