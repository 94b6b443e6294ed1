package depot_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// layer is a packed layer, and the digest of what is in it.
type layer struct {
	packed []byte
	diff   string
}

// newLayer makes a layer of one file with so many random bytes, which nothing can pack.
func newLayer(t testing.TB, name string, size int) layer {
	t.Helper()
	content := make([]byte, size)
	var seed [32]byte
	copy(seed[:], fmt.Sprintf("%s %d", t.Name(), time.Now().UnixNano()))
	_, _ = rand.NewChaCha8(seed).Read(content)
	var plain, packed bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := errors.Join(
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(size)}), write(w, content), w.Close(),
	); err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(&packed)
	if err := errors.Join(write(z, plain.Bytes()), z.Close()); err != nil {
		t.Fatal(err)
	}
	return layer{packed.Bytes(), digestOf(plain.Bytes())}
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// put puts an image into a registry by its API, and returns its digest. arch "" is the machine's.
func put(t testing.TB, addr, repo, tag, arch string, layers ...layer) string {
	t.Helper()
	if arch == "" {
		arch = machine(t)
	}
	var diffs []string
	entries := []map[string]any{}
	for _, l := range layers {
		diffs = append(diffs, l.diff)
		putBlob(t, addr, repo, l.packed)
		entries = append(entries, map[string]any{
			"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digestOf(l.packed), "size": len(l.packed),
		})
	}
	config := marshal(t, map[string]any{
		"architecture": arch, "os": "linux", "config": map[string]any{"Cmd": []string{"/x"}}, "rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	putBlob(t, addr, repo, config)
	const kind = "application/vnd.docker.distribution.manifest.v2+json"
	return putManifest(t, addr, repo, tag, kind, marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": kind, "layers": entries,
		"config": map[string]any{"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digestOf(config), "size": len(config)},
	}))
}

func machine(t testing.TB) string {
	t.Helper()
	p, err := engine.New(engine.Config{Host: testengine.Host(t)}).Platform(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(p, "linux/")
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func putBlob(t testing.TB, addr, repo string, content []byte) {
	t.Helper()
	resp := send(t, http.MethodPost, "http://"+addr+"/v2/"+repo+"/blobs/uploads/", "", nil)
	at, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	q := at.Query()
	q.Set("digest", digestOf(content))
	at.RawQuery = q.Encode()
	send(t, http.MethodPut, at.String(), "application/octet-stream", content)
}

func putManifest(t testing.TB, addr, repo, tag, kind string, raw []byte) string {
	t.Helper()
	send(t, http.MethodPut, "http://"+addr+"/v2/"+repo+"/manifests/"+tag, kind, raw)
	return digestOf(raw)
}

func send(t testing.TB, method, address, kind string, body []byte) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s %s: %s %s", method, address, resp.Status, text)
	}
	return resp
}

var reBlob = regexp.MustCompile(`/blobs/(sha256:[0-9a-f]{64})$`)

// front stands before a registry, counts what passes and does as it is told.
type front struct {
	addr string

	mu       sync.Mutex
	moved    *sync.Cond     // on mu: blobs changed, or somebody came
	blobs    map[string]int // bytes of blobs that were sent
	sent     int            // their sum
	requests []string
	conns    map[net.Conn]bool
	guard    func(http.ResponseWriter, *http.Request) bool // reports whether it has answered
	at       int                                           // up to where of a blob was sent last
	paused   bool
	rate     int // bytes of blobs a second; 0: all that goes
}

func newFront(t testing.TB, registry string) *front {
	t.Helper()
	f := &front{blobs: map[string]int{}, conns: map[net.Conn]bool{}}
	f.moved = sync.NewCond(&f.mu)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: registry})
			p.Out.Host = p.In.Host
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r.Method+" "+r.URL.Path)
		guard := f.guard
		f.mu.Unlock()
		if guard != nil && guard(w, r) {
			return
		}
		if m := reBlob.FindStringSubmatch(r.URL.Path); m != nil && r.Method == http.MethodGet {
			c := &counted{ResponseWriter: w, front: f, digest: m[1]}
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &c.from) // without one from the start
			w = c
		}
		proxy.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch s {
		case http.StateNew:
			f.conns[c] = true
		case http.StateClosed, http.StateHijacked:
			delete(f.conns, c)
		}
	}
	server.Start()
	t.Cleanup(func() { f.cut(); server.Close() })
	f.addr = server.Listener.Addr().String()
	return f
}

// counted counts the bytes of a blob, and sends them no faster than the front is told.
type counted struct {
	http.ResponseWriter
	front  *front
	digest string
	from   int // what is sent next
}

