package depot_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// A disk that others fill while an image is on its way is noticed before it is full. What has come is kept, and nothing
// of it comes twice once there is room.
func TestADiskThatFillsMeanwhile(t *testing.T) {
	r := newRig(t)
	r.cfg.Dir = t.TempDir()
	const disk, spare = 48 << 20, 32 << 20
	if err := syscall.Mount("farshore-test", r.cfg.Dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(r.cfg.Dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r.restart()
	l := newLayer(t, "x", 6<<20)
	put(t, r.registry.Addr, "app", "1", "", l)
	ref := r.ref("app:1")
	filler := filepath.Join(r.cfg.Dir, "of-others")
	var once sync.Once
	r.front.guarded(func(http.ResponseWriter, *http.Request) bool {
		if r.front.of(l) > 1<<20 {
			once.Do(func() {
				if err := os.WriteFile(filler, make([]byte, 12<<20), 0o600); err != nil {
					t.Error(err)
				}
			})
		}
		return false
	})
	f := r.fails(ref)
	if f.Code != ipc.CodeDiskFull || !strings.Contains(f.Detail, "too full") || !strings.Contains(f.Detail, "remove images") {
		t.Errorf("got %+v", f)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(r.cfg.Dir, &st); err != nil {
		t.Fatal(err)
	}
	if left := int64(st.Bavail) * st.Bsize; left < spare-1<<20 {
		t.Errorf("of a disk of %d bytes %d are left", disk, left)
	}
	r.lacks(ref)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	r.bring(1, ipc.PullMissing, ref)
	if got := r.front.of(l); got != len(l.packed) {
		t.Errorf("%d bytes were sent of a layer of %d", got, len(l.packed))
	}
}
