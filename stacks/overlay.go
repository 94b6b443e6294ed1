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
	// Device is an id or, where it cannot be one, a name; Group is a path. One of them is set, or none: the file is meant for all.
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
		if o.Device == t.Name && !isID(o.Device) {
			return 1<<20 - 1
		}
	case t.Group == o.Group || strings.HasPrefix(t.Group, o.Group+"/"):
		return 1 + len(o.Group)
	}
	return 0
}

// isID reports whether an overlay is for the device with an id: what can be one is never taken for a name.
func isID(device string) bool {
	_, err := protocol.ParseDeviceID(device)
	return err == nil
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

// MaxScopes is the most kinds of devices that a bundle may be different for: each group with each device, and neither.
const MaxScopes = 1024

// Scope is a kind of device: which has the overlays of a group and those above it, and those of its own id and name.
type Scope struct {
	Group string
	ID    protocol.DeviceID
	Name  string
}

// String names the overlays that count on such a device.
func (s Scope) String() string {
	var parts []string
	for _, o := range []Overlay{{Group: s.Group}, {Device: string(s.ID)}, {Device: s.Name}} {
		if o != (Overlay{}) {
			parts = append(parts, o.String())
		}
	}
	return cmp.Or(strings.Join(parts, " and "), "the bundle")
}

// Target is such a device.
func (s Scope) Target() (protocol.DeviceID, Target) {
	return s.ID, Target{Name: s.Name, Group: s.Group}
}

// Scopes lists the kinds of devices that a bundle is different for, the one without overlays first. Devices come and go,
// and get other names and groups, so that each group goes with each device. Errors wrap ErrInvalid.
func Scopes(paths []string) ([]Scope, error) {
	groups, devices := []string{""}, []string{}
	for _, path := range paths {
		o, _, err := SplitOverlay(path)
		if err != nil {
			return nil, err
		}
		if o.Device != "" {
			devices = append(devices, o.Device)
		} else {
			groups = append(groups, o.Group)
		}
	}
	slices.Sort(groups)
	slices.Sort(devices)
	groups, devices = slices.Compact(groups), slices.Compact(devices)
	if n := len(groups) - 1 + len(devices); n > MaxOverlays {
		return nil, fmt.Errorf("%w: the bundle has overlays for %d devices and groups, at most %d: use variables where single values differ",
			ErrInvalid, n, MaxOverlays)
	}
	names := append([]string{""}, slices.DeleteFunc(slices.Clone(devices), isID)...)
	ids := append([]string{""}, slices.DeleteFunc(devices, func(d string) bool { return !isID(d) })...)
	var kinds []Scope
	for _, id := range ids {
		for _, name := range names {
			kinds = append(kinds, Scope{ID: protocol.DeviceID(id), Name: name})
		}
	}
	if n := len(groups) * len(kinds); n > MaxScopes {
		return nil, fmt.Errorf("%w: the bundle has overlays for %d devices and %d groups, which each device can have together in %d ways, at most %d: use variables where single values differ",
			ErrInvalid, len(names)+len(ids)-2, len(groups)-1, n, MaxScopes)
	}
	all := make([]Scope, 0, len(groups)*len(kinds))
	for _, group := range groups {
		for _, kind := range kinds {
			kind.Group = group
			all = append(all, kind)
		}
	}
	return all, nil
}
