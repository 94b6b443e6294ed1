package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/store"
)

func TestDamagedFileIsRefusedInASentence(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if err := s.PutAccount(access.Account{Name: strings.Repeat("x", 1+i)}, access.Ended{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, store.FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := bytes.Clone(whole)
	for i := 2 * os.Getpagesize(); i < len(spoilt); i++ {
		spoilt[i] ^= 0x55
	}
	for name, content := range map[string][]byte{
		"of one byte": whole[:1], "cut after its first pages": whole[:2*os.Getpagesize()], "cut in the middle": whole[:len(whole)/3],
		"of rubbish": bytes.Repeat([]byte("x"), 1<<16), "with spoilt pages": spoilt,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Open(dir)
			if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "from a backup") {
				t.Errorf("the error says %v", err)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(after, content) {
				t.Error("the file was changed")
			}
		})
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(dir); err != nil {
		t.Fatalf("what was put back is refused: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
