package stacks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
)

// Overlays are files of a bundle that are meant for some devices only: they take the place of the file with the rest of
// their path, or are added as that. Those of a device are below DeviceOverlays and its name or id, those of a group, and
// the groups below it, below GroupOverlays, the group's path and GroupOverlayEnd:
//
//	.farshore/devices/crane-1/config/tags.csv
//	.farshore/groups/norway/oslo/-/config/tags.csv
//
// The nearest group counts more than those above it, and the device more than its groups.
const (
	Overlays        = ".farshore/"
	DeviceOverlays  = Overlays + "devices/"
	GroupOverlays   = Overlays + "groups/"
	GroupOverlayEnd = "/-/"
)

// MaxOverlays is the most devices and groups that a bundle may have overlays for.
const MaxOverlays = 256

// Overlay is whom a file of a bundle is meant for.
type Overlay struct {
	// Device is a name or an id, Group a path. One of them is set, or none: the file is meant for all.
	Device, Group string
}

// String names it as it stands in the bundle.
func (o Overlay) String() string {
	switch {
	case o.Device != "":
		return DeviceOverlays + o.Device
	case o.Group != "":
		return GroupOverlays + o.Group + strings.TrimSuffix(GroupOverlayEnd, "/")
	}
	return "the bundle"
}

// SplitOverlay says whom the file of a bundle is meant for, and what it is called on the device. Errors wrap ErrInvalid.
func SplitOverlay(path string) (Overlay, string, error) {
	if !strings.HasPrefix(path, Overlays) {
		return Overlay{}, path, nil
	}
	var o Overlay
	rest, ok := "", false
	if after, is := strings.CutPrefix(path, DeviceOverlays); is {
		o.Device, rest, ok = strings.Cut(after, "/")
		ok = ok && o.Device != ""
	} else if after, is := strings.CutPrefix(path, GroupOverlays); is {
		o.Group, rest, ok = strings.Cut(after, GroupOverlayEnd)
		ok = ok && o.Group != ""
	}
	if !ok || rest == "" || strings.HasPrefix(rest, Overlays) {
		return Overlay{}, "", fmt.Errorf("%w: file %q is for nobody: use %sNAME/FILE for one device, or %sPATH%sFILE for a group",
			ErrInvalid, path, DeviceOverlays, GroupOverlays, GroupOverlayEnd)
	}
	return o, rest, nil
}

// Counts reports whether files of the overlay are meant for a device.
func (o Overlay) Counts(id protocol.DeviceID, t Target) bool { return o.rank(id, t) > 0 }

// rank says how much an overlay counts on a device: 0 not at all, else the more, the nearer.
func (o Overlay) rank(id protocol.DeviceID, t Target) int {
	switch {
	case o == Overlay{}:
		return 1
	case o.Device == string(id):
		return 1 << 20
	case o.Device != "":
		if o.Device == t.Name {
			return 1<<20 - 1
		}
	case t.Group == o.Group || strings.HasPrefix(t.Group, o.Group+"/"):
		return 1 + len(o.Group)
	}
	return 0
}

// HasOverlays reports whether some of the files are meant for some devices only.
func HasOverlays(files []protocol.File) bool {
	return slices.ContainsFunc(files, func(f protocol.File) bool { return strings.HasPrefix(f.Path, Overlays) })
}

// FilesOf gives the files of a version as a device has them, sorted by path. Files whose path cannot be read are left
// out.
func FilesOf(files []protocol.File, id protocol.DeviceID, t Target) []protocol.File {
	if !HasOverlays(files) {
		return files
	}
	type pick struct {
		file protocol.File
		rank int
	}
	best := map[string]pick{}
	for _, f := range files {
		o, path, err := SplitOverlay(f.Path)
		if err != nil {
			continue
		}
		rank := o.rank(id, t)
		if rank == 0 || best[path].rank >= rank {
			continue
		}
		f.Path = path
		best[path] = pick{f, rank}
	}
	out := make([]protocol.File, 0, len(best))
	for _, p := range best {
		out = append(out, p.file)
	}
	slices.SortFunc(out, func(a, b protocol.File) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// Scopes lists whom the overlays of a bundle are meant for, sorted, the zero Overlay first. Errors wrap ErrInvalid.
func Scopes(paths []string) ([]Overlay, error) {
	all := []Overlay{{}}
	for _, path := range paths {
		o, _, err := SplitOverlay(path)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b Overlay) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Device, b.Device)) })
	all = slices.Compact(all)
	if len(all) > MaxOverlays+1 {
		return nil, fmt.Errorf("%w: the bundle has overlays for %d devices and groups, at most %d: use variables where single values differ",
			ErrInvalid, len(all)-1, MaxOverlays)
	}
	return all, nil
}
