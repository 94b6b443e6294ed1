package stacks

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a difference between two bundles.
const (
	// MaxDiff is the most bytes of text that Diff gives for all files together, MaxFileDiff for one.
	MaxDiff     = 256 << 10
	MaxFileDiff = 64 << 10
	// maxEdits is the most lines in which two files are compared line by line. Beyond it, all that lies between the
	// first and the last different line counts as replaced.
	maxEdits = 1500
	// maxDiffLines is the most lines of a file that is compared at all.
	maxDiffLines = 100_000
	// around is how many lines that are the same are shown before and after what differs.
	around = 3
)

// FileChange says what became of a file.
type FileChange string

// What can become of a file.
const (
	FileAdded   FileChange = "added"
	FileRemoved FileChange = "removed"
	FileChanged FileChange = "changed"
)

// FileDiff is what became of one file from one bundle to another.
type FileDiff struct {
	// Path of the file in the bundle.
	Path string `json:"path"`
	// Change is what became of it.
	Change FileChange `json:"change"`
	// Text is the difference in the unified format. "": see Binary, Cut and Masked; or the file is empty.
	Text string `json:"text,omitempty"`
	// Added and Removed are numbers of lines. 0 as well where lines were not compared.
	Added   int `json:"added,omitempty"`
	Removed int `json:"removed,omitempty"`
	// Binary: it is not text, in one bundle at least.
	Binary bool `json:"binary,omitempty"`
	// Cut: Text ends before the difference does, or there is none as the file is too long.
	Cut bool `json:"cut,omitempty"`
	// Masked: what changed is hidden from the reader. Diff never says so.
	Masked bool `json:"masked,omitempty"`
}

// Diff compares two bundles, file contents by path, and gives the files that differ, sorted by path. Its text and its
// work are bounded, whatever the files are. A reader who may not see secrets is given the difference of masked bundles.
func Diff(from, to map[string][]byte) []FileDiff {
	all := maps.Clone(from)
	if all == nil {
		all = map[string][]byte{}
	}
	maps.Copy(all, to)
	var out []FileDiff
	left := MaxDiff
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, had := from[name]
		is, has := to[name]
		d := FileDiff{Path: name, Change: FileChanged}
		before, after := "a/"+name, "b/"+name
		switch {
		case !had:
			d.Change, before = FileAdded, "/dev/null"
		case !has:
			d.Change, after = FileRemoved, "/dev/null"
		case bytes.Equal(was, is):
			continue
		}
		room := min(left, MaxFileDiff) - len(before) - len(after) - len("--- \n+++ \n")
		switch {
		case !isText(was) || !isText(is):
			d.Binary = true
		case room <= 0, bytes.Count(was, []byte{'\n'}) > maxDiffLines, bytes.Count(is, []byte{'\n'}) > maxDiffLines:
			d.Cut = true
		default:
			d.compare(splitLines(was), splitLines(is), room)
		}
		if d.Text != "" {
			d.Text = fmt.Sprintf("--- %s\n+++ %s\n%s", before, after, d.Text)
			left -= len(d.Text)
		}
		out = append(out, d)
	}
	return out
}

func isText(content []byte) bool { return utf8.Valid(content) && !bytes.Contains(content, []byte{0}) }

// splitLines cuts after each end of a line.
func splitLines(content []byte) []string {
	return slices.Collect(strings.Lines(string(content)))
}

// compare sets the text, of most bytes at most, and the numbers of lines.
func (d *FileDiff) compare(a, b []string, most int) {
	steps := script(a, b)
	for _, s := range steps {
		switch s.op {
		case '+':
			d.Added++
		case '-':
			d.Removed++
		}
	}
	var text strings.Builder
	for _, h := range hunks(steps) {
		part := h.text()
		if room := most - text.Len(); len(part) > room {
			d.Cut = true
			text.WriteString(part[:strings.LastIndexByte(part[:room], '\n')+1])
			break
		}
		text.WriteString(part)
	}
	d.Text = text.String()
}

// step is a line that is in both (' '), only in the second ('+') or only in the first ('-'). a and b are how many lines
// of each come before it.
type step struct {
	op   byte
	a, b int
	line string
}

