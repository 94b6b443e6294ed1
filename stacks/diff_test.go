package stacks

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func files(pairs ...string) map[string][]byte {
	out := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = []byte(pairs[i+1])
	}
	return out
}

func TestDiffShowsWhatChanged(t *testing.T) {
	from := files("compose.yml", "services:\n  web:\n    image: web:1\n    restart: always\n    user: a\n    tty: true\n    init: true\n",
		"gone.txt", "one\n", "same.txt", "same\n", "logo.png", "\x89PNG\x00", "end.txt", "a")
	to := files("compose.yml", "services:\n  web:\n    image: web:2\n    restart: always\n    user: a\n    tty: true\n    init: true\n    env_file: .env\n",
		".env", "A=1\nB=2\n", "same.txt", "same\n", "logo.png", "\x89PNG\x01\x00", "end.txt", "a\n", "empty", "")
	want := []FileDiff{
		{Path: ".env", Change: FileAdded, Added: 2, Text: "--- /dev/null\n+++ b/.env\n@@ -0,0 +1,2 @@\n+A=1\n+B=2\n"},
		{
			Path: "compose.yml", Change: FileChanged, Added: 2, Removed: 1,
			Text: "--- a/compose.yml\n+++ b/compose.yml\n@@ -1,7 +1,8 @@\n services:\n   web:\n-    image: web:1\n+    image: web:2\n     restart: always\n     user: a\n     tty: true\n     init: true\n+    env_file: .env\n",
		},
		{Path: "empty", Change: FileAdded},
		{Path: "end.txt", Change: FileChanged, Added: 1, Removed: 1, Text: "--- a/end.txt\n+++ b/end.txt\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{Path: "gone.txt", Change: FileRemoved, Removed: 1, Text: "--- a/gone.txt\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-one\n"},
		{Path: "logo.png", Change: FileChanged, Binary: true},
	}
	got := Diff(from, to)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
	}
	if got := Diff(from, from); len(got) != 0 {
		t.Errorf("a bundle differs from itself: %+v", got)
	}
}

// Whatever two files are, the difference applied to the first gives the second.
func TestDiffAppliedGivesTheOther(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 3000 {
		lines := func() string {
			var b strings.Builder
			for range rng.IntN(40) {
				b.WriteString(strings.Repeat(string(rune('a'+rng.IntN(3))), rng.IntN(2)+1) + "\n")
			}
			return strings.TrimSuffix(b.String(), strings.Repeat("\n", rng.IntN(2)))
		}
		a, b := lines(), lines()
		if rng.IntN(2) == 0 { // a few edits only
			b = strings.Replace(a, "a\n", "changed\n", 1+rng.IntN(2))
		}
		for _, d := range Diff(files("f", a), files("f", b)) {
			if got := patch(t, a, d.Text); got != b {
				t.Fatalf("%q to %q: applied gives %q\n%s", a, b, got, d.Text)
			}
		}
	}
}

// patch applies a difference.
func patch(t *testing.T, a, text string) string {
	t.Helper()
	old, out, at, op := splitLines([]byte(a)), []string{}, 0, byte(0)
	for _, line := range splitLines([]byte(text))[2:] {
		var first, n, toFirst, m int
		switch {
		case strings.HasPrefix(line, "@@"):
			if _, err := fmt.Sscanf(line, "@@ -%d,%d +%d,%d @@", &first, &n, &toFirst, &m); err != nil {
				t.Fatal(err)
			}
			start := first - min(n, 1)
			out = append(out, old[at:start]...)
			if at = start; len(out) != toFirst-min(m, 1) {
				t.Fatalf("the hunk %q begins after %d lines", line, len(out))
			}
		case line[0] == '\\':
			if op != '-' {
				out[len(out)-1] = strings.TrimSuffix(out[len(out)-1], "\n")
			}
		case line[0] == '+':
			out = append(out, line[1:])
		default:
			if strings.TrimSuffix(old[at], "\n") != strings.TrimSuffix(line[1:], "\n") {
				t.Fatalf("the difference has %q where the file has %q", line, old[at])
			}
			if line[0] == ' ' {
				out = append(out, old[at])
			}
			at++
		}
		op = line[0]
	}
	return strings.Join(append(out, old[at:]...), "")
}

func TestDiffIsBounded(t *testing.T) {
	var a, b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&a, "a%d\n", i)
		fmt.Fprintf(&b, "b%d\n", i)
	}
	from, to := map[string][]byte{}, map[string][]byte{}
	for i := range 6 {
		from[fmt.Sprint(i)], to[fmt.Sprint(i)] = []byte(a.String()), []byte(b.String())
	}
	to["long"] = bytes.Repeat([]byte{'\n'}, 8<<20)
	to["line"] = []byte(strings.Repeat("x", MaxDiff))
	size, cut := 0, 0
	for _, d := range Diff(from, to) {
		size += len(d.Text)
		if d.Cut {
			cut++
		}
		if len(d.Text) > MaxFileDiff || d.Text != "" && !strings.HasSuffix(d.Text, "\n") {
			t.Errorf("%s has %d bytes of text", d.Path, len(d.Text))
		}
	}
	if size > MaxDiff || cut != 8 {
		t.Errorf("%d bytes of text, %d files are cut, want 8", size, cut)
	}
}
