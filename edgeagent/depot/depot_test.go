package depot_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// A first pull costs the image; the next version, of which one layer changed, costs that layer; an image that is there
// costs nothing at all.
func TestTheNextVersionCostsTheLayerThatChanged(t *testing.T) {
	r := newRig(t)
	base, app, next := newLayer(t, "base", 3<<20), newLayer(t, "app", 1<<20), newLayer(t, "app", 500<<10)
	put(t, r.registry.Addr, "plant/app", "1", "", base, app)
	put(t, r.registry.Addr, "plant/app", "2", "", base, next)
	one, two := r.ref("plant/app:1"), r.ref("plant/app:2")

	size := len(base.packed) + len(app.packed)
	spent := r.bring(1, ipc.PullMissing, one)
	if got := r.front.total(); got < size || got > size+2<<10 {
		t.Errorf("blobs of %d bytes were sent for an image of %d", got, size)
	}
	if over := float64(spent)/float64(size) - 1; over < 0 || over > 0.12 {
		t.Errorf("the image of %d bytes cost %d on the wire", size, spent)
	}
	before := r.front.total()
	spent = r.bring(2, ipc.PullMissing, two)
	if got := r.front.total() - before; got < len(next.packed) || got > len(next.packed)+2<<10 {
		t.Errorf("%d bytes were sent for a layer of %d", got, len(next.packed))
	}
	if spent > int64(len(next.packed))*112/100 {
		t.Errorf("the next version cost %d", spent)
	}
	asked := r.front.asked()
	if again := r.bring(2, ipc.PullMissing, two); again != spent || r.front.asked() != asked {
		t.Errorf("an image that is there: cost %d after %d, and %d requests", again, spent, r.front.asked()-asked)
	}
}

// What a tag names is asked for each time where that is demanded, and fetched where it is another.
func TestPullAlwaysNoticesATagThatMoved(t *testing.T) {
	r := newRig(t)
	put(t, r.registry.Addr, "app", "live", "", newLayer(t, "a", 10<<10))
	ref := r.ref("app:live")
	r.bring(1, ipc.PullAlways, ref)
	first := r.image(ref)
	blobs, asked := r.front.total(), r.front.asked()
	r.bring(2, ipc.PullAlways, ref)
	if got := r.front.requests[asked:]; len(got) != 1 || got[0] != "HEAD /v2/app/manifests/live" {
		t.Errorf("for a tag that has not moved the registry is asked %v", got)
	}
	r.restart()
	r.bring(3, ipc.PullAlways, ref)
	if r.front.total() != blobs {
		t.Error("layers that are there were fetched again")
	}
	put(t, r.registry.Addr, "app", "live", "", newLayer(t, "b", 10<<10))
	r.bring(3, ipc.PullAlways, ref)
	if r.image(ref).ID == first.ID {
		t.Error("the tag has moved, the image has not")
	}
}

// An index gives the image of the engine's platform, by tag and by digest.
func TestTheEnginesPlatformIsChosen(t *testing.T) {
	r := newRig(t)
	mine, other := newLayer(t, "mine", 20<<10), newLayer(t, "other", 20<<10)
	arch := machine(t)
	strange := map[string]string{"amd64": "arm64"}[arch]
	if strange == "" {
		strange = "amd64"
	}
	var entries []map[string]any
	for a, l := range map[string]layer{arch: mine, strange: other} {
		digest := put(t, r.registry.Addr, "app", a, a, l)
		entries = append(entries, map[string]any{
			"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": digest, "size": 500,
			"platform": map[string]string{"os": "linux", "architecture": a},
		})
	}
	const kind = "application/vnd.oci.image.index.v1+json"
	index := putManifest(t, r.registry.Addr, "app", "all", kind, marshal(t, map[string]any{"schemaVersion": 2, "mediaType": kind, "manifests": entries}))
	pinned := r.ref("app@" + index)
	r.bring(1, ipc.PullMissing, r.ref("app:all"), pinned)
	if r.front.of(mine) != len(mine.packed) || r.front.of(other) != 0 {
		t.Errorf("sent %d of its own layer and %d of the other", r.front.of(mine), r.front.of(other))
	}
	asked := r.front.asked()
	r.bring(2, ipc.PullMissing, pinned)
	if r.front.asked() != asked {
		t.Error("a pinned image that is there was asked for")
	}

	foreign, err := r.depot.Bring(t.Context(), reconciler.ImageOrder{Stack: 8, Version: 1, Images: []ipc.Image{
		{Ref: r.ref("app:all"), Platform: "linux/s390x", Policy: ipc.PullAlways, Service: "web"},
	}})
	if err == nil || !strings.Contains(err.Error(), "linux/s390x") {
		t.Errorf("a platform that is not there: %d, %v", foreign, err)
	}
}

