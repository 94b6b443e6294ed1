package testengine

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// RegistryServer is a registry on loopback with storage of its own, run by Debian's docker-registry. To addresses in
// 127.0.0.0/8 engines speak plain HTTP, or TLS without asking whose the certificate is.
type RegistryServer struct {
	// Addr is "127.0.0.1:port"; an image in the registry is called Addr + "/name:tag".
	Addr string

	spec    RegistrySpec
	dir     string
	process *exec.Cmd
	output  *bytes.Buffer // read only after the process has ended
	ended   chan struct{}
}

// RegistrySpec says what a registry asks of its callers. The zero value: nothing, and it speaks plain HTTP.
type RegistrySpec struct {
	// Chain and Key are the certificate with which it speaks TLS, in PEM.
	Chain, Key []byte
	// User and Password let somebody in, and nobody else.
	User, Password string
	// TokensFrom is an address to which it sends callers for a token instead.
	TokensFrom string
	// Addr is where it listens; empty: a free port of 127.0.0.1.
	Addr string
	// Holding is a registry that has stopped, in whose place this one serves what it was given; nil: it begins empty.
	Holding *RegistryServer
	// In calls its argument where the registry's network shall be; nil means the machine's.
	In func(func() error) error
}

// Registry runs a registry for this test and returns it when it answers; it ends with the test. Where docker-registry
// is not installed it skips the test, or fails it where an engine is required.
func Registry(t testing.TB) *RegistryServer {
	t.Helper()
	return RegistryWith(t, RegistrySpec{})
}

// RegistryWith is Registry for one that asks for something.
func RegistryWith(t testing.TB, spec RegistrySpec) *RegistryServer {
	t.Helper()
	honourSkip(t)
	if _, err := exec.LookPath("docker-registry"); err != nil {
		missing(t, "docker-registry is not installed (Debian: apt-get install docker-registry)")
	}
	if spec.In == nil {
		spec.In = func(fn func() error) error { return fn() }
	}
	registry := &RegistryServer{spec: spec, dir: t.TempDir(), Addr: spec.Addr}
	if spec.Holding != nil {
		registry.dir = spec.Holding.dir
	}
	t.Cleanup(registry.Stop)
	if spec.Addr != "" {
		if _, err := registry.start(); err != nil {
			t.Fatal(err)
		}
		return registry
	}
	// A free port is only known free until someone else takes it, so losing it in between is met with another one.
	for range 5 {
		registry.Addr = freeAddr(t)
		lost, err := registry.start()
		if err == nil {
			return registry
		}
		if !lost {
			t.Fatal(err)
		}
	}
	t.Fatal("docker-registry: five free ports in a row were taken by others")
	return nil
}

// Push copies an image of the engine at host (empty means the shared one) into the registry as name ("app:1"), and
// returns how that is called there. The engine keeps no second name for it, so a pull is a real one only where the
// image itself is removed first or on another engine.
func (r *RegistryServer) Push(t testing.TB, image, name string) string {
	t.Helper()
	return r.PushFrom(t, Host(t), image, name)
}

// PushFrom is Push from the engine at host.
func (r *RegistryServer) PushFrom(t testing.TB, host, image, name string) string {
	t.Helper()
	engine := newAPI(host)
	defer engine.close()
	if r.spec.User != "" {
		engine.as(r.spec.User, r.spec.Password)
	}
	ctx := context.Background()
	remote := r.Addr + "/" + name
	for _, step := range []func() error{
		func() error { return engine.tagImage(ctx, image, remote) },
		func() error { return engine.pushImage(ctx, remote) },
		func() error { return engine.untagImage(ctx, remote) },
	} {
		if err := step(); err != nil {
			t.Fatalf("push %s to %s: %v", image, remote, err)
		}
	}
	return remote
}

// Stop ends the registry and waits for that; its address answers no more. A second call does nothing.
func (r *RegistryServer) Stop() {
	if r.process == nil {
		return
	}
	// An error means that it has ended already.
	_ = r.process.Process.Signal(syscall.SIGKILL)
	<-r.ended
	r.process = nil
}

// Restart starts a stopped registry at the same address with what it held.
func (r *RegistryServer) Restart(t testing.TB) {
	t.Helper()
	r.Stop()
	if _, err := r.start(); err != nil {
		t.Fatal(err)
	}
}

// start reports in lost that the port was taken by another process.
func (r *RegistryServer) start() (lost bool, err error) {
	config, err := r.configure()
	if err != nil {
		return false, err
	}
	r.output, r.ended = &bytes.Buffer{}, make(chan struct{})
	r.process = exec.Command("docker-registry", "serve", config)
	r.process.Stdout, r.process.Stderr = r.output, r.output
	if err := r.spec.In(r.process.Start); err != nil {
		r.process = nil
		return false, err
	}
	go func(process *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = process.Wait() // how it ended is read from its output
	}(r.process, r.ended)
	return r.waitReady()
}

// configure writes what docker-registry reads, and gives its path.
func (r *RegistryServer) configure() (string, error) {
	at := func(name string) string { return filepath.Join(r.dir, name) }
	text := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\n", at("data"))
	files := map[string][]byte{}
	if r.spec.Chain == nil {
		text += fmt.Sprintf("http: {addr: %q}\n", r.Addr)
	} else {
		text += fmt.Sprintf("http: {addr: %q, tls: {certificate: %q, key: %q}}\n", r.Addr, at("chain.pem"), at("key.pem"))
		files["chain.pem"], files["key.pem"] = r.spec.Chain, r.spec.Key
	}
	switch {
	case r.spec.TokensFrom != "":
		text += fmt.Sprintf("auth: {token: {realm: %q, service: test, issuer: test, rootcertbundle: %q}}\n", r.spec.TokensFrom, at("chain.pem"))
	case r.spec.User != "":
		hash, err := bcrypt.GenerateFromPassword([]byte(r.spec.Password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		files["htpasswd"] = fmt.Appendf(nil, "%s:%s\n", r.spec.User, hash)
		text += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", at("htpasswd"))
	}
	files["config.yml"] = []byte(text)
	for name, content := range files {
		if err := os.WriteFile(at(name), content, 0o600); err != nil {
			return "", err
		}
	}
	return at("config.yml"), nil
}

func (r *RegistryServer) waitReady() (lost bool, err error) {
	scheme := "http"
	if r.spec.Chain != nil {
		scheme = "https"
	}
	// Whether it answers is all that is asked here.
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
			err = r.spec.In(func() error {
				c, err = new(net.Dialer).DialContext(ctx, network, address)
				return err
			})
			return c, err
		},
	}}
	defer client.CloseIdleConnections()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case <-r.ended:
			output := r.output.String()
			return strings.Contains(output, "address already in use"), fmt.Errorf("docker-registry ended: %s", output)
		case <-deadline:
			return false, fmt.Errorf("docker-registry at %s does not answer", r.Addr)
		case <-poll.C:
		}
		resp, err := client.Get(scheme + "://" + r.Addr + "/v2/")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusUnauthorized {
			return false, nil
		}
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
