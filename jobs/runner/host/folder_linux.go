package host

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// folders of a run: base is the agent's, home is where the script and its working folder are. They are one where the
// script runs as the agent's user; another could not reach it.
type folders struct{ script, work string }

func (x *Executor) folder(run uint64) string {
	return filepath.Join(x.cfg.Dir, strconv.FormatUint(run, 10))
}

// homeLink in a run's folder leads to what is elsewhere.
const homeLink = "home"

// makeFolder makes the folder of a run, with its script. Nobody but its user may look into it.
func (x *Executor) makeFolder(run uint64, who user, text []byte) (f folders, err error) {
	base := x.folder(run)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return f, err
	}
	home := filepath.Join(base, homeLink)
	if who.other {
		elsewhere := filepath.Join(os.TempDir(), "farshore-run-"+strconv.FormatUint(run, 10)+"-"+rand.Text())
		if err := os.Symlink(elsewhere, home); err != nil { // first, so that what is made is found again
			return f, err
		}
		home = elsewhere
	}
	f = folders{script: filepath.Join(home, "script"), work: filepath.Join(home, "work")}
	if err := os.Mkdir(home, 0o700); err != nil {
		return f, err
	}
	if err := os.Mkdir(f.work, 0o700); err != nil {
		return f, err
	}
	if err := os.WriteFile(f.script, text, 0o600); err != nil {
		return f, err
	}
	if err := os.Chmod(f.script, 0o700); err != nil {
		return f, err
	}
	if !who.other {
		return f, nil
	}
	var errs []error
	for _, path := range []string{f.script, f.work, home} {
		errs = append(errs, os.Chown(path, int(who.uid), int(who.gid)))
	}
	return f, errors.Join(errs...)
}

// removeFolder removes all folders of a run.
func (x *Executor) removeFolder(run uint64) {
	base := x.folder(run)
	var errs []error
	if elsewhere, err := os.Readlink(filepath.Join(base, homeLink)); err == nil {
		errs = append(errs, removeAll(elsewhere))
	}
	if err := errors.Join(append(errs, removeAll(base))...); err != nil {
		x.cfg.Log.Warn("the folder of a run cannot be removed", "run", run, "error", err)
	}
}

// removeAll removes also what a script has protected from being written.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}