// script gives the steps from a to b, without most of what is the same at the start and at the end.
func script(a, b []string) []step {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var steps []step
	for i := max(0, head-around); i < head; i++ {
		steps = append(steps, step{' ', i, i, a[i]})
	}
	steps = append(steps, middle(a[head:len(a)-tail], b[head:len(b)-tail], head)...)
	for i := range min(tail, around) {
		x, y := len(a)-tail+i, len(b)-tail+i
		steps = append(steps, step{' ', x, y, a[x]})
	}
	return steps
}

// middle gives the fewest steps from a to b, by the greedy method of Myers (1986), which goes as far as it can with ever
// more edits. Both lie head lines into their files.
func middle(a, b []string, head int) (steps []step) {
	most := min(len(a)+len(b), maxEdits)
	reached := make([]int32, 2*most+2) // the furthest line of a on each diagonal, from -most
	var trace [][]int32                // what was reached with fewer edits, on the diagonals in use
	x, y := 0, 0
	down := func(d, k int) bool { // the last edit on diagonal k adds a line
		return k == -d || k != d && reached[most+k-1] < reached[most+k+1]
	}
	found := false
search:
	for d := 0; d <= most; d++ {
		trace = append(trace, slices.Clone(reached[most-d:most+d+1]))
		for k := -d; k <= d; k += 2 {
			switch {
			case d == 0:
				x = 0
			case down(d, k):
				x = int(reached[most+k+1])
			default:
				x = int(reached[most+k-1]) + 1
			}
			for y = x - k; x < len(a) && y < len(b) && a[x] == b[y]; y++ {
				x++
			}
			reached[most+k] = int32(x)
			if found = x >= len(a) && y >= len(b); found {
				break search
			}
		}
	}
	if !found {
		for i, line := range a {
			steps = append(steps, step{'-', head + i, head, line})
		}
		for i, line := range b {
			steps = append(steps, step{'+', head + len(a), head + i, line})
		}
		return steps
	}
	for d := len(trace) - 1; d >= 0; d-- {
		copy(reached[most-d:], trace[d])
		k := x - y
		startX, startY := 0, 0
		if d > 0 {
			if down(d, k) {
				startX = int(reached[most+k+1])
				startY = startX - k - 1
			} else {
				startX = int(reached[most+k-1])
				startY = startX - k + 1
			}
		}
		for x > startX && y > startY {
			x, y = x-1, y-1
			steps = append(steps, step{' ', head + x, head + y, a[x]})
		}
		switch {
		case y > startY:
			y--
			steps = append(steps, step{'+', head + x, head + y, b[y]})
		case x > startX:
			x--
			steps = append(steps, step{'-', head + x, head + y, a[x]})
		}
	}
	slices.Reverse(steps)
	return steps
}

// hunk is steps that follow each other.
type hunk []step

// hunks are the steps that change something, with those around them.
func hunks(steps []step) (out []hunk) {
	end := 0 // of the last hunk
	for i, s := range steps {
		if s.op == ' ' {
			continue
		}
		from, to := max(0, i-around), min(len(steps), i+around+1)
		if n := len(out); n > 0 && from <= end {
			out[n-1] = append(out[n-1], steps[end:max(end, to)]...)
		} else {
			out = append(out, slices.Clone(steps[from:to]))
		}
		end = max(end, to)
	}
	return out
}

func (h hunk) text() string {
	var lines strings.Builder
	a, b := 0, 0
	for _, s := range h {
		if s.op != '+' {
			a++
		}
		if s.op != '-' {
			b++
		}
		lines.WriteByte(s.op)
		lines.WriteString(s.line)
		if !strings.HasSuffix(s.line, "\n") {
			lines.WriteString("\n\\ No newline at end of file\n")
		}
	}
	// A side without lines is said to be after the line before.
	first := func(before, lines int) int { return before + min(lines, 1) }
	return fmt.Sprintf("@@ -%d,%d +%d,%d @@\n", first(h[0].a, a), a, first(h[0].b, b), b) + lines.String()
}
