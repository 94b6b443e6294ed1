package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/store"
)

// filled makes a database with many accounts, of which few are left.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir)
	for i := range 300 {
		if err := s.PutAccount(access.Account{Name: account(i)}, access.Ended{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 290 {
		if err := s.RemoveAccount(account(i), access.Ended{}); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, s)
	return dir
}

func account(i int) string { return fmt.Sprintf("%03d%s", i, strings.Repeat("x", 2000)) }

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func shut(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestCompactedHoldsTheSameInLess(t *testing.T) {
	dir := filled(t)
	old := read(t, dir, store.FileName)
	before, after, err := store.Compact(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if before != int64(len(old)) || after != int64(len(read(t, dir, store.FileName))) || after > before/4 {
		t.Errorf("%d bytes became %d", before, after)
	}
	if !bytes.Equal(read(t, dir, store.BeforeCompaction), old) {
		t.Error("the file from before is not as it was")
	}
	s := open(t, dir)
	saved, err := s.LoadAccess()
	if err != nil || len(saved.Accounts) != 10 {
		t.Errorf("%d accounts are left, %v", len(saved.Accounts), err)
	}
	shut(t, s)

	if _, _, err := store.Compact(t.Context(), dir); !errors.Is(err, store.ErrKept) || !strings.Contains(err.Error(), "--drop-old") {
		t.Errorf("a second time: %v", err)
	}
	if freed, err := store.DropOld(t.Context(), dir); err != nil || freed != before {
		t.Errorf("%d bytes were freed, %v", freed, err)
	}
	if _, err := store.DropOld(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second time: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}

func TestDamagedIsNotCompactedNorIsTheOldOneDropped(t *testing.T) {
	dir := filled(t)
	if _, _, err := store.Compact(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	whole := read(t, dir, store.FileName)
	spoilt := bytes.Clone(whole)
	for i := 2 * os.Getpagesize(); i < len(spoilt); i++ {
		spoilt[i] ^= 0x55
	}
	if err := os.WriteFile(filepath.Join(dir, store.FileName), spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.DropOld(t.Context(), dir); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "was kept") {
		t.Errorf("dropping the old one: %v", err)
	}
	read(t, dir, store.BeforeCompaction)
	if err := os.Remove(filepath.Join(dir, store.BeforeCompaction)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Compact(t.Context(), dir); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("compaction: %v", err)
	}
	if !bytes.Equal(read(t, dir, store.FileName), spoilt) {
		t.Error("the file was changed")
	}
}

func TestCompactionKeepsOffAHubThatRuns(t *testing.T) {
	dir := filled(t)
	s := open(t, dir)
	if _, _, err := store.Compact(t.Context(), dir); !errors.Is(err, store.ErrLocked) {
		t.Errorf("compaction beside a hub: %v", err)
	}
	shut(t, s)
}

// A survey beside writers finds a whole database, whatever they do meanwhile.
func TestSurveyWhileOthersWrite(t *testing.T) {
	dir := filled(t)
	s := open(t, dir)
	var writer sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		for i := 0; ; i = (i + 1) % 50 {
			select {
			case <-done:
				return
			default:
			}
			if err := errors.Join(s.PutAccount(access.Account{Name: account(i)}, access.Ended{}), s.RemoveAccount(account((i+25)%50), access.Ended{})); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 30 {
		found, err := s.Survey(t.Context())
		if err != nil {
			t.Error(err)
		}
		if found.Live <= 0 || found.Live > found.Size {
			t.Errorf("%d of %d bytes are live", found.Live, found.Size)
		}
	}
	close(done)
	writer.Wait()
}

func TestOpenToReadChangesNothing(t *testing.T) {
	dir := filled(t)
	before := read(t, dir, store.FileName)
	a, err := store.OpenToRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.RestoredTold(); err == nil {
		t.Error("it can be written to")
	}
	shut(t, a)
	if !bytes.Equal(read(t, dir, store.FileName), before) {
		t.Error("the file was changed")
	}
	if _, err := store.OpenToRead(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without a database: %v", err)
	}
}
