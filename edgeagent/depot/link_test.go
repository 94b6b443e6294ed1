package depot_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/farshore/farshore/internal/certtest"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

var errClosed = errors.New("outside of an opening")

// opening lets so many bytes through and then says that nothing may be spent now.
type opening struct {
	mu   sync.Mutex
	left int64
	more chan struct{}
}

func (o *opening) await(ctx context.Context, n uint64) error {
	for {
		o.mu.Lock()
		ok := o.left >= int64(n)
		more := o.more
		o.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (o *opening) open(n int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = n
	close(o.more)
	o.more = make(chan struct{})
}

// metered is a connection that ends with the opening.
type metered struct {
	net.Conn
	o *opening
}

func (m metered) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	if m.o.left -= int64(n); m.o.left <= 0 {
		_ = m.Conn.Close()
		return n, fmt.Errorf("read: %w", errClosed)
	}
	return n, err
}

// An image that is larger than an opening comes over several, without a byte twice.
func TestAnImageOverSeveralOpenings(t *testing.T) {
	r := newRig(t)
	l := newLayer(t, "x", 2<<20)
	put(t, r.registry.Addr, "app", "1", "", l)
	o := &opening{more: make(chan struct{})}
	r.cfg.Await, r.cfg.NotNow = o.await, errClosed
	r.cfg.Slice = func() int64 { return 64 << 10 }
	r.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return metered{conn, o}, err
	}
	r.restart()
	ref := r.ref("app:1")
	done := make(chan error, 1)
	go func() { _, err := r.try(1, ipc.PullMissing, ref); done <- err }()
	for opening := 1; opening*180<<10 < len(l.packed); opening++ {
		o.open(300 << 10)
		r.front.await(opening * 180 << 10)
	}
	o.open(1 << 20)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := r.front.of(l); got > len(l.packed)*102/100 {
		t.Errorf("a layer of %d bytes came with %d", len(l.packed), got)
	}
	r.image(ref)
}

// The port of the engine gives nothing to whoever does not know where to ask, and lets nobody write.
func TestTheCounterIsClosedToOthers(t *testing.T) {
	r := newRig(t)
	l := newLayer(t, "x", 50<<10)
	manifest := put(t, r.registry.Addr, "app", "1", "", l)
	tried := make(chan error, 1)
	r.cfg.Listen = func() (net.Listener, error) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			go func() { tried <- stranger(listener.Addr().String(), manifest, digestOf(l.packed)) }()
		}
		return listener, err
	}
	r.restart()
	r.bring(1, ipc.PullMissing, r.ref("app:1"))
	if err := <-tried; err != nil {
		t.Error(err)
	}
}

func stranger(addr, manifest, blob string) error {
	for _, ask := range []struct{ method, path string }{
		{"GET", "/v2/_catalog"},
		{"GET", "/v2/app/manifests/" + manifest},
		{"GET", "/v2/farshore-/blobs/" + blob},
		{"GET", "/v2/farshore-00000000000000000000000000000000/blobs/" + blob},
		{"GET", "/" + blob},
		{"POST", "/v2/app/blobs/uploads/"},
	} {
		req, err := http.NewRequest(ask.method, "http://"+addr+ask.path, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil // it was closed before
		}
		_ = resp.Body.Close()
		if resp.StatusCode < 400 {
			return fmt.Errorf("%s %s: %s", ask.method, ask.path, resp.Status)
		}
	}
	return nil
}

// A registry by HTTPS is believed by the authority that engines have for it, and by no other.
func TestRegistryByTLS(t *testing.T) {
	authority := certtest.New(t, "plant CA")
	pair := authority.Server([]string{"registry.test"})
	registry := testengine.RegistryWith(t, testengine.RegistrySpec{Chain: pair.Chain, Key: pair.Key})
	plain := newRig(t)
	l := newLayer(t, "x", 30<<10)
	put(t, plain.registry.Addr, "app", "1", "", l)
	r := *plain
	r.cfg.Authorities = []string{t.TempDir()}
	r.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "registry.test:443" {
			return nil, fmt.Errorf("dials %s", address)
		}
		return new(net.Dialer).DialContext(ctx, network, registry.Addr)
	}
	r.restart()
	ref := "registry.test/app:1"
	if f := r.fails(ref); !strings.Contains(f.Detail, "certificate") {
		t.Errorf("an authority that nobody knows: %+v", f)
	}
	dir := filepath.Join(r.cfg.Authorities[0], "registry.test")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "ca.crt"), authority.PEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	if f := r.fails(ref); !strings.Contains(f.Detail, "does not have") {
		t.Errorf("a registry that is believed, and has nothing: %+v", f)
	}
}
