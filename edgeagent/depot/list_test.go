package depot_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// What each layer has cost is kept with the image, through restarts, and is told when the image has come; a layer that the
// engine had costs nothing, also where neither depot nor engine client remember it.
func TestEachLayersCostIsKept(t *testing.T) {
	r := newRig(t)
	base, app, next := newLayer(t, "base", 600<<10), newLayer(t, "app", 300<<10), newLayer(t, "app", 200<<10)
	put(t, r.registry.Addr, "app", "1", "", base, app)
	put(t, r.registry.Addr, "app", "2", "", base, next)
	var told []depot.Listed
	r.cfg.Brought = func(l depot.Listed) { told = append(told, l) }
	r.cfg.Slice = func() int64 { return 100 << 10 }
	r.restart()
	var cut atomic.Bool
	r.front.guarded(func(w http.ResponseWriter, _ *http.Request) bool {
		if r.front.of(base) > 300<<10 && !cut.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	one := r.ref("app:1")
	r.fails(one)
	r.restart()
	list := r.depot.List()
	if len(list) != 1 || list[0].State != depot.StateStopped || list[0].Fetched < 300<<10 || list[0].Size < int64(len(base.packed)+len(app.packed)) || len(told) != 0 {
		t.Fatalf("in the middle: %+v, told %v", list, told)
	}
	cut.Store(true)
	spent := r.bring(1, ipc.PullMissing, one)
	if len(told) != 1 || told[0].State != depot.StateThere || told[0].Spent > spent || told[0].Spent < spent*98/100 || told[0].Again != 0 {
		t.Fatalf("told %+v of an image that has cost %d", told, spent)
	}
	var sum int64
	of := map[string]depot.ListedLayer{}
	for _, l := range told[0].Layers {
		of[l.Digest] = l
		sum += l.Spent
	}
	for _, l := range []layer{base, app} {
		got := of[digestOf(l.packed)]
		size := int64(len(l.packed))
		if got.Size != size || got.Here != size || got.Fetched != size || got.Spent < size || got.Spent > size*115/100 || int64(got.Requests) < size/(100<<10) || got.Had {
			t.Errorf("of a layer of %d bytes: %+v", size, got)
		}
	}
	if sum > spent || sum < spent*9/10 {
		t.Errorf("the layers have cost %d, the image %d", sum, spent)
	}
	r.restart()
	spent = r.bring(2, ipc.PullMissing, r.ref("app:2"))
	for _, l := range told[1].Layers {
		switch l.Digest {
		case digestOf(base.packed):
			if !l.Had || l.Fetched != 0 || l.Requests != 0 || l.Spent != 0 {
				t.Errorf("the layer that was there: %+v", l)
			}
		case digestOf(next.packed):
			if l.Had || l.Fetched != int64(len(next.packed)) {
				t.Errorf("the layer that changed: %+v", l)
			}
		}
	}
	if r.front.of(base) != len(base.packed) || spent > int64(len(next.packed))*115/100 {
		t.Errorf("the next version has cost %d, and %d bytes of the layer that was there were sent in all", spent, r.front.of(base))
	}
	list = r.depot.List()
	if len(list) != 1 || list[0].State != depot.StateThere || list[0].Spent > spent || list[0].Spent < spent*98/100 {
		t.Errorf("at last %+v", list)
	}
}
