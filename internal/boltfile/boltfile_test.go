package boltfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/internal/boltfile"
)

// victims names the folder of the files that the process that may die opens.
const victims = "FARSHORE_BOLTFILE_VICTIMS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victims); dir != "" {
		openAll(dir)
		return
	}
	os.Exit(m.Run())
}

// openAll opens each file as the hub and the agent do, reads everything and writes something. It says the name of each
// before, and after it what became of it.
func openAll(dir string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		fmt.Print(f.Name(), " ")
		fmt.Println(use(filepath.Join(dir, f.Name())))
	}
}

func use(path string) string {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, NoSync: true, OpenFile: boltfile.Open})
	if errors.Is(err, boltfile.ErrDamaged) {
		return "refused"
	}
	if err != nil {
		return "failed: " + err.Error()
	}
	err = errors.Join(readAll(db), db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("written"))
		if err != nil {
			return err
		}
		return b.Put([]byte("key"), make([]byte, 20<<10))
	}), db.Close())
	if err != nil {
		return "failed: " + err.Error()
	}
	return "used"
}

func readAll(db *bbolt.DB) error {
	return db.View(func(tx *bbolt.Tx) error {
		sum := 0
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				for _, c := range v {
					sum += int(c) // touches the page
				}
				sum += len(k)
				return nil
			})
		})
	})
}

// database writes one with everything bbolt knows: branches, long values, small and nested buckets, free pages.
func database(t *testing.T, noFreelist bool) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: noFreelist, NoSync: true})
	must(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 4 {
		must(t, db.Update(func(tx *bbolt.Tx) error {
			for _, name := range []string{"many", "few", "large"} {
				b, err := tx.CreateBucketIfNotExists([]byte(name))
				must(t, err)
				count, size := 600, 40
				if name == "few" {
					count = 2
				} else if name == "large" {
					count, size = 3, 30000
				}
				for i := range count {
					must(t, b.Put(fmt.Appendf(nil, "key %06d", r.IntN(4*count)+i), make([]byte, size+r.IntN(size))))
				}
				inner, err := b.CreateBucketIfNotExists([]byte("inner"))
				must(t, err)
				must(t, inner.Put(fmt.Appendf(nil, "k%d", round), []byte("v")))
			}
			return nil
		}))
	}
	must(t, db.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	return whole
}

func TestDamageNeverEndsTheProcess(t *testing.T) {
	dir := t.TempDir()
	wantRefused := map[string]bool{}
	total := 0
	for _, noFreelist := range []bool{true, false} {
		whole := database(t, noFreelist)
		put := func(name string, content []byte) string {
			name = fmt.Sprintf("%t-%s", noFreelist, name)
			must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
			total++
			return name
		}
		wantRefused[put("whole", whole)] = false
		wantRefused[put("empty", nil)] = false
		used := lastUsed(whole) // beyond it there is only room
		for _, size := range []int{1, 100, 4095, 4096, 8192, 12288, len(whole) / 4, len(whole) / 2, used - 4096} {
			wantRefused[put(fmt.Sprintf("cut-%d", size), whole[:size])] = true
		}
		wantRefused[put("zeros", make([]byte, len(whole)))] = true
		wantRefused[put("rubbish", bytes.Repeat([]byte("rubbish "), len(whole)/8))] = true
		r := rand.New(rand.NewPCG(3, 4))
		for i := range 60 { // any of it may be in a page nobody uses, or in a value
			spoilt := bytes.Clone(whole)
			page := spoilt[4096*r.IntN(used/4096):][:4096]
			switch i % 3 {
			case 0:
				for j := range page {
					page[j] = byte(r.Uint32())
				}
			case 1:
				clear(page)
			case 2: // in a header or an element
				page[r.IntN(200)] ^= 1 << r.IntN(8)
			}
			put(fmt.Sprintf("spoilt-%d", i), spoilt)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victims+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the process ended: %v\n%s", err, tail(out))
	}
	became := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		became[name] = what
	}
	refused := 0
	for name, what := range became {
		want, known := wantRefused[name]
		switch {
		case known && want != (what == "refused"), what != "refused" && what != "used":
			t.Errorf("%s: %s", name, what)
		case what == "refused":
			refused++
		}
	}
	if len(became) != total {
		t.Errorf("%d of %d files were opened", len(became), total)
	}
	if refused < total/4 {
		t.Errorf("only %d of %d files were refused: the damage is too mild to show anything", refused, total)
	}
}

// lastUsed is the offset behind the last page that is not only room.
func lastUsed(whole []byte) int {
	for at := len(whole) - 4096; ; at -= 4096 {
		if len(bytes.Trim(whole[at:at+4096], "\x00")) > 0 {
			return at + 4096
		}
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-3000):] }

func TestNobodyElseHasTheFileMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	must(t, os.WriteFile(path, database(t, true)[:20000], 0o600))
	f, err := boltfile.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
	if !errors.Is(err, boltfile.ErrDamaged) || f == nil || !strings.Contains(err.Error(), "are missing") {
		t.Fatalf("a file that was cut: %v", err)
	}
	if _, err := boltfile.Open(path, os.O_RDWR|os.O_CREATE, 0o600); !errors.Is(err, boltfile.ErrLocked) {
		t.Fatalf("a second one is let in: %v", err)
	}
	// Who waits gets the file that is there in the end, not the one that was moved away.
	type result struct {
		f   *os.File
		err error
	}
	second := make(chan result)
	go func() {
		f, err := boltfile.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
		second <- result{f, err}
	}()
	must(t, os.Rename(path, path+".damaged"))
	must(t, f.Close())
	select {
	case got := <-second:
		must(t, got.err)
		info, err := got.f.Stat()
		must(t, err)
		if info.Size() != 0 {
			t.Errorf("the file that was moved away was opened")
		}
		must(t, got.f.Close())
	case <-time.After(10 * time.Second):
		t.Fatal("the second waits for ever")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
