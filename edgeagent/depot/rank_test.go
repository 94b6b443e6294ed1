package depot_test

import (
	"testing"

	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// On a link of one lane an image that a stack waits for to start, or that is nearer to its end, is whole before one that was
// begun earlier, from which nothing is lost.
func TestAnImageGoesBeforeOneThatWasBegunEarlier(t *testing.T) {
	for name, c := range map[string]struct {
		size int
		down bool
	}{
		"smaller":                         {100 << 10, false},
		"larger, and its stack is to run": {3 << 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.cfg.Lanes = func() int { return 1 }
			r.cfg.Slice = func() int64 { return 32 << 10 }
			r.restart()
			early, late := newLayer(t, "early", 2<<20), newLayer(t, "late", c.size)
			put(t, r.registry.Addr, "app", "early", "", early)
			put(t, r.registry.Addr, "app", "late", "", late)
			refs := map[uint64]string{8: r.ref("app:early"), 9: r.ref("app:late")}
			bring := func(stack uint64, down bool) error {
				_, err := r.depot.Bring(t.Context(), reconciler.ImageOrder{
					Stack: stack, Version: 1, Down: down, Images: []ipc.Image{{Ref: refs[stack], Policy: ipc.PullMissing, Service: "web"}},
				})
				return err
			}
			r.front.rate = 2 << 20
			done := make(chan error, 2)
			go func() { done <- bring(8, false) }()
			r.front.await(200 << 10)
			go func() { done <- bring(9, c.down) }()
			if got := r.front.otherWhen(late, early); got > len(early.packed)*2/3 {
				t.Errorf("%d bytes of the other, of %d, came before", got, len(early.packed))
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			if got := r.front.of(early); got != len(early.packed) {
				t.Errorf("%d bytes were sent of a layer of %d", got, len(early.packed))
			}
		})
	}
}

// otherWhen waits until a layer was sent, and returns how much of another was by then.
func (f *front) otherWhen(whole, other layer) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.blobs[digestOf(whole.packed)] < len(whole.packed) {
		f.moved.Wait()
	}
	return f.blobs[digestOf(other.packed)]
}