// Whoever asks for a password gets it; whoever he sends on to does not.
func TestCredentialsStayWithTheRegistry(t *testing.T) {
	r := newRig(t)
	l := newLayer(t, "x", 600<<10)
	put(t, r.registry.Addr, "app", "1", "", l)
	const user, password = "edge", "opensesame-7731"
	var leaked, asked atomic.Int64
	store := newFront(t, r.registry.Addr) // another host, as object stores are: signed addresses, no credentials
	store.guarded(func(w http.ResponseWriter, req *http.Request) bool {
		if req.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
		if asked.Add(1) == 3 { // a signed address that has expired
			http.Error(w, "too late", http.StatusForbidden)
			return true
		}
		return false
	})
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if u, p, _ := req.BasicAuth(); u != user || p != password || req.URL.Query().Get("scope") != "repository:app:pull" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"token":"ticket-1"}`)
	}))
	t.Cleanup(tokens.Close)
	ways := map[string]func(w http.ResponseWriter, req *http.Request) bool{
		"basic": func(w http.ResponseWriter, req *http.Request) bool {
			u, p, _ := req.BasicAuth()
			w.Header().Set("WWW-Authenticate", `Basic realm="door"`)
			return u == user && p == password
		},
		"bearer": func(w http.ResponseWriter, req *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+tokens.URL+`/token",service="registry",scope="x"`)
			return req.Header.Get("Authorization") == "Bearer ticket-1"
		},
	}
	for name, in := range ways {
		r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
			if !in(w, req) {
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return true
			}
			if reBlob.MatchString(req.URL.Path) {
				http.Redirect(w, req, "http://"+store.addr+req.URL.Path+"?signature=s3cret", http.StatusTemporaryRedirect)
				return true
			}
			return false
		})
		asked.Store(0)
		ref := r.ref("app:1")
		r.access = protocol.RegistryAccess{Registries: []protocol.RegistryAuth{{Registry: r.front.addr, User: user, Password: "wrong-password"}}}
		f := r.fails(ref)
		if f.Passing || f.Code != ipc.CodeImageUnavailable || !strings.Contains(f.Detail, "password") || strings.Contains(f.Detail, "wrong-password") {
			t.Errorf("%s, wrong password: %+v", name, f)
		}
		r.access.Registries[0].Password = password
		r.bring(1, ipc.PullMissing, ref)
		if leaked.Load() != 0 {
			t.Errorf("%s: another host was shown credentials %d times", name, leaked.Load())
		}
		if asked.Load() < 5 {
			t.Errorf("%s: the other host was asked %d times only", name, asked.Load())
		}
		if err := r.engine.ImageUntag(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
}

// What is not what its digest says never reaches the engine, and nothing is kept of it.
func TestWhatIsNotItsDigestIsRefused(t *testing.T) {
	r := newRig(t)
	l := newLayer(t, "x", 300<<10)
	put(t, r.registry.Addr, "app", "1", "", l)
	wrong := make([]byte, len(l.packed))
	r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
		if strings.HasSuffix(req.URL.Path, digestOf(l.packed)) {
			http.ServeContent(w, req, "", zero, strings.NewReader(string(wrong)))
			return true
		}
		return false
	})
	ref := r.ref("app:1")
	if f := r.fails(ref); f.Passing || !strings.Contains(f.Detail, "not what its digest says") {
		t.Errorf("got %+v", f)
	}
	r.lacks(ref)
	for _, name := range r.kept() {
		if strings.Contains(name, strings.TrimPrefix(digestOf(l.packed), "sha256:")) {
			t.Errorf("kept %s", name)
		}
	}
	r.front.guarded(nil)
	r.bring(1, ipc.PullMissing, ref)
}

