//go:build bench

package update_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/transfer"
)

var out = flag.String("out", "", "file for the figures, in Markdown; empty: standard output")

// oneLine is a change of one line in a file that an agent links, and one that a composer does.
var oneLine = map[string]struct{ file, before, after string }{
	"edgeagent": {
		"edgeagent/status.go", "func (a *Agent) Status() Status {\n", "func (a *Agent) Status() Status {\n\ta.log.Debug(\"somebody asks how this agent stands\", \"since\", a.started)\n",
	},
	"composer": {
		"cmd/composer/main.go", "func main() {\n", "func main() {\n\tprintln(\"this composer begins\")\n",
	},
}

// TestFigures measures what an update of one line costs.
func TestFigures(t *testing.T) {
	if dir := os.Getenv("FARSHORE_UPDATE_APPLY"); dir != "" {
		apply(t, dir)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Updates of agent and composer\n\nMade by `scripts/bench.sh update` on %s, %d × %s. Builds are those of `make build`; one line is changed, and the\nversion. *Whole* and *patch* are the bytes of all pieces, as they travel but for the frames; memory is what the process\nthat applies them had at most beside what it starts with.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOARCH)
	b.WriteString("| program | platform | size | whole | only the version | one line | of whole | made in | applied in | memory |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct{ program, arch string }{
		{"edgeagent", "amd64"}, {"edgeagent", "arm64"}, {"edgeagent", "arm"}, {"composer", "amd64"},
	} {
		dir := t.TempDir()
		old := built(t, dir, c.program, c.arch, "v1.0.0", false)
		version := built(t, dir, c.program, c.arch, "v1.0.1", false)
		line := built(t, dir, c.program, c.arch, "v1.1.0", true)
		whole := packedSize(t, line, nil, "")
		only := packedSize(t, version, old, "")
		began := time.Now()
		patch := packedSize(t, line, old, dir)
		made := time.Since(began)
		cmd := exec.Command(os.Args[0], "-test.run", "^TestFigures$", "-test.v")
		cmd.Env = append(os.Environ(), "FARSHORE_UPDATE_APPLY="+dir)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		var applied struct{ Milliseconds, KB int64 }
		_, rest, _ := strings.Cut(string(said), "applied ")
		text, _, _ := strings.Cut(rest, "\n")
		if err := json.Unmarshal([]byte(text), &applied); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		fmt.Fprintf(&b, "| %s | linux/%s | %.1f MB | %.2f MB | %.1f kB | %.1f kB | %.1f %% | %.1f s | %.1f s | %.0f MB |\n", c.program, c.arch,
			float64(len(line))/1e6, float64(whole)/1e6, float64(only)/1e3, float64(patch)/1e3, 100*float64(patch)/float64(whole),
			made.Seconds(), float64(applied.Milliseconds)/1e3, float64(applied.KB)/1e3)
	}
	if *out == "" {
		fmt.Print(b.String())
		return
	}
	if err := os.WriteFile(*out, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// built builds a program, with one line changed where that is wanted; the tree stays as it is.
func built(t *testing.T, dir, program, arch, version string, changed bool) []byte {
	t.Helper()
	path := filepath.Join(dir, version)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X github.com/farshore/farshore/internal/program.version=" + version, "-o", path}
	if changed {
		change := oneLine[program]
		file, err := filepath.Abs(filepath.Join("..", "..", change.file))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(file)
		if err != nil || strings.Count(string(source), change.before) != 1 {
			t.Fatalf("%s is another than expected: %v", change.file, err)
		}
		other, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
		text, _ := json.Marshal(map[string]any{"Replace": map[string]string{file: other}})
		if err := os.WriteFile(other, []byte(strings.Replace(string(source), change.before, change.after, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(overlay, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.Command("go", append(args, "../../cmd/"+program)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOARM=7")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// packedSize packs a program and returns the bytes of its pieces, which are kept in a folder where one is given.
func packedSize(t *testing.T, program, base []byte, dir string) (n int) {
	t.Helper()
	var pieces []transfer.Piece
	err := transfer.PackProgram(program, base, func(p transfer.Piece) error {
		pieces, n = append(pieces, p), n+len(p.Frame)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if dir == "" {
		return n
	}
	for i, p := range pieces {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("piece-%02d-%d-%d-%d", i, p.Size, p.BaseFrom, p.BaseSize)), p.Frame, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// apply makes the program of pieces as an agent does, in a process of its own, and says what that took.
func apply(t *testing.T, dir string) {
	before, began := residentKB(t), time.Now()
	names, err := filepath.Glob(filepath.Join(dir, "piece-*"))
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.Open(filepath.Join(dir, "v1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.Create(filepath.Join(dir, "made"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		var i, size, from, length int
		if _, err := fmt.Sscanf(filepath.Base(name), "piece-%d-%d-%d-%d", &i, &size, &from, &length); err != nil {
			t.Fatal(err)
		}
		frame, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dict := make([]byte, length)
		if _, err := base.ReadAt(dict, int64(from)); err != nil {
			t.Fatal(err)
		}
		b, err := transfer.UnpackPiece(frame, dict, size)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := made.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := made.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("applied {\"Milliseconds\":%d,\"KB\":%d}\n", time.Since(began).Milliseconds(), residentKB(t)-before)
}

// residentKB is the most memory that this process has had. What getrusage(2) says is that of its parent, too.
func residentKB(t *testing.T) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kB int64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatal(err)
	}
	return kB
}
