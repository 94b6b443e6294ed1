package update

import (
	"os"
	"syscall"
)

// noExec is ST_NOEXEC of statfs(2).
const noExec = 0x8

// cannot says why programs in the data folder could not run, or would be lost; "" when neither is so.
func cannot(cfg *Config) string {
	data := cfg.Data
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "The data folder cannot be written."
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(data, &fs); err == nil && fs.Flags&noExec != 0 {
		return "The data folder is mounted noexec: mount it without that, or put it elsewhere."
	}
	if cfg.Container && sameDevice(data, "/") {
		return "The container has no data volume: mount one at the data folder."
	}
	return ""
}

func sameDevice(a, b string) bool {
	var x, y syscall.Stat_t
	return syscall.Stat(a, &x) == nil && syscall.Stat(b, &y) == nil && x.Dev == y.Dev
}

// freeBytes is how much a folder's file system has left for this process.
func freeBytes(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if os.Geteuid() == 0 {
		return fs.Bfree * uint64(fs.Bsize), nil
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}
