package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"
)

type memory struct {
	mu    sync.Mutex
	saved Saved
}

func (m *memory) LoadBackups() (Saved, error) { m.mu.Lock(); defer m.mu.Unlock(); return m.saved, nil }

func (m *memory) PutBackups(s Saved) error { m.mu.Lock(); defer m.mu.Unlock(); m.saved = s; return nil }

// plainVault seals nothing; the real one has its own tests.
type plainVault struct{}

func (plainVault) Seal(purpose string, plain []byte) []byte { return append([]byte(purpose), plain...) }

func (plainVault) Open(purpose string, sealed []byte) ([]byte, error) {
	return sealed[len(purpose):], nil
}

type kept struct {
	*Keeper
	store  *memory
	folder string
	own    *age.X25519Identity
	runs   []Run
}

func keeper(t *testing.T) *kept {
	t.Helper()
	own, err := age.GenerateX25519Identity()
	must(t, err)
	k := &kept{store: &memory{}, folder: t.TempDir(), own: own}
	src := source(t)
	k.Keeper, err = New(Config{
		Source: src, Store: k.store, Vault: plainVault{}, Done: func(r Run) { k.runs = append(k.runs, r) }, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	return k
}

func (k *kept) plan() Plan {
	return Plan{Folder: k.folder, Times: "02:30", Keep: 2, Recipients: []string{k.own.Recipient().String()}}
}

func (k *kept) names(t *testing.T) (out []string) {
	t.Helper()
	list, err := os.ReadDir(k.folder)
	must(t, err)
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestPlanIsFollowedAndOnlyItsOwnFilesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper(t)
		foreign := []string{"farshore-20000101T023000Z.age", "mine.age"}
		for _, name := range foreign {
			must(t, os.WriteFile(filepath.Join(k.folder, name), nil, 0o600))
		}
		stop := k.start(t)
		must(t, k.SetPlan(k.plan(), ""))
		time.Sleep(4 * 24 * time.Hour)
		stop()
		if len(k.runs) != 4 {
			t.Fatalf("%d backups in four days", len(k.runs))
		}
		for _, r := range k.runs {
			if at := time.UnixMilli(r.Started); r.Error != "" || at.Hour() != 2 || at.Minute() != 30 {
				t.Errorf("at %s: %s", at, r.Error)
			}
		}
		names := k.names(t)
		if len(names) != 4 || !slices.Contains(names, foreign[0]) || !slices.Contains(names, foreign[1]) {
			t.Errorf("the folder has %v", names)
		}
		f, err := os.Open(filepath.Join(k.folder, k.runs[3].File))
		must(t, err)
		defer f.Close()
		info, err := f.Stat()
		must(t, err)
		key, err := IdentityKey(strings.NewReader(k.own.String()))
		must(t, err)
		if _, err := Check(t.Context(), f, key); err != nil || info.Mode().Perm() != 0o600 || info.Size() != k.runs[3].Size {
			t.Errorf("the last one: %v, mode %o, %d bytes", err, info.Mode().Perm(), info.Size())
		}
	})
}

// start follows the plan until what it returns is called.
func (k *kept) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	return func() {
		synctest.Wait()
		cancel()
		must(t, <-done)
	}
}

// A hub that was off at the time makes up for it when it is back, and a failure is tried again.
func TestMissedAndFailedBackupsAreMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper(t)
		must(t, k.SetPlan(k.plan(), ""))
		time.Sleep(3 * 24 * time.Hour)
		away := k.folder + "-away"
		must(t, os.Rename(k.folder, away))
		stop := k.start(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := k.State(); len(s.Runs) != 1 || !strings.Contains(s.Runs[0].Error, "is not there") || s.LastSuccess != 0 {
			t.Errorf("without its folder: %+v", s)
		}
		must(t, os.Rename(away, k.folder))
		time.Sleep(retryAfter)
		synctest.Wait()
		if s := k.State(); len(s.Runs) != 2 || s.Runs[0].Error != "" || s.LastSuccess == 0 || time.UnixMilli(s.Next).Before(time.Now()) {
			t.Errorf("after it was put back: %+v", s)
		}
		stop()
		if len(k.names(t)) != 1 {
			t.Errorf("the folder has %v", k.names(t))
		}
	})
}

func TestFailureRemovesNothing(t *testing.T) {
	k := keeper(t)
	must(t, k.SetPlan(k.plan(), ""))
	for range 3 {
		_, err := k.RunNow(t.Context())
		must(t, err)
	}
	before := k.names(t)
	k.cfg.Source.Snapshot = func(func(int64, func(io.Writer) error) error) error {
		return fmt.Errorf("the database: %w", os.ErrClosed)
	}
	for range 3 {
		if _, err := k.RunNow(t.Context()); err == nil {
			t.Error("no error")
		}
	}
	if after := k.names(t); !slices.Equal(before, after) || len(after) != 2 {
		t.Errorf("before %v, after %v", before, after)
	}
}

func TestPlansThatCannotBeKeptAreRefused(t *testing.T) {
	k := keeper(t)
	file := filepath.Join(k.folder, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	link := filepath.Join(k.folder, "link")
	must(t, os.Symlink(k.cfg.Source.Dir, link))
	for says, change := range map[string]func(*Plan){
		"from the root":  func(p *Plan) { p.Folder = "backups" },
		"is not there":   func(p *Plan) { p.Folder += "/none" },
		"is a file":      func(p *Plan) { p.Folder = file },
		"data folder":    func(p *Plan) { p.Folder = filepath.Join(k.cfg.Source.Dir, "audit") },
		"the hub's data": func(p *Plan) { p.Folder = link },
		"a time of day":  func(p *Plan) { p.Times = "25:00" },
		"of a crontab":   func(p *Plan) { p.Times = "TZ=UTC" },
		"five fields":    func(p *Plan) { p.Times = "@every 1s" },
		"the times":      func(p *Plan) { p.Times = "0 0 31 2 *" },
		"want 1 to":      func(p *Plan) { p.Keep = 0 },
		"private key":    func(p *Plan) { p.Recipients = []string{k.own.String()} },
		"or recipients":  func(p *Plan) { p.Recipients = nil },
	} {
		p := k.plan()
		change(&p)
		if err := k.SetPlan(p, ""); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "AGE-SECRET") {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	p := k.plan()
	p.Recipients = nil
	if err := k.SetPlan(p, "too short"); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
	must(t, k.SetPlan(p, passphrase))
	p.Keep = 9
	must(t, k.SetPlan(p, "")) // keeps the passphrase
	if s := k.State(); !s.Passphrase || s.Plan.Keep != 9 || s.Next == 0 {
		t.Errorf("%+v", s)
	}
	must(t, k.SetPlan(Plan{}, ""))
	if s := k.State(); s.Passphrase || s.Next != 0 || len(k.store.saved.Sealed) != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := k.RunNow(t.Context()); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyOneIsMadeAtATimeAndNothingIsLeft(t *testing.T) {
	k := keeper(t)
	lock, key := quick(t)
	first, err := k.Make(t.Context(), lock)
	must(t, err)
	second, err := k.Make(t.Context(), lock) // the first is still being taken
	must(t, err)
	must(t, second.Close())
	if _, err := Check(t.Context(), first, key); err != nil {
		t.Error(err)
	}
	must(t, first.Close())
	k.making.Lock()
	if _, err := k.Make(t.Context(), lock); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	k.making.Unlock()
	left, err := filepath.Glob(filepath.Join(k.cfg.Source.Dir, partPrefix+"*"))
	must(t, err)
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
