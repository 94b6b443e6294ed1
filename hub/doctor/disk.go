package doctor

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"time"
)

// Bounds of what a disk should have.
const (
	freeFail   = 64 << 20
	freeWarn   = 1 << 30
	inodesWarn = 1000
	syncs      = 5
	syncWarn   = 100 * time.Millisecond
)

// Disk looks at the disk below a folder: what is free, where a backup needs about need bytes, and how long it takes to
// make a small write durable.
func Disk(dir string, need int64) []Finding {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return Say(Fail, "%q cannot be looked at: %v: give the right --data", dir, err)
	}
	free := int64(min(st.Bavail, 1<<40)) * st.Bsize
	took, err := syncTime(dir)
	var out []Finding
	switch {
	case err != nil:
		out = Say(Fail, "a file cannot be written into %q: %v: make room, or run as the folder's owner", dir, err)
	case took > syncWarn:
		out = Say(Warn, "it takes %s to make a small write durable, and every change waits for that: take a faster disk, or look what else keeps this one busy", took.Round(time.Millisecond))
	}
	switch {
	case free < freeFail:
		out = append(out, Say(Fail, "%s are free: the hub refuses changes when there is nothing left; make room now", Size(free))...)
	case free < max(freeWarn, need):
		out = append(out, Say(Warn, "%s are free: a backup or a compaction may have no room; make some", Size(free))...)
	}
	if st.Files > 0 && st.Ffree < inodesWarn {
		out = append(out, Say(Warn, "it has room for only %d more files (inodes): remove small files that are not needed", st.Ffree)...)
	}
	if len(out) == 0 {
		return Say(OK, "%s are free; a small write is durable after %s", Size(free), took.Round(10*time.Microsecond))
	}
	return out
}

// syncTime is the median of what some small writes took.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err
	}
	err = os.Remove(f.Name())
	var took []time.Duration
	block := make([]byte, 4096)
	for range syncs {
		began := time.Now()
		_, werr := f.Write(block)
		if err = errors.Join(err, werr, f.Sync()); err != nil {
			break
		}
		took = append(took, time.Since(began))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
