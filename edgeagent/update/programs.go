package update

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/farshore/farshore/protocol"
)

// hashFile returns the hash of a file's content.
func hashFile(path string) (h protocol.Hash, err error) {
	file, err := os.Open(path)
	if err != nil {
		return h, err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return h, err
	}
	return protocol.Hash(sum.Sum(nil)), nil
}

// copyFile copies a program durably. Between slots the content is shared: what is in one never changes.
func (f Folder) copyFile(from, to string) error {
	if strings.HasPrefix(from, f.dir+string(filepath.Separator)) && os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o700)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close(), in.Close())
}

// whole reports why the programs of a slot are not as the record says; nil when they are. The agent is read, the others
// are looked at: they are verified when they were put there, and a spoilt composer does not keep the agent from its hub.
func (f Folder) whole(r *Record, slot Place) error {
	want, ok := r.Slots[slot]
	if !ok {
		return fmt.Errorf("slot %s is empty", slot)
	}
	for name, hash := range want.Programs {
		path := f.Path(slot, name)
		if name != protocol.ProgramAgent {
			if _, err := os.Stat(path); err != nil {
				return err
			}
			continue
		}
		got, err := hashFile(path)
		if err != nil {
			return err
		}
		if got != hash {
			return fmt.Errorf("%s is not what was put there: the disk has spoilt it", path)
		}
	}
	return nil
}
