package edgegroups_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

type ids = map[protocol.DeviceID]edgegroups.How

func (r *rig) want(name string, want ids) {
	r.t.Helper()
	if got := r.members(name); !maps.Equal(got, want) {
		r.t.Errorf("%s has %v, want %v", name, got, want)
	}
}

func (r *rig) put(s edgegroups.Spec) edgegroups.Group {
	r.t.Helper()
	g, err := r.desk.Put(s, nil)
	r.must(err)
	return g
}

func TestWhoCannotBeListedIsRefused(t *testing.T) {
	r := newRig(t)
	near, far, gone := device(1, "no/oslo", nil), device(2, "no/bergen", nil), device(3, "no/oslo", nil)
	r.must(r.fleet.AddAll([]fleet.Device{near, far, gone}))
	r.must(r.fleet.Revoke(gone.ID))
	for what, c := range map[string]struct {
		spec edgegroups.Spec
		is   error
		says string
	}{
		"no name":            {edgegroups.Spec{}, fleet.ErrInvalid, "want a name"},
		"a name of letters":  {edgegroups.Spec{Name: "Über"}, fleet.ErrInvalid, "want a name"},
		"a broken selector":  {edgegroups.Spec{Name: "g", Selector: "site=a,line in b"}, fleet.ErrInvalid, "character 8"},
		"a long description": {edgegroups.Spec{Name: "g", Description: strings.Repeat("x", 1025)}, fleet.ErrInvalid, "1025 bytes"},
		"a device elsewhere": {edgegroups.Spec{Name: "g", Home: "no/oslo", Devices: []protocol.DeviceID{far.ID}}, fleet.ErrInvalid, "no/bergen"},
		"a revoked device":   {edgegroups.Spec{Name: "g", Devices: []protocol.DeviceID{gone.ID}}, fleet.ErrNotFound, string(gone.ID)},
		"nobody":             {edgegroups.Spec{Name: "g", Devices: []protocol.DeviceID{"aaaa"}}, fleet.ErrNotFound, "aaaa"},
	} {
		_, err := r.desk.Put(c.spec, nil)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
		if c.spec.Name != "" && what != "a name of letters" {
			if _, err := r.desk.Preview(c.spec); !errors.Is(err, c.is) {
				t.Errorf("preview of %s: %v", what, err)
			}
		}
	}
	if len(r.desk.List()) != 0 || len(r.edited) != 0 || len(r.notices) != 0 {
		t.Errorf("what was refused left %v, told %v %v", r.desk.List(), r.edited, r.notices)
	}
	// Blank is no selector, and not one that names all.
	r.put(edgegroups.Spec{Name: "g", Selector: "  ", Devices: []protocol.DeviceID{near.ID}})
	r.want("g", ids{near.ID: edgegroups.Listed})
}

// Who is on a list leaves while it is revoked or elsewhere, and an edit of something else does not take it off.
func TestListedDevicesLeaveAndComeBack(t *testing.T) {
	r := newRig(t)
	a, b := device(1, "no/oslo", nil), device(2, "no/oslo/west", nil)
	r.must(r.fleet.AddAll([]fleet.Device{a, b}))
	spec := edgegroups.Spec{Name: "g", Home: "no/oslo", Devices: []protocol.DeviceID{b.ID, a.ID, b.ID}}
	first := r.put(spec)
	move := func(to string) {
		_, err := r.fleet.Update(b.ID, func(d *fleet.Device) error { d.Group = to; return nil })
		r.must(err)
		r.tell()
	}
	move("no/bergen")
	r.want("g", ids{a.ID: edgegroups.Listed})
	spec.Description = "the west"
	if g := r.put(spec); g.ID != first.ID || len(g.Devices) != 2 {
		t.Errorf("edited: %+v, was %+v", g, first)
	}
	move("no/oslo")
	r.want("g", ids{a.ID: edgegroups.Listed, b.ID: edgegroups.Listed})
	r.must(r.fleet.Revoke(a.ID))
	r.tell()
	r.want("g", ids{b.ID: edgegroups.Listed})
	r.restart()
	r.want("g", ids{b.ID: edgegroups.Listed})
}

