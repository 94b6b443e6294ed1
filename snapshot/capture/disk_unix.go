//go:build linux || darwin || freebsd

package capture

import "golang.org/x/sys/unix"

// diskUse returns size in bytes and use in percent of the file system that holds path, as df(1) counts it: what only
// the superuser may use counts as neither free nor used.
func diskUse(path string) (total uint64, percent float64, ok bool) {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil || st.Blocks == 0 {
		return 0, 0, false
	}
	used := float64(uint64(st.Blocks) - uint64(st.Bfree))
	free := max(float64(st.Bavail), 0)
	if used+free == 0 {
		return 0, 0, false
	}
	return uint64(st.Blocks) * uint64(st.Bsize), 100 * used / (used + free), true
}
