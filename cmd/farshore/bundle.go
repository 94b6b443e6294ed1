package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/farshore/farshore/protocol"
)

// readBundle reads a compose file, or a folder with all that is below it. What is too large is refused before
// anything is sent.
func readBundle(source string) (map[string][]byte, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, fmt.Errorf("read stack: %w", err)
	}
	b := bundle{files: map[string][]byte{}}
	if !info.IsDir() {
		root, err := os.OpenRoot(filepath.Dir(source))
		if err != nil {
			return nil, fmt.Errorf("read stack: %w", err)
		}
		defer root.Close() // only read
		base := filepath.Base(source)
		// However the file is called here, there it is the bundle's compose file.
		return b.files, b.add(root, base, "compose.yml")
	}
	root, err := os.OpenRoot(source)
	if err != nil {
		return nil, fmt.Errorf("read stack: %w", err)
	}
	defer root.Close() // only read
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read stack: %w", err)
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("stack %q: %q is no plain file: put the file itself there, or take it away", absolute(source), name)
		}
		return b.add(root, name, name)
	})
	if err == nil && len(b.files) == 0 {
		err = fmt.Errorf("stack %q: the folder is empty: it needs a compose.yml", absolute(source))
	}
	return b.files, err
}

type bundle struct {
	files map[string][]byte
	size  int
}

func (b *bundle) add(root *os.Root, file, name string) error {
	if err := protocol.ValidPath(name); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	if len(b.files) >= protocol.MaxBundleFiles {
		return fmt.Errorf("stack: more than %d files: pack what belongs together, or move data to an image", protocol.MaxBundleFiles)
	}
	f, err := root.Open(file)
	if err != nil {
		return fmt.Errorf("read stack: %w", err)
	}
	defer f.Close() // only read
	content, err := io.ReadAll(io.LimitReader(f, protocol.MaxBlob+1))
	if err != nil {
		return fmt.Errorf("read %q: %w", file, err)
	}
	if len(content) > protocol.MaxBlob {
		return fmt.Errorf("stack: file %q has more than %d MiB: move large data to an image", strings.TrimPrefix(file, "./"), protocol.MaxBlob>>20)
	}
	if b.size += len(content); b.size > protocol.MaxBundle {
		return fmt.Errorf("stack: its files have more than %d MiB together: move large data to an image", protocol.MaxBundle>>20)
	}
	b.files[name] = content
	return nil
}
