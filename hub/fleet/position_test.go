package fleet_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/fleet"
)

func TestLabelsOfAPositionAreDegrees(t *testing.T) {
	for value, want := range map[string]struct{ lat, lon bool }{
		"59.9139": {true, true}, "-33.8688": {true, true}, "0": {true, true}, "-0": {true, true}, "90": {true, true}, "-90.000": {true, true},
		"90.0001": {false, true}, "-170.5": {false, true}, "180": {false, true}, "180.1": {}, "-181": {}, "361": {},
		"": {}, "-": {}, ".5": {}, "5.": {}, "+5": {}, "1e1": {}, "0x10": {}, "NaN": {}, "Inf": {}, "5,5": {}, "1.2.3": {}, "--5": {},
		"5 ": {}, "59°N": {}, "５": {}, "1_0": {}, strings.Repeat("0", 30): {},
	} {
		for key, ok := range map[string]bool{fleet.LabelLat: want.lat, fleet.LabelLon: want.lon} {
			err := fleet.CheckLabels(map[string]string{key: value})
			if ok != (err == nil) || err != nil && (!errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "want degrees")) {
				t.Errorf("%s=%q: %v", key, value, err)
			}
		}
	}
	if err := fleet.CheckLabels(map[string]string{"farshore.io/latitude": "5"}); err == nil {
		t.Error("another label below farshore.io/ can be given")
	}
	if lat, lon, ok := fleet.PositionOf(map[string]string{fleet.LabelLat: "-33.5", fleet.LabelLon: "151"}); !ok || lat != -33.5 || lon != 151 {
		t.Errorf("position %v %v %v", lat, lon, ok)
	}
	for _, half := range []map[string]string{nil, {fleet.LabelLat: "1"}, {fleet.LabelLon: "1"}, {fleet.LabelLat: "91", fleet.LabelLon: "1"}} {
		if _, _, ok := fleet.PositionOf(half); ok {
			t.Errorf("%v is a position", half)
		}
	}
}

// A position is inherited like any label, and selectors can ask whether there is one.
func TestAPositionIsInherited(t *testing.T) {
	r, done := open(t, t.TempDir(), nil)
	defer done()
	d := newDevice(1, "a")
	d.Group = "ships/aurora"
	must(t, r.Add(d))
	_, err := r.UpdateGroup("ships", func(g *fleet.Group) error {
		g.Labels = map[string]string{fleet.LabelLat: "-54.8", fleet.LabelLon: "-68.3"}
		return nil
	})
	must(t, err)
	if lat, lon, ok := fleet.PositionOf(r.LabelsOf(d.ID)); !ok || lat != -54.8 || lon != -68.3 {
		t.Errorf("position %v %v %v", lat, lon, ok)
	}
	sel, err := fleet.ParseSelector(fleet.LabelLat + ",!nothing")
	must(t, err)
	if got := r.Match(sel, ""); len(got) != 1 {
		t.Errorf("devices with a position: %v", got)
	}
}

// An edition changes with whatever a list shows of record and labels, and with nothing else.
func TestSightsHaveAnotherEditionAfterEachChange(t *testing.T) {
	r, done := open(t, t.TempDir(), nil)
	defer done()
	a, b := newDevice(1, "a"), newDevice(2, "b")
	b.Group = "no"
	must(t, r.AddAll([]fleet.Device{b, a}))
	look := func() (editions [2]uint64) {
		i := 0
		for s := range r.Sights(time.Now()) {
			if s.Device.Name != [...]string{"a", "b"}[i] || s.Labels[fleet.FactID] != string(s.Device.ID) || s.Liveness.State != fleet.NeverSeen {
				t.Fatalf("device %d of the fleet is %+v", i, s)
			}
			editions[i] = s.Edition
			i++
		}
		return editions
	}
	was := look()
	if was[0] == was[1] || was[0] == 0 {
		t.Fatalf("editions %v", was)
	}
	for _, step := range []struct {
		what    string
		do      func() error
		changes [2]bool
	}{
		{"nothing", func() error { return nil }, [2]bool{}},
		{"a label", func() error {
			_, err := r.Update(a.ID, func(d *fleet.Device) error { d.Labels = map[string]string{"x": "1"}; return nil })
			return err
		}, [2]bool{true, false}},
		{"a group's label", func() error {
			_, err := r.UpdateGroup("no", func(g *fleet.Group) error { g.Labels = map[string]string{"y": "1"}; return nil })
			return err
		}, [2]bool{false, true}},
		{"the same again", func() error {
			_, err := r.Update(a.ID, func(d *fleet.Device) error { d.Labels = map[string]string{"x": "1"}; return nil })
			return err
		}, [2]bool{}},
		{"removed and added again", func() error {
			if err := r.Remove(a.ID); err != nil {
				return err
			}
			return r.Add(a)
		}, [2]bool{true, false}},
	} {
		must(t, step.do())
		is := look()
		for i := range is {
			if (is[i] != was[i]) != step.changes[i] {
				t.Errorf("%s: editions %v after %v", step.what, is, was)
			}
		}
		was = is
	}
	for range r.Sights(time.Now()) {
		must(t, r.EnsureGroup("changed/in/the/loop")) // no lock is held
		break
	}
}
