package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCompactionSaysThatItHasNoRoom before it writes anything, and so does the doctor.
func TestCompactionSaysThatItHasNoRoom(t *testing.T) {
	t.Parallel()
	h := prepareHub(t, hubConfig{})
	disk := smallDisk(t, h.data, 16<<20)
	h.start()
	h.stop()
	disk.fill()
	r := h.onMachine("compact", "--data", h.data)
	if r.code != exitFailed {
		t.Errorf("on a full disk: %v", r)
	}
	says(t, r.err, "disk is full", "nothing was changed", "free some space")
	h.unsound("disk", "make room")
	disk.free()
	if left, err := filepath.Glob(filepath.Join(h.data, "*compact*")); err != nil || len(left) > 0 {
		t.Errorf("it has left %v, %v", left, err)
	}
	if r := h.onMachine("compact", "--data", h.data); r.code != exitOK {
		t.Errorf("with room again: %v", r)
	}
	if _, err := os.Stat(filepath.Join(h.data, "farshore.db.before-compaction")); err != nil {
		t.Error(err)
	}
}
