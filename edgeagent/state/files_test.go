package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/farshore/farshore/protocol"
)

func TestTheFilesAreForTheAgentAlone(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenDisk(filepath.Join(dir, "agent"))
	must(t, err)
	defer s.Close()
	must(t, s.PutBlob(protocol.HashOf(nil), nil))
	must(t, filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if p != dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", p, info.Mode())
		}
		return err
	}))
}
