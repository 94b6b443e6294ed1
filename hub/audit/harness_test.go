package audit_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/store"
)

// trail is a data folder with a real database and an audit trail, which is opened and closed as a hub does.
type trail struct {
	t   testing.TB
	dir string
	key ed25519.PrivateKey
	db  *store.Store
	log *audit.Log
	// small makes segments so small that a few entries fill one.
	small int64
	// needed is what somebody still needs.
	needed func() uint64
}

func newTrail(t testing.TB) *trail {
	w := &trail{t: t, dir: t.TempDir(), key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *trail) folder() string { return filepath.Join(w.dir, audit.Folder) }

func (w *trail) open() {
	w.t.Helper()
	var err error
	if w.db, err = store.Open(w.dir); err != nil {
		w.t.Fatal(err)
	}
	w.log, err = audit.Open(audit.Config{Dir: w.folder(), Key: w.key, Store: w.db, SegmentBytes: w.small, Needed: w.needed})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *trail) close() {
	if err := errors.Join(w.log.Close(), w.log.Close(), w.db.Close()); err != nil {
		w.t.Error(err)
	}
}

// again closes the trail, lets change do something to its folder, and opens it.
func (w *trail) again(change func()) {
	w.t.Helper()
	w.close()
	change()
	w.open()
}

// fill records n entries.
func (w *trail) fill(n int) {
	w.t.Helper()
	for i := range n {
		err := w.log.Record(audit.Entry{
			Principal: "anna", Remote: "192.0.2.7", Operation: "stacks.apply", Resource: fmt.Sprintf("stack s%d", i), Group: "/norway/oslo",
			Result: audit.ResultDone, Detail: "version 3",
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// verify looks at the trail in its folder, as a tool beside the hub does.
func (w *trail) verify() audit.Report {
	w.t.Helper()
	saved, err := w.db.LoadTrail()
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := audit.Verify(context.Background(), w.folder(), audit.VerifyConfig{HubKey: w.key.Public().(ed25519.PublicKey), Saved: saved})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// holds says that all of n entries are there and hold.
func (w *trail) holds(n uint64) audit.Report {
	w.t.Helper()
	r := w.verify()
	if r.Problem != nil || r.Entries != n {
		w.t.Fatalf("%d entries, want %d: %s", r.Entries, n, r.String())
	}
	live, err := w.log.Verify(context.Background())
	if err != nil || live.Problem != nil || live.Entries != n {
		w.t.Fatalf("the open trail: %v, %s", err, live.String())
	}
	return r
}

// files are the segments, oldest first.
func (w *trail) files() []string {
	w.t.Helper()
	out, err := filepath.Glob(filepath.Join(w.folder(), "audit-*.jsonl"))
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// lines reads a file.
func lines(t testing.TB, path string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
}

func write(t testing.TB, path string, lines []string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
