package state

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/protocol"
)

// lastTxn is the number of the last transaction that was written.
func (d *disk) lastTxn(t *testing.T) (n int) {
	t.Helper()
	must(t, d.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }))
	return n
}

func TestFoldersThatCannotBeOpened(t *testing.T) {
	made := func(t *testing.T) string {
		dir := t.TempDir()
		s, err := OpenDisk(dir)
		must(t, err)
		must(t, s.Close())
		return dir
	}
	change := func(t *testing.T, dir string, fn func(*bbolt.Tx) error) {
		db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, nil)
		must(t, err)
		must(t, db.Update(fn))
		must(t, db.Close())
	}
	cases := []struct {
		name   string
		spoil  func(t *testing.T, dir string)
		is     error
		remedy string
	}{
		{"used by another agent", func(t *testing.T, dir string) {
			s, err := OpenDisk(dir)
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
		}, ErrLocked, "stop the other farshore-agent"},
		{"of a newer version", func(t *testing.T, dir string) {
			change(t, dir, func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte(bucketMeta)).Put(schemaKey, binary.BigEndian.AppendUint64(nil, SchemaVersion+1))
			})
		}, ErrNewer, "start the newer farshore-agent"},
		{"with a newer record", func(t *testing.T, dir string) {
			change(t, dir, func(tx *bbolt.Tx) error {
				raw, err := encode(place{bucketMeta, "mark", 99}, protocol.OrderMark{})
				must(t, err)
				return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyMark.key), raw)
			})
		}, ErrNewer, "record version 99"},
		{"without its key", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, KeyName))) }, nil, "restore the key"},
		{"with a damaged key", func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, KeyName), []byte("rubbish"), 0o600))
		}, ErrDamaged, "restore it"},
		{"with another device's key", func(t *testing.T, dir string) {
			other, err := os.ReadFile(filepath.Join(made(t), KeyName))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, KeyName), other, 0o600))
		}, nil, "put the right key back"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := made(t)
			c.spoil(t, dir)
			before, err := os.ReadFile(filepath.Join(dir, FileName))
			must(t, err)
			s, err := OpenDisk(dir)
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.remedy) || !strings.Contains(err.Error(), dir) {
				t.Errorf("the error says %q", err)
			}
			after, err := os.ReadFile(filepath.Join(dir, FileName))
			must(t, err)
			if string(before) != string(after) {
				t.Error("the database was changed")
			}
		})
	}
}

func TestKeyOutlivesTheDatabase(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenDisk(dir)
	must(t, err)
	id := s.Identity().ID
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, FileName)))
	s, err = OpenDisk(dir)
	must(t, err)
	defer s.Close()
	if s.Identity().ID != id {
		t.Error("the device became another one")
	}
}

// small mounts a file system of a few megabytes.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("a small file system cannot be mounted here (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all space that is left, and returns how to give it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	must(t, err)
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	must(t, f.Close())
	return func() { must(t, os.Remove(path)) }
}

func TestFullDiskLosesNothing(t *testing.T) {
	mount := small(t)
	dir := filepath.Join(mount, "agent")
	s, err := OpenDisk(dir)
	must(t, err)
	defer func() { _ = s.Close() }()
	must(t, s.AcceptOrders(Accept{Mark: mark(1), Commands: []protocol.Command{give(1), give(2), give(3)}}))
	must(t, s.StartCommand(1))
	free := fill(t, mount)

	blob := make([]byte, 64<<10)
	h := protocol.HashOf(blob)
	if err := s.PutBlob(h, blob); !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "free some space") || s.HasBlob(h) {
		t.Errorf("a blob on a full disk: %v, there: %v", err, s.HasBlob(h))
	}
	part := Partial{Size: 64 << 10}
	if err := s.AppendPartial(h, part, blob[:32<<10]); !errors.Is(err, ErrDiskFull) {
		t.Errorf("a part on a full disk: %v", err)
	}
	if p, ok := s.Partial(h); ok && p.Offset != 0 {
		t.Errorf("half a chunk was kept: %+v", p)
	}
	// The journal goes on: its room was reserved.
	must(t, s.FinishCommand(protocol.CommandResult{ID: 1, State: protocol.CommandDone}, make([]byte, 200<<10)))
	if _, err := os.Stat(filepath.Join(dir, reserveName)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the reserve is still there")
	}
	expectFirst := sent(t, s)
	if expectFirst[0] != "result 1 done" {
		t.Errorf("outbox: %q", expectFirst)
	}
	// Now somebody takes the reserve as well.
	free2 := fillMore(t, mount)
	var full error
	for id := uint64(100); full == nil && id < 2000; id++ {
		full = s.AcceptOrders(Accept{Mark: mark(id), Commands: []protocol.Command{give(id)}})
	}
	if !errors.Is(full, ErrDiskFull) {
		t.Fatalf("an order on a full disk: %v", full)
	}
	if err := s.PutJobs(journal()); !errors.Is(err, ErrDiskFull) || len(s.Jobs().Runs) > 0 || s.Jobs().Last != 0 {
		t.Errorf("a run that could not be journaled: %v, kept is %+v", err, s.Jobs())
	}
	accepted := s.Orders().Mark
	if got := sent(t, s); len(got) == 0 || !contains(got, "event disk-full") {
		t.Errorf("the hub is not told: %q", got)
	}
	must(t, s.Close())

	// A restart on the full disk: the device still comes up.
	s, err = OpenDisk(dir)
	must(t, err)
	if s.Orders().Mark != accepted {
		t.Errorf("mark %v after a restart, want %v: what was refused must not be there, what was accepted must", s.Orders().Mark, accepted)
	}
	if !contains(sent(t, s), "result 1 done") {
		t.Error("the result was lost")
	}
	free()
	free2()
	must(t, s.AcceptOrders(Accept{Mark: mark(5000), Commands: []protocol.Command{give(5000)}}))
	must(t, s.PutBlob(h, blob))
	boot := s.Identity().Boot.Counter
	must(t, s.Close())
	s, err = OpenDisk(dir)
	must(t, err)
	if s.Identity().Boot.Counter <= boot {
		t.Errorf("boot %d after boot %d: a boot on a full disk was not counted later", s.Identity().Boot.Counter, boot)
	}
	if info, err := os.Stat(filepath.Join(dir, reserveName)); err != nil || info.Size() != reserveSize {
		t.Errorf("the reserve was not made again: %v", err)
	}
}

func fillMore(t *testing.T, dir string) func() {
	t.Helper()
	sub := filepath.Join(dir, "more")
	must(t, os.Mkdir(sub, 0o700))
	return fill(t, sub)
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}
