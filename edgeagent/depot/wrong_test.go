package depot_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// A registry that for a while answers a request for a part with something else costs what it sends, and never the image: it
// comes whole or not at all, and goes on from where it was once the registry is right again.
func TestAnswersThatAreNotThePart(t *testing.T) {
	const slice = 64 << 10
	for name, answer := range map[string]func(w http.ResponseWriter, l layer, from, to int){
		"all of it, cut short": func(w http.ResponseWriter, l layer, _, _ int) {
			w.Header().Set("Content-Length", fmt.Sprint(len(l.packed)))
			_, _ = w.Write(l.packed[:len(l.packed)/3])
		},
		"all of it, of another size": func(w http.ResponseWriter, l layer, _, _ int) {
			_, _ = w.Write(l.packed[:len(l.packed)/3])
		},
		"another part": func(w http.ResponseWriter, l layer, from, to int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from+1, to, len(l.packed)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(l.packed[from+1 : to+1])
		},
		"a part that it does not name": func(w http.ResponseWriter, l layer, from, to int) {
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(l.packed[from : to+1])
		},
		"a part that is cut short": func(w http.ResponseWriter, l layer, from, to int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(l.packed)))
			w.Header().Set("Content-Length", fmt.Sprint(to+1-from))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(l.packed[from : from+(to+1-from)/2])
		},
		"more than the part": func(w http.ResponseWriter, l layer, from, to int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(l.packed)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(l.packed[from:])
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.cfg.Lanes = func() int { return 1 }
			r.cfg.Slice = func() int64 { return slice }
			r.restart()
			l := newLayer(t, "x", 600<<10)
			put(t, r.registry.Addr, "app", "1", "", l)
			var wrong atomic.Int64
			r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
				var from, to int
				if !strings.HasSuffix(req.URL.Path, digestOf(l.packed)) || r.front.of(l) < 200<<10 || wrong.Add(1) > 2 {
					return false
				}
				if n, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &from, &to); n < 2 {
					to = len(l.packed) - 1
				}
				answer(w, l, from, to)
				return true
			})
			r.bring(1, ipc.PullMissing, r.ref("app:1"))
			if wrong.Load() < 2 {
				t.Error("it was not asked while it was wrong")
			}
		})
	}
}

// A blob that changes under its digest in the middle is refused at its end, and comes anew when the registry is right.
func TestABlobThatChangesMeanwhile(t *testing.T) {
	r := newRig(t)
	r.cfg.Slice = func() int64 { return 64 << 10 }
	r.restart()
	l := newLayer(t, "x", 600<<10)
	put(t, r.registry.Addr, "app", "1", "", l)
	r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasSuffix(req.URL.Path, digestOf(l.packed)) || r.front.of(l) < 200<<10 {
			return false
		}
		w.Header().Set("Etag", `"another"`)
		http.ServeContent(w, req, "", zero, strings.NewReader(strings.Repeat("x", len(l.packed))))
		return true
	})
	ref := r.ref("app:1")
	if f := r.fails(ref); f.Passing || !strings.Contains(f.Detail, "not what its digest says") {
		t.Errorf("got %+v", f)
	}
	r.lacks(ref)
	r.front.guarded(nil)
	r.bring(1, ipc.PullMissing, ref)
}

// A registry that takes a request and never answers, or stops in the middle, holds up neither the end of the agent nor others.
func TestARegistryThatNeverAnswers(t *testing.T) {
	r := newRig(t)
	r.cfg.Lanes = func() int { return 3 }
	r.restart()
	l := newLayer(t, "x", 600<<10)
	put(t, r.registry.Addr, "mute", "1", "", l)
	put(t, r.registry.Addr, "app", "1", "", newLayer(t, "y", 100<<10))
	asked := make(chan struct{}, 16)
	r.front.guarded(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasSuffix(req.URL.Path, digestOf(l.packed)) {
			return false
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", 256<<10-1, len(l.packed)))
		w.Header().Set("Content-Length", fmt.Sprint(256<<10))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(l.packed[:100<<10])
		_ = http.NewResponseController(w).Flush()
		asked <- struct{}{}
		<-req.Context().Done()
		return true
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := r.depot.Bring(ctx, reconciler.ImageOrder{Stack: 8, Version: 1, Images: []ipc.Image{{Ref: r.ref("mute:1"), Policy: ipc.PullMissing, Service: "web"}}})
		done <- err
	}()
	<-asked
	ref := r.ref("app:1")
	if _, err := r.try(1, ipc.PullMissing, ref); err != nil {
		t.Error(err)
	}
	r.image(ref)
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("an image came of which half was never sent")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it still waits after it was told to end")
	}
}