// A device that was removed and admitted again starts anew, however quickly that goes.
func TestARemovedDeviceIsOnNoListWhenItComesBack(t *testing.T) {
	r := newRig(t)
	a, b := device(1, "", nil), device(2, "", nil)
	r.must(r.fleet.AddAll([]fleet.Device{a, b}))
	r.put(edgegroups.Spec{Name: "g", Devices: []protocol.DeviceID{a.ID, b.ID}})
	r.must(r.fleet.Remove(a.ID))
	r.must(r.fleet.Add(a))
	r.tell() // of both at once
	r.want("g", ids{b.ID: edgegroups.Listed})
	r.must(r.fleet.Remove(b.ID))
	r.restart() // before it was told
	r.want("g", ids{})
	if g, _ := r.desk.Named("g"); len(g.Devices) != 0 {
		t.Errorf("it lists %v", g.Devices)
	}
}

func TestAReplacementTakesThePlaceOnLists(t *testing.T) {
	for _, restart := range []bool{false, true} {
		r := newRig(t)
		old, spare := device(1, "", nil), device(2, "", nil)
		r.must(r.fleet.AddAll([]fleet.Device{old, spare}))
		r.put(edgegroups.Spec{Name: "g", Devices: []protocol.DeviceID{old.ID}})
		r.must(r.fleet.Replace(old.ID, spare.ID))
		if restart {
			r.restart()
		}
		r.tell()
		r.want("g", ids{spare.ID: edgegroups.Listed})
		r.must(r.fleet.Remove(old.ID))
		repaired := device(1, "", nil)
		repaired.Name = "repaired"
		r.must(r.fleet.Add(repaired)) // a device of its own now
		r.tell()
		r.put(edgegroups.Spec{Name: "g", Devices: []protocol.DeviceID{old.ID, spare.ID}})
		_, err := r.fleet.Update(spare.ID, func(d *fleet.Device) error { d.Labels = map[string]string{"x": "y"}; return nil })
		r.must(err)
		r.tell()
		r.want("g", ids{old.ID: edgegroups.Listed, spare.ID: edgegroups.Listed})
		r.restart()
		r.want("g", ids{old.ID: edgegroups.Listed, spare.ID: edgegroups.Listed})
	}
}

func TestASelectorForAFormerIDMeansTheReplacement(t *testing.T) {
	r := newRig(t)
	old, spare := device(1, "", nil), device(2, "", nil)
	r.must(r.fleet.AddAll([]fleet.Device{old, spare}))
	r.put(edgegroups.Spec{Name: "g", Selector: "farshore.io/id=" + string(old.ID)})
	r.must(r.fleet.Replace(old.ID, spare.ID))
	r.tell()
	r.want("g", ids{spare.ID: edgegroups.Selected})
}

func TestWhatIsUsedIsNotRemoved(t *testing.T) {
	r := newRig(t)
	g := r.put(edgegroups.Spec{Name: "g", Selector: "a"})
	r.uses[g.ID] = []string{"web", "db"}
	err := r.desk.Remove("g", "anna", nil)
	if used, ok := errors.AsType[*edgegroups.InUseError](err); !ok || !errors.Is(err, fleet.ErrInUse) || strings.Join(used.Stacks, " ") != "web db" {
		t.Errorf("removing what is used: %v", err)
	}
	if _, ok := r.desk.Members(g.ID); !ok {
		t.Error("it is gone all the same")
	}
	delete(r.uses, g.ID)
	r.must(r.desk.Remove("g", "anna", nil))
	if err := r.desk.Remove("g", "anna", nil); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("removing it again: %v", err)
	}
	r.restart()
	if again := r.put(edgegroups.Spec{Name: "g"}); again.ID == g.ID {
		t.Error("an id is used again")
	}
	if last := r.notices[1]; last.Kind != edgegroups.KindRemoved || last.By != "anna" || last.Group.ID != g.ID {
		t.Errorf("told: %+v", r.notices)
	}
}

func TestASecondEditorIsToldBeforeAnythingChanges(t *testing.T) {
	r := newRig(t)
	stop := errors.New("look again")
	if _, err := r.desk.Put(edgegroups.Spec{Name: "g"}, func(now *edgegroups.Group) error {
		if now != nil {
			t.Errorf("it is there already: %+v", now)
		}
		return stop
	}); !errors.Is(err, stop) {
		t.Error(err)
	}
	r.put(edgegroups.Spec{Name: "g", Selector: "a"})
	if err := r.desk.Remove("g", "", func(*edgegroups.Group) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if g, ok := r.desk.Named("g"); !ok || g.Selector != "a" {
		t.Errorf("%+v", g)
	}
}
