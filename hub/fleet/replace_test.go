package fleet_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

func TestReplacingADeviceMovesEverythingAtOnce(t *testing.T) {
	dir := t.TempDir()
	r, stop := open(t, dir, nil)
	old, spare := newDevice(1, "pump 7"), newDevice(2, "")
	old.Group, old.Labels, old.Profile = "NO/oslo-2", map[string]string{"line": "a"}, fleet.ProfileSatellite
	old.Settings.Ping, old.Confirmed = 90, true
	old.Facts.Serial, old.Facts.MachineID = "S-1", "m-1"
	spare.Facts.Hostname, spare.Labels = "pump 7", map[string]string{"spare": "yes"}
	must(t, r.AddAll([]fleet.Device{old, spare}))
	if n := get(t, r, spare.ID).Name; n != "pump 7-2" {
		t.Errorf("named %q after a host name that is taken", n)
	}
	must(t, r.Replace(old.ID, spare.ID))

	check := func(r *fleet.Registry) {
		t.Helper()
		got := get(t, r, spare.ID)
		if got.Name != "pump 7" || got.Group != "NO/oslo-2" || !maps.Equal(got.Labels, old.Labels) || got.Profile != old.Profile ||
			got.Settings != old.Settings || got.Replaces != old.ID || got.Confirmed || got.Revoked != 0 {
			t.Errorf("the replacement: %+v", got)
		}
		was := get(t, r, old.ID)
		if was.Revoked == 0 || was.ReplacedBy != spare.ID {
			t.Errorf("the replaced: %+v", was)
		}
		if d, err := r.Find("pump 7", anybody); err != nil || d.ID != spare.ID {
			t.Errorf("find: %s, %v", d.ID, err)
		}
		if ids := r.Match(fleet.Selector{}, ""); !slices.Equal(ids, []protocol.DeviceID{spare.ID}) {
			t.Errorf("match all: %v", ids)
		}
		for selector, want := range map[string]bool{
			"farshore.io/id=" + string(old.ID):              true, // what was for the old one is for the new one
			"farshore.io/id=" + string(spare.ID):            true,
			"farshore.io/id in (x, " + string(old.ID) + ")": true,
			"farshore.io/id!=" + string(old.ID):             false,
			"farshore.io/id notin (x)":                      true,
			"farshore.io/id=x":                              false,
			"line=b,farshore.io/id=" + string(old.ID):       false,
		} {
			sel, err := fleet.ParseSelector(selector)
			must(t, err)
			if got := len(r.Match(sel, "")) == 1; got != want {
				t.Errorf("selector %q means the replacement: %t, want %t", selector, got, want)
			}
		}
		marks := r.RevokedBefore("other", protocol.Facts{Serial: "s-1", MachineID: "M-1"})
		if len(marks) != 2 || r.RevokedBefore("other", protocol.Facts{}) != nil || len(r.RevokedBefore(old.ID, protocol.Facts{})) != 1 {
			t.Errorf("revoked before: %q", marks)
		}
	}
	check(r)
	stop()
	r, stop = open(t, dir, nil)
	check(r)
	for _, x := range []struct {
		old, new protocol.DeviceID
		want     error
	}{{old.ID, spare.ID, fleet.ErrInvalid}, {spare.ID, old.ID, fleet.ErrRevoked}, {spare.ID, spare.ID, fleet.ErrInvalid}, {"x", spare.ID, fleet.ErrNotFound}} {
		if err := r.Replace(x.old, x.new); !errors.Is(err, x.want) {
			t.Errorf("replace %s by %s: %v, want %v", x.old, x.new, err, x.want)
		}
	}

	// Removed, its hardware is still remembered; approved again by a person, it no longer is.
	must(t, r.Remove(old.ID))
	stop()
	r, _ = open(t, dir, nil)
	if marks := r.RevokedBefore(old.ID, old.Facts); len(marks) != 3 {
		t.Errorf("after its removal: %q", marks)
	}
	old.Name = "back again"
	must(t, r.Add(old))
	if marks := r.RevokedBefore(old.ID, old.Facts); marks != nil {
		t.Errorf("after it was approved again: %q", marks)
	}
}