func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counted) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		c.front.mu.Lock()
		for c.front.paused {
			c.front.moved.Wait()
		}
		rate := c.front.rate
		c.front.mu.Unlock()
		piece := b[n:]
		if rate > 0 && len(piece) > 4<<10 {
			piece = piece[:4<<10]
		}
		var m int
		m, err = c.ResponseWriter.Write(piece)
		n += m
		if rate > 0 {
			_ = http.NewResponseController(c.ResponseWriter).Flush()
			time.Sleep(time.Second * time.Duration(m) / time.Duration(rate)) // the link is slow
		}
		c.front.mu.Lock()
		c.front.blobs[c.digest] += m
		c.front.sent += m
		c.from += m
		c.front.at = c.from
		c.front.moved.Broadcast()
		c.front.mu.Unlock()
	}
	return n, err
}

// await waits until so many bytes of blobs were sent in all.
func (f *front) await(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.sent < n {
		f.moved.Wait()
	}
}

// pause lets nothing more through, and returns up to where of a blob was sent last.
func (f *front) pause() (at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused = true
	return f.at
}

func (f *front) resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused = false
	f.moved.Broadcast()
}

// cut cuts all links.
func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}

func (f *front) guarded(guard func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.guard = guard
}

func (f *front) of(l layer) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blobs[digestOf(l.packed)]
}

func (f *front) total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

func (f *front) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

// rig is a depot before a real registry and a real engine.
type rig struct {
	t        testing.TB
	registry *testengine.RegistryServer
	front    *front
	engine   *engine.Engine
	cfg      depot.Config
	depot    *depot.Depot
	access   protocol.RegistryAccess
}

func newRig(t testing.TB) *rig { return newRigOn(t, testengine.Host(t)) }

func newRigOn(t testing.TB, host string) *rig {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	r := &rig{t: t, registry: testengine.Registry(t), engine: engine.New(engine.Config{Host: host})}
	r.front = newFront(t, r.registry.Addr)
	r.cfg = depot.Config{Dir: filepath.Join(t.TempDir(), "depot"), Engine: r.engine, Pause: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	r.restart()
	return r
}

// restart is what a new process does.
func (r *rig) restart() {
	r.t.Helper()
	d, err := depot.New(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.depot = d
}

// ref is what an image is called on the device.
func (r *rig) ref(name string) string {
	ref := r.front.addr + "/" + name
	local, ok := ipc.Pinned(ref)
	if !ok {
		local = ref
	}
	r.t.Cleanup(func() { _ = r.engine.ImageUntag(context.Background(), local) })
	return ref
}

func (r *rig) try(version uint64, policy string, refs ...string) (int64, error) {
	r.t.Helper()
	o := reconciler.ImageOrder{Stack: 7, Version: version, Access: r.access}
	for _, ref := range refs {
		o.Images = append(o.Images, ipc.Image{Ref: ref, Policy: policy, Service: "web"})
	}
	return r.depot.Bring(r.t.Context(), o)
}

// bring brings images and checks that the engine has them and nothing else is left.
func (r *rig) bring(version uint64, policy string, refs ...string) int64 {
	r.t.Helper()
	spent, err := r.try(version, policy, refs...)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, ref := range refs {
		r.image(ref)
	}
	r.clean()
	return spent
}

// image is an image that the engine must have.
func (r *rig) image(ref string) engine.Image {
	r.t.Helper()
	if local, ok := ipc.Pinned(ref); ok {
		ref = local
	}
	got, err := r.engine.Image(r.t.Context(), ref)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range got.Names {
		if strings.Contains(name, "farshore-") {
			r.t.Errorf("the image is still called %s", name)
		}
	}
	return got
}

func (r *rig) lacks(ref string) {
	r.t.Helper()
	if _, err := r.engine.Image(r.t.Context(), ref); !errors.Is(err, snapshot.ErrNoSuch) {
		r.t.Errorf("image %s: %v, want that it is not there", ref, err)
	}
}

// kept are the files of blobs in the depot.
func (r *rig) kept() []string {
	r.t.Helper()
	files, err := os.ReadDir(filepath.Join(r.cfg.Dir, "blobs"))
	if err != nil {
		r.t.Fatal(err)
	}
	var list []string
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}

func (r *rig) clean() {
	r.t.Helper()
	if left := r.kept(); len(left) > 0 {
		r.t.Errorf("left in the depot: %v", left)
	}
}

// fails brings an image that cannot be had, and returns why.
func (r *rig) fails(ref string) *reconciler.ImageFailure {
	r.t.Helper()
	_, err := r.try(1, ipc.PullMissing, ref)
	var f *reconciler.ImageFailure
	if !errors.As(err, &f) {
		r.t.Fatalf("got %v, want a failure of the image", err)
	}
	return f
}
