package api

import (
	"strings"
	"unsafe"

	"github.com/farshore/farshore/hub/api/resource"
)

const (
	// maxText is the most that is kept of a device's names of one kind, in bytes: a device must not take the room of
	// others. What is beyond it is not found.
	maxText = 32 << 10
	maxLine = 512
)

// text is lines to be searched, at most maxText.
type text struct {
	lower string // in lower case
	// shown is the text as it came. It is the same string as lower where that has no other letters.
	shown string
	grams grams
}

func newText(lines []string) text {
	var b strings.Builder
	for i, line := range lines {
		if line = line[:min(len(line), maxLine)]; b.Len()+len(line) >= maxText {
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(strings.ReplaceAll(line, "\n", " "))
	}
	t := text{shown: strings.Clone(strings.ToValidUTF8(b.String(), ""))}
	t.lower = strings.ToLower(t.shown)
	for i := range gramsOf(t.lower) {
		t.grams.set(gramAt(t.lower, i))
	}
	return t
}

// size is how many bytes it takes beside itself.
func (t *text) size() int {
	if unsafe.StringData(t.lower) == unsafe.StringData(t.shown) {
		return len(t.shown)
	}
	return len(t.lower) + len(t.shown)
}

// has reports whether the word is somewhere. A word has no line break.
func (t *text) has(w *word) bool {
	for _, g := range w.grams {
		if !t.grams.has(g) {
			return false
		}
	}
	return strings.Contains(t.lower, w.text)
}

// find adds the lines that have the word, up to maxFound in all.
func (t *text) find(w *word, out []resource.FoundIn, kind func(line int) string) []resource.FoundIn {
	if !t.has(w) {
		return out
	}
	shown := strings.Split(t.shown, "\n")
	line := 0
	for lower := range strings.SplitSeq(t.lower, "\n") {
		if len(out) == maxFound {
			break
		}
		if strings.Contains(lower, w.text) {
			out = append(out, resource.FoundIn{Kind: kind(line), Text: shown[line]})
		}
		line++
	}
	return out
}

// grams is the set of all three bytes that follow each other in a text, with room for errors: those that it does not
// have are not in the text. By it most texts that do not have a word are known without being read.
type grams [16]uint64

func (g *grams) set(gram uint16)      { g[gram/64] |= 1 << (gram % 64) }
func (g *grams) has(gram uint16) bool { return g[gram/64]&(1<<(gram%64)) != 0 }

// gramsOf is how many a text has.
func gramsOf(s string) int { return max(len(s)-2, 0) }

// gramAt gives the place of one of them in a set.
func gramAt(s string, i int) uint16 {
	const golden = 2654435761 // 2^32 by the golden ratio: spreads what is near each other
	return uint16((uint32(s[i])<<16 | uint32(s[i+1])<<8 | uint32(s[i+2])) * golden >> 22)
}
