package audit_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/audit"
)

// writerFolder makes this test binary a writer that records until it is killed.
const writerFolder = "FARSHORE_TEST_AUDIT_WRITER"

func TestMain(m *testing.M) {
	flag.Parse()
	if dir := os.Getenv(writerFolder); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// writeUntilKilled says on its output which entries it was told are recorded.
func writeUntilKilled(dir string) {
	t := &trail{dir: dir, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), small: 64 << 10, t: panicking{}}
	t.open()
	for i := 1; ; i++ {
		err := t.log.Record(audit.Entry{Principal: "anna", Operation: "stacks.apply", Detail: strings.Repeat("x", i%2000)})
		if err != nil {
			panic(err)
		}
		fmt.Println(i)
	}
}

// panicking is a testing.TB for a process that is no test.
type panicking struct{ testing.TB }

func (panicking) Helper()           {}
func (panicking) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// A writer is killed again and again, at any moment: what it was told is recorded is there, and all holds.
func TestAKilledWriterLosesNothing(t *testing.T) {
	w := newTrail(t)
	var recorded uint64
	for round := range 5 {
		w.close()
		c := exec.Command(os.Args[0], "-test.run=^$")
		c.Env = append(os.Environ(), writerFolder+"="+w.dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for in := bufio.NewScanner(out); in.Scan(); n++ {
			if n == 500+round*37 {
				_ = c.Process.Kill()
			}
		}
		_ = c.Wait() // it was killed
		if n < 500 {
			t.Fatalf("the writer ended by itself after %d entries: %s", n, said.String())
		}
		recorded += uint64(n)
		w.open()
		r := w.verify()
		if r.Problem != nil || r.Entries < recorded {
			t.Fatalf("round %d: %d entries were recorded: %s", round, recorded, r.String())
		}
		recorded = r.Entries
	}
}

func TestRetention(t *testing.T) {
	needed := uint64(math.MaxUint64)
	w := newTrail(t)
	w.needed = func() uint64 { return needed }
	if err := w.log.SetRetention(audit.Retention{Days: 3}); err == nil {
		t.Error("three days were accepted")
	}
	if err := w.log.SetRetention(audit.Retention{Bytes: 1}); err == nil {
		t.Error("a byte was accepted")
	}
	w.small = 4 << 10
	w.again(func() {})
	w.fill(100)
	files := len(w.files())
	later := time.Now().Add((audit.DefaultDays + 1) * 24 * time.Hour)

	needed = 3 // what was not forwarded is not removed for its age
	if err := w.log.DropOld(later); err != nil {
		t.Fatal(err)
	}
	if n := len(w.files()); n < files {
		t.Fatalf("%d files of %d are left, though they were needed", n, files)
	}
	needed = math.MaxUint64
	for range 3 { // one at a time
		if err := w.log.DropOld(later); err != nil {
			t.Fatal(err)
		}
	}
	u := w.log.Usage()
	if u.First < 25 || u.First > 50 {
		t.Fatalf("%+v", u)
	}
	p, err := w.log.Page(t.Context(), audit.Query{Filter: audit.Filter{Operation: audit.OpDropped}})
	if err != nil || len(p.Lines) != 3 || !strings.Contains(p.Lines[2].Detail, "entries 1 to ") {
		t.Errorf("%v %+v", err, p.Lines)
	}
	w.holds(u.Last - u.First + 1)
	if got, oldest, err := w.log.Batch(0, 1<<20); err != nil || oldest != u.First || len(got) == 0 {
		t.Errorf("%d lines, oldest %d, %v", len(got), oldest, err)
	}
	w.again(func() {})
	w.fill(5)
	w.holds(u.Last - u.First + 6)
	w.again(func() { remove(t, w.files()[0]) })
	if r := w.verify(); r.Problem == nil {
		t.Error("somebody else removed the oldest file, and nobody noticed")
	}
}

// The golden trail is of the first release, and is read and verified for ever.
func TestGolden(t *testing.T) {
	dir := filepath.Join("testdata", "v1")
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	r, err := audit.Verify(t.Context(), dir, audit.VerifyConfig{HubKey: key})
	if err != nil || r.Problem != nil || r.Entries != 41 || r.Torn != 1 || r.Signed != 41 {
		t.Fatalf("%v, %+v: %s", err, r, r.String())
	}
}
