// Package backup makes backups of a hub's data folder while the hub runs, and puts them back.
//
// A backup is one stream: age, in it zstd, in it tar, so that nobody depends on this program to open one. In the tar
// come the manifest, the files it names, and their hashes. Everything is encrypted before it leaves the process.
// What is altered or cut anywhere is refused as a whole: age authenticates what is read, the hashes at the end say that
// it is all there, and nothing is put in place before they were read.
//
// It knows no database: whoever assembles it hands over a consistent copy. A Keeper keeps the schedule and never
// removes a file that it has not made. Write, Check and Restore share nothing and may run at the same time; a Keeper
// is safe for concurrent use and makes one backup at a time.
package backup

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Format is the version of the layout that this build writes; it reads this and all before.
const Format = 1

// Extension of backup files.
const Extension = ".age"

// Errors that callers tell apart.
var (
	// ErrDamaged: what is there is not what was written, or not all of it.
	ErrDamaged = errors.New("the backup is damaged, cut short, or was altered")
	// ErrNoBackup: it is a whole stream of bytes, but not one of these.
	ErrNoBackup = errors.New("this is no backup of a farshore-hub")
	// ErrWrongKey: the passphrase or key does not open it.
	ErrWrongKey = errors.New("the backup cannot be opened with this")
	// ErrNewer: it was made by a later version than this.
	ErrNewer = errors.New("the backup was made by a newer farshore-hub")
	// ErrUnsafe: it holds what no backup holds.
	ErrUnsafe = errors.New("the backup holds what a backup never holds")
	// ErrNotEmpty: there is something in the folder to restore into.
	ErrNotEmpty = errors.New("the data folder is not empty")
	// ErrNoRoom: the disk is full, or would be.
	ErrNoRoom = errors.New("there is not enough room on the disk")
	// ErrInvalid: what was asked for cannot be done.
	ErrInvalid = errors.New("backup")
)

// Bounds of a backup. A folder that exceeds them is not backed up, and a backup that does is refused.
const (
	maxFiles = 10_000
	maxPath  = 200
	maxDepth = 8
	maxIndex = 16 << 20 // bytes of manifest, and of hashes
)

// Names in the tar. Files of the data folder are below dataPrefix.
const (
	manifestName = "manifest.json"
	hashesName   = "hashes.json"
	dataPrefix   = "data/"
)

// Manifest says what a backup holds. It is the first thing in it.
type Manifest struct {
	// Format of the layout.
	Format int `json:"format"`
	// Hub is the version of the program that made it.
	Hub string `json:"hub_version"`
	// Schema of the database in it.
	Schema uint64 `json:"schema"`
	// Created is when the copy was taken: what came later is not in it.
	Created time.Time `json:"created"`
	// Fingerprint of the hub.
	Fingerprint string `json:"fingerprint"`
	// Files in the order in which they follow.
	Files []File `json:"files"`
}

// File is one file of the data folder.
type File struct {
	// Path is relative and slash-separated.
	Path string `json:"path"`
	// Size in bytes.
	Size int64 `json:"size"`
}

// Size is how many bytes the files have together.
func (m *Manifest) Size() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// hashes are the end of a backup: SHA-256 in hex of the manifest as it was written, and of each file in its order.
type hashes struct {
	Manifest string   `json:"manifest"`
	Files    []string `json:"files"`
}

// check refuses what no hub writes.
func (m *Manifest) check() error {
	if len(m.Files) > maxFiles {
		return fmt.Errorf("%w: %d files, at most %d", ErrUnsafe, len(m.Files), maxFiles)
	}
	seen := make(map[string]bool, len(m.Files))
	total := int64(0)
	for _, f := range m.Files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		if f.Size < 0 || total+f.Size < total {
			return fmt.Errorf("%w: %q of %d bytes", ErrUnsafe, f.Path, f.Size)
		}
		total += f.Size
		folded := strings.ToLower(f.Path) // some file systems take them for one
		if seen[folded] {
			return fmt.Errorf("%w: %q twice", ErrUnsafe, f.Path)
		}
		seen[folded] = true
	}
	for p := range seen { // no file is a folder too
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if seen[dir] {
				return fmt.Errorf("%w: %q is a file and a folder", ErrUnsafe, dir)
			}
		}
	}
	return nil
}

// checkPath refuses what could lead out of the folder, or shows as something else than it is.
func checkPath(p string) error {
	bad := func(why string) error { return fmt.Errorf("%w: the path %.80q %s", ErrUnsafe, p, why) }
	switch {
	case p == "" || len(p) > maxPath || !utf8.ValidString(p):
		return bad("is empty, too long or no text")
	case path.IsAbs(p) || path.Clean(p) != p || p == "." || p == ".." || strings.HasPrefix(p, "../"):
		return bad("leads out of the folder or is not plain")
	case strings.ContainsAny(p, `\:`) || strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) }):
		return bad("has characters that no file of a hub has")
	case strings.Count(p, "/") >= maxDepth:
		return bad("is too deep")
	}
	for name := range strings.SplitSeq(p, "/") {
		if strings.HasPrefix(name, ".") {
			return bad("names a hidden file")
		}
	}
	return nil
}
