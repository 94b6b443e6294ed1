package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func lines(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}

func TestEveryEntryIsOneLineOfJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()

	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			err := l.Record(Entry{
				Principal: "anna", Operation: "stacks.apply", Resource: fmt.Sprintf("stack %d", i), Result: ResultDone,
				Detail: "two lines\n{\"principal\":\"forged\"}" + strings.Repeat("ø", maxField),
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if err := l.Record(Entry{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}

	seen := map[string]bool{}
	for _, line := range lines(t, path) {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if e.Principal != "anna" || time.Since(e.At) > time.Minute || !strings.HasSuffix(e.Detail, "ø…") {
			t.Fatalf("entry %+.100v", e)
		}
		seen[e.Resource] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d entries, want 50", len(seen))
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}

func TestATornLineDoesNotSpoilTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	whole := `{"at":"2026-11-22T08:00:00Z","principal":"anna"}` + "\n"
	if err := os.WriteFile(path, []byte(whole+`{"at":"2026-`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		if err := l.Record(Entry{Principal: "per", Operation: "devices.change"}); err != nil {
			t.Fatal(err)
		}
	}
	got := lines(t, path)
	if len(got) != 4 || got[0]+"\n" != whole {
		t.Fatalf("%q", got)
	}
	for _, line := range got[2:] {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Principal != "per" {
			t.Errorf("%q: %v", line, err)
		}
	}
}
