package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Secrets looks whether files of the folder dir that hold secrets are there, and are the owner's alone. Names may be
// folders, of which all files are looked at.
func Secrets(dir string, names ...string) []Finding {
	info, err := os.Stat(dir)
	if err != nil {
		return Say(Fail, "the data folder %q cannot be looked at: %v: give the right --data, or run as its owner", dir, err)
	}
	var out []Finding
	if info.Mode().Perm()&0o022 != 0 {
		out = Say(Fail, "others may write into the data folder %q, and so take the hub over: chmod 700 it, and consider whether somebody did", dir)
	}
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if f, bad := secret(path, info); bad && !e.IsDir() {
				out = append(out, f)
			}
			return nil
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			out = append(out, Say(Fail, "%q is missing: put it back from a backup; without it the hub is not whole", filepath.Join(dir, name))...)
		case err != nil:
			out = append(out, Say(Fail, "%q cannot be looked at: %v: run as its owner, or as root", filepath.Join(dir, name), err)...)
		}
	}
	if len(out) == 0 {
		return Say(OK, "all are there, and their owner's alone")
	}
	return out
}

// secret judges one file by the folder that it belongs to.
func secret(path string, folder fs.FileInfo) (Finding, bool) {
	info, err := os.Stat(path) // of what a link leads to
	if err != nil {
		return Finding{Level: Fail, Text: fmt.Sprintf("%q cannot be looked at: %v: put it back from a backup", path, err)}, true
	}
	if info.IsDir() {
		return Finding{}, false
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Finding{Level: Fail, Text: fmt.Sprintf("%q can be read or changed by others (mode %04o): chmod 600 it, and consider whether somebody did", path, mode)}, true
	}
	mine, ok := info.Sys().(*syscall.Stat_t)
	theirs, also := folder.Sys().(*syscall.Stat_t)
	if ok && also && mine.Uid != theirs.Uid {
		return Finding{Level: Fail, Text: fmt.Sprintf("%q belongs to user %d and its folder to user %d: the hub cannot open it; chown it to the user that the hub runs as", path, mine.Uid, theirs.Uid)}, true
	}
	return Finding{}, false
}
