package api

import (
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// Limits of what is searched for.
const (
	maxSearch = 200 // characters
	maxWords  = 16
	maxFound  = 3 // places of a device that are shown
	minDigest = 6 // hex digits
)

// word is one of the texts that have to be found, in lower case.
type word struct {
	text  string
	grams []uint16
	// digest is the beginning of an image's id, if the word can be that: whole bytes, and half of one more.
	digest   []byte
	half     byte
	hasHalf  bool
	isDigest bool
	prefixed bool // it begins with sha256:
}

func parseWords(q string) (out []word, err error) {
	if n := utf8.RuneCountInString(q); n > maxSearch {
		return nil, invalid("", "the text to search for has %d characters, at most %d are searched for: shorten it", n, maxSearch)
	}
	for _, text := range strings.Fields(strings.ToLower(q)) {
		if !slices.ContainsFunc(out, func(w word) bool { return w.text == text }) {
			out = append(out, newWord(text))
		}
	}
	if len(out) > maxWords {
		return nil, invalid("", "the text to search for has %d words, at most %d are searched for: leave some out", len(out), maxWords)
	}
	return out, nil
}

func newWord(text string) word {
	digits, prefixed := strings.CutPrefix(text, "sha256:")
	w := word{text: text, prefixed: prefixed}
	for i := range gramsOf(text) {
		w.grams = append(w.grams, gramAt(text, i))
	}
	if len(digits) < minDigest || len(digits) > 2*len(protocol.Hash{}) {
		return w
	}
	half := len(digits)%2 == 1
	padded := digits
	if half {
		padded += "0"
	}
	b, err := hex.DecodeString(padded)
	if err != nil {
		return w
	}
	w.digest, w.isDigest = b, true
	if half {
		w.digest, w.half, w.hasHalf = b[:len(b)-1], b[len(b)-1], true
	}
	return w
}

// begins reports whether the word is the beginning of a digest.
func (w *word) begins(h *protocol.Hash) bool {
	n := len(w.digest)
	return w.isDigest && string(h[:n]) == string(w.digest) && (!w.hasHalf || h[n]&0xf0 == w.half)
}

func (w *word) in(snap *snapshotLore) bool {
	// A word of this form is in no container's name.
	if !w.prefixed && snap.containers.has(w) || (snap.pinned || !w.prefixed) && snap.images.has(w) {
		return true
	}
	for i := range snap.digests {
		if w.begins(&snap.digests[i]) {
			return true
		}
	}
	return false
}

// foundIn says where the words were found in a device; nothing where all are in its name, which is seen anyway.
func (s *server) foundIn(w *wanted, d *fleet.Device) []resource.FoundIn {
	if len(w.words) == 0 {
		return nil
	}
	record, snap := s.lore.known(d.ID)
	if record == nil {
		return nil
	}
	if !w.eyes.whole(d) {
		snap = w.eyes.lore(d, snap)
	}
	each := make([][]resource.FoundIn, len(w.words))
	beyond := false
	for i := range w.words {
		each[i] = w.words[i].places(record, snap)
		beyond = beyond || len(each[i]) > 0 && each[i][0].Kind != "name"
	}
	if !beyond {
		return nil
	}
	// Of each word the first place, then the second of each …
	var out []resource.FoundIn
	for n := range maxFound {
		for _, places := range each {
			if n < len(places) && len(out) < maxFound && !slices.Contains(out, places[n]) {
				out = append(out, places[n])
			}
		}
	}
	return out
}

// places are the first of a device's texts in which the word is.
func (w *word) places(record *recordLore, snap *snapshotLore) []resource.FoundIn {
	out := record.text.find(w, nil, func(line int) string {
		return [...]string{"name", "id", "host", "group", "label"}[min(line, 4)]
	})
	if snap == nil {
		return out
	}
	out = snap.containers.find(w, out, func(int) string { return "container" })
	out = snap.images.find(w, out, func(int) string { return "image" })
	for i := range snap.digests {
		if len(out) < maxFound && w.begins(&snap.digests[i]) {
			out = append(out, resource.FoundIn{Kind: "digest", Text: "sha256:" + snap.digests[i].String()})
		}
	}
	return out
}
