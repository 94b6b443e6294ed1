package outputs_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/jobs/runner/outputs"
	"github.com/farshore/farshore/protocol"
)

var _ runner.Outputs = (*outputs.Outputs)(nil)

func open(t *testing.T, dir string) *outputs.Outputs {
	t.Helper()
	o, err := outputs.New(outputs.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// text is n bytes of which each stretch is different.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.Bytes()[:n]
}

// end checks that what is kept of a stream is the end of all.
func end(t *testing.T, o *outputs.Outputs, run uint64, all []byte) {
	t.Helper()
	s, _ := o.Sizes(run)
	if s.Size != uint64(len(all)) || s.Kept > outputs.MaxStream || s.Kept < min(s.Size, outputs.MaxStream-64<<10) {
		t.Fatalf("size %d, kept %d of %d", s.Size, s.Kept, len(all))
	}
	var got []byte
	for at := s.Size - s.Kept; at < s.Size; {
		piece := make([]byte, 8<<10)
		n, err := o.ReadAt(run, protocol.StreamStdout, piece, at)
		if err != nil {
			t.Fatal(err)
		}
		got, at = append(got, piece[:n]...), at+uint64(n)
	}
	if !bytes.Equal(got, all[len(all)-len(got):]) || uint64(len(got)) != s.Kept {
		t.Error("what is kept is not the end of what was written")
	}
	if n, err := o.ReadAt(run, 0, make([]byte, 1), s.Size); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

func TestTheEndIsKeptThroughKills(t *testing.T) {
	for _, size := range []int{1, 64 << 10, 64<<10 + 1, outputs.MaxStream, outputs.MaxStream + 1, 3*outputs.MaxStream + 777} {
		for _, piece := range []int{1000, 64 << 10, 5 << 20} {
			dir, all := t.TempDir(), text(size)
			o := open(t, dir)
			stdout, _, _ := o.Begin(3)
			for rest := all; len(rest) > 0; {
				n, err := stdout.Write(rest[:min(piece, len(rest))])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			end(t, o, 3, all)
			end(t, open(t, dir), 3, all) // nothing was closed or told
		}
	}
}

func TestAnotherAttemptBeginsAnew(t *testing.T) {
	o := open(t, t.TempDir())
	old, _, _ := o.Begin(1)
	fmt.Fprint(old, "the first attempt")
	stdout, stderr, _ := o.Begin(1)
	fmt.Fprint(stdout, "out")
	fmt.Fprint(old, "late")
	fmt.Fprint(stderr, "errors")
	end(t, o, 1, []byte("out"))
	if _, s := o.Sizes(1); s.Size != 6 || s.Kept != 6 {
		t.Errorf("stderr: %+v", s)
	}
}

func TestARunThatWritesNothingHasNoFile(t *testing.T) {
	dir := t.TempDir()
	_, _, _ = open(t, dir).Begin(1)
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("there is %v", files)
	}
}

func TestTheOldestRunsGoFirst(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	runs := uint64(outputs.MaxDevice/outputs.MaxStream + 5)
	all := text(outputs.MaxStream)
	for run := uint64(1); run <= runs; run++ {
		stdout, _, _ := o.Begin(run)
		_, _ = stdout.Write(all)
	}
	total := int64(0)
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > outputs.MaxDevice {
		t.Errorf("%d bytes are on the disk", total)
	}
	if s, _ := o.Sizes(1); s.Kept != 0 {
		t.Errorf("of the oldest %+v is kept", s)
	}
	end(t, o, runs, all)
}

func TestOnlyAndDropLeaveNothingElse(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	for run := uint64(1); run <= 4; run++ {
		stdout, _, _ := o.Begin(run)
		fmt.Fprint(stdout, "something")
	}
	if err := os.WriteFile(filepath.Join(dir, "stray"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o = open(t, dir)
	if err := o.Only([]uint64{2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := o.Drop(3); err != nil {
		t.Fatal(err)
	}
	end(t, o, 2, []byte("something"))
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("there is %v", files)
	}
}

func TestADiskThatTakesNothingIsCountedOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outputs")
	o := open(t, dir)
	stdout, _, _ := o.Begin(1)
	fmt.Fprint(stdout, "before ")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if n, err := stdout.Write([]byte("lost ")); n != 5 || err != nil {
		t.Errorf("writing: %d, %v", n, err)
	}
	if s, _ := o.Sizes(1); s.Size != 12 || s.Kept != 0 {
		t.Errorf("got %+v", s)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(stdout, "after")
	if s, _ := o.Sizes(1); s.Size != 17 || s.Kept != 5 {
		t.Errorf("got %+v", s)
	}
	got := make([]byte, 5)
	if n, err := o.ReadAt(1, 0, got, 12); n != 5 || err != nil || string(got) != "after" {
		t.Errorf("got %q, %v", got[:n], err)
	}
}
