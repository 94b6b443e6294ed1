package stacks

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
)

func TestOverlaysByDevice(t *testing.T) {
	var files []protocol.File
	for i, path := range []string{
		"compose.yml", "tags.csv",
		".farshore/devices/aaaaaaaaaaaaaaaa/tags.csv", ".farshore/devices/crane 1/only/here.txt", ".farshore/devices/crane 1/tags.csv",
		".farshore/groups/norway/-/tags.csv", ".farshore/groups/norway/oslo/-/tags.csv", ".farshore/groups/nor/-/tags.csv",
	} {
		files = append(files, protocol.File{Path: path, Hash: protocol.Hash{byte(i)}})
	}
	for _, c := range []struct {
		id     protocol.DeviceID
		target Target
		want   string
	}{
		{"aaaaaaaaaaaaaaaa", Target{Name: "crane 1", Group: "norway/oslo"}, "compose.yml=0 only/here.txt=3 tags.csv=2"},
		{"bbbbbbbbbbbbbbbb", Target{Name: "crane 1"}, "compose.yml=0 only/here.txt=3 tags.csv=4"},
		{"bbbbbbbbbbbbbbbb", Target{Name: "x", Group: "norway/oslo/line1"}, "compose.yml=0 tags.csv=6"},
		{"bbbbbbbbbbbbbbbb", Target{Name: "x", Group: "norway/bergen"}, "compose.yml=0 tags.csv=5"},
		{"bbbbbbbbbbbbbbbb", Target{Name: "x", Group: "norwayx"}, "compose.yml=0 tags.csv=1"},
	} {
		var got []string
		for _, f := range FilesOf(files, c.id, c.target) {
			got = append(got, fmt.Sprintf("%s=%d", f.Path, f.Hash[0]))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s %+v: %s, want %s", c.id, c.target, text, c.want)
		}
	}
}

func TestOverlaysForNobody(t *testing.T) {
	for _, path := range []string{
		".farshore/x", ".farshore/devices/", ".farshore/devices/a", ".farshore/groups/norway/tags.csv", ".farshore/groups/norway/-/",
		".farshore/devices/a/.farshore/devices/b/c",
	} {
		if _, _, err := SplitOverlay(path); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", path, err)
		}
	}
	many := []string{"compose.yml"}
	for i := range MaxOverlays + 1 {
		many = append(many, fmt.Sprintf(".farshore/devices/d%d/x", i))
	}
	if _, err := Scopes(many); !errors.Is(err, ErrInvalid) {
		t.Errorf("more overlays than may be: %v", err)
	}
	if scopes, err := Scopes(many[:3]); err != nil || len(scopes) != 3 || scopes[0] != (Scope{}) {
		t.Errorf("%v, %v", scopes, err)
	}
}

func TestABundleIsNotDifferentForMoreKindsOfDevicesThanCanBeLookedAt(t *testing.T) {
	var paths []string
	for i := range 40 {
		paths = append(paths, fmt.Sprintf("%scrane-%d/a", DeviceOverlays, i), fmt.Sprintf("%soslo/%d%sa", GroupOverlays, i, GroupOverlayEnd))
	}
	if _, err := Scopes(paths); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "1681 ways") {
		t.Errorf("40 devices in 40 groups: %v", err)
	}
	ids := []string{"compose.yml"}
	for i := range 200 {
		ids = append(ids, DeviceOverlays+string(protocol.DeviceIDFor(ed25519.PublicKey(fmt.Sprint(i))))+"/a")
	}
	if all, err := Scopes(ids); err != nil || len(all) != 201 {
		t.Errorf("200 devices by their ids: %d, %v", len(all), err)
	}
	if all, err := Scopes(paths[:20]); err != nil || len(all) != 11*11 {
		t.Errorf("10 devices in 10 groups: %d, %v", len(all), err)
	}
}
