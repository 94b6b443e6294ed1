package compose

import (
	"bytes"
	"slices"
	"strings"

	"github.com/farshore/farshore/stacks"
)

// MaskedDiff is stacks.Diff for those who may not see secrets: it compares the bundles as Mask shows them. Of a file in
// which only what is masked differs it says that it changed, and nothing else.
func MaskedDiff(from, to map[string][]byte) []stacks.FileDiff {
	shownFrom, _ := Mask(from)
	shownTo, _ := Mask(to)
	out := stacks.Diff(shownFrom, shownTo)
	for name, was := range from {
		if is, has := to[name]; has && !bytes.Equal(was, is) && bytes.Equal(shownFrom[name], shownTo[name]) {
			out = append(out, stacks.FileDiff{Path: name, Change: stacks.FileChanged, Masked: true})
		}
	}
	slices.SortFunc(out, func(a, b stacks.FileDiff) int { return strings.Compare(a.Path, b.Path) })
	return out
}