// Registries that know no ranges, say that they do not, or send another part, are got along with.
func TestRegistriesWithoutRanges(t *testing.T) {
	ways := map[string]func(w http.ResponseWriter, req *http.Request) bool{
		"ignored": func(_ http.ResponseWriter, req *http.Request) bool { req.Header.Del("Range"); return false },
		"refused": func(w http.ResponseWriter, req *http.Request) bool {
			if req.Header.Get("Range") != "" {
				http.Error(w, "no", http.StatusRequestedRangeNotSatisfiable)
				return true
			}
			return false
		},
		"another": func(_ http.ResponseWriter, req *http.Request) bool {
			if req.Header.Get("Range") != "" {
				req.Header.Set("Range", "bytes=1-100000")
			}
			return false
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			l := newLayer(t, "x", 900<<10)
			put(t, r.registry.Addr, "app", "1", "", l)
			var once sync.Once
			r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
				if r.front.of(l) > 400<<10 {
					once.Do(func() { r.front.cut() })
				}
				return reBlob.MatchString(req.URL.Path) && way(w, req)
			})
			ref := r.ref("app:1")
			go func() { // in the middle of the only answer too
				r.front.await(500 << 10)
				r.front.cut()
			}()
			r.bring(1, ipc.PullMissing, ref)
		})
	}
}

// A registry that is gone is a failure that passes; what has come is kept for the next attempt, in another process too.
func TestRegistryThatGoesAndComesBack(t *testing.T) {
	r := newRig(t)
	first, second := newLayer(t, "x", 400<<10), newLayer(t, "y", 400<<10)
	put(t, r.registry.Addr, "app", "1", "", first, second)
	r.cfg.Lanes = func() int { return 1 }
	r.restart()
	r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
		if r.front.of(first) == len(first.packed) {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	ref := r.ref("app:1")
	f := r.fails(ref)
	if !f.Passing || f.Code != ipc.CodeImageUnavailable {
		t.Errorf("got %+v", f)
	}
	put(t, r.registry.Addr, "app", "1", "", newLayer(t, "z", 10<<10)) // the tag moves meanwhile: the attempt does not
	r.front.guarded(nil)
	r.restart()
	r.bring(1, ipc.PullMissing, ref)
	if got := r.front.of(first); got != len(first.packed) {
		t.Errorf("the first layer, of %d bytes, was fetched again: %d", len(first.packed), got)
	}

	if f := r.fails(r.ref("none:1")); f.Passing || !strings.Contains(f.Detail, "does not have") {
		t.Errorf("no such image: %+v", f)
	}
	if f := r.fails("127.0.0.1:1/app:1"); !f.Passing {
		t.Errorf("nobody there: %+v", f)
	}
}

// What is kept of a stack that is gone, or of a version that nobody wants any more, goes.
func TestLeftoversGo(t *testing.T) {
	r := newRig(t)
	put(t, r.registry.Addr, "app", "1", "", newLayer(t, "x", 400<<10))
	put(t, r.registry.Addr, "app", "2", "", newLayer(t, "y", 10<<10))
	r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
		if r.front.total() > 100<<10 {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	one := r.ref("app:1")
	r.fails(one)
	if len(r.kept()) == 0 {
		t.Fatal("nothing was kept")
	}
	r.restart()
	if err := r.depot.Keep([]uint64{7}); err != nil || len(r.kept()) == 0 {
		t.Fatalf("kept %v, %v", r.kept(), err)
	}
	if err := r.depot.Keep([]uint64{8}); err != nil {
		t.Fatal(err)
	}
	r.clean()
	r.fails(one)
	r.front.guarded(nil)
	r.bring(2, ipc.PullMissing, r.ref("app:2"))
	r.lacks(one)
}

var zero time.Time
