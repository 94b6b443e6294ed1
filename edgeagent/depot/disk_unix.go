//go:build linux || darwin || freebsd

package depot

import "golang.org/x/sys/unix"

// free is how many bytes may be written to the disk of a folder; ok is false where that is not known.
func free(dir string) (n int64, ok bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
