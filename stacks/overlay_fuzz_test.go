package stacks

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
)

// FuzzOverlays holds that a device gets of a bundle each path once, none that is an overlay, what is meant for all unless
// something nearer takes its place, and nothing that is meant for others.
func FuzzOverlays(f *testing.F) {
	f.Add("compose.yml\n.farshore/devices/crane/compose.yml\n.farshore/groups/a/-/x\n.farshore/groups/a/b/-/x", "crane", "a/b")
	f.Add(".farshore/groups//-/x\n.farshore/devices//x\n.farshore/groups/-/-/-/x\n.farshore/x", "", "")
	f.Add(".farshore/devices/a/.farshore/devices/a/b\n.farshore/groups/a/-/\n.farshore/groups/a/-/b/-/c", "a", "a/-/b")
	f.Fuzz(func(t *testing.T, text, name, group string) {
		paths := slices.Compact(slices.Sorted(strings.SplitSeq(text, "\n")))
		target := Target{Name: name, Group: group}
		var files []protocol.File
		mine := map[string]bool{}
		good := true
		for i, path := range paths {
			files = append(files, protocol.File{Path: path, Size: int64(i)})
			o, rest, err := SplitOverlay(path)
			if err != nil {
				good = false
				if !errors.Is(err, ErrInvalid) {
					t.Errorf("%q: %v is not ErrInvalid", path, err)
				}
				continue
			}
			if strings.HasPrefix(rest, Overlays) || (o == Overlay{}) != (rest == path) || o.Device != "" && o.Group != "" {
				t.Errorf("%q is %+v %q", path, o, rest)
			}
			if o.Counts("id", target) {
				mine[rest] = true
			}
		}
		scopes, err := Scopes(paths)
		if good != (err == nil) && len(paths) <= 24 {
			t.Errorf("scopes of %q: %v", paths, err)
		}
		for i, o := range scopes {
			if i == 0 && o != (Scope{}) || i > 0 && o == scopes[i-1] {
				t.Errorf("scopes are %v", scopes)
			}
		}
		got := FilesOf(files, "id", target)
		for i, file := range got {
			if i > 0 && got[i-1].Path >= file.Path || !mine[file.Path] {
				t.Errorf("%q is given out of order, twice, or is for others: of %q", file.Path, paths)
			}
			o, rest, _ := SplitOverlay(paths[file.Size])
			if rest != file.Path || !o.Counts("id", target) {
				t.Errorf("%q has the content of %q", file.Path, paths[file.Size])
			}
		}
		if len(got) != len(mine) {
			t.Errorf("%d files are given, %d are meant for the device: of %q", len(got), len(mine), paths)
		}
	})
}
