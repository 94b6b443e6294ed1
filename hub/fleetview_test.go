package hub

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// Who a reach means is the same for one device and for all, and what selector, home and edge groups say together.
func TestAReachMeansWhomAllOfItNames(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r, err := fleet.New(fleet.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	names := map[protocol.DeviceID]string{}
	for n, group := range []string{"", "no", "no", "no/oslo", "no/oslo", "se", "se"} {
		id := addDevice(t, r, protocol.Facts{})
		names[id] = fmt.Sprintf("d%d", n)
		_, err := r.Update(id, func(d *fleet.Device) error {
			d.Name, d.Group, d.Labels = names[id], group, map[string]string{"odd": fmt.Sprint(n % 2)}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sets, err := edgegroups.New(edgegroups.Config{Store: s, Fleet: setsFleet{r}})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]uint64{}
	for name, selector := range map[string]string{"odd": "odd=1", "first": "farshore.io/name in (d0, d1, d2, d3)", "nobody": "odd=7"} {
		g, err := sets.Put(edgegroups.Spec{Name: name, Selector: selector}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = g.ID
	}
	v := newFleetView(r, sets)
	of := func(names ...string) (out []uint64) {
		for _, n := range names {
			out = append(out, ids[n])
		}
		return out
	}
	for _, c := range []struct {
		reach stacks.Reach
		want  string
	}{
		{stacks.Reach{}, "d0 d1 d2 d3 d4 d5 d6"},
		{stacks.Reach{Include: of("odd")}, "d1 d3 d5"},
		{stacks.Reach{Include: of("odd", "first")}, "d0 d1 d2 d3 d5"},
		{stacks.Reach{Include: of("nobody")}, ""},
		{stacks.Reach{Exclude: of("first", "odd")}, "d4 d6"},
		{stacks.Reach{Include: of("odd"), Exclude: of("first")}, "d5"},
		{stacks.Reach{Include: of("odd"), Group: "no"}, "d1 d3"},
		{stacks.Reach{Include: of("first"), Exclude: of("nobody"), Group: "no", Selector: "odd=0"}, "d2"},
	} {
		all, err := v.Matching(c.reach)
		if err != nil {
			t.Fatal(err)
		}
		var got, one []string
		for _, id := range all {
			got = append(got, names[id])
		}
		for id, name := range names {
			if is, err := v.Matches(c.reach, id); err != nil {
				t.Fatal(err)
			} else if is {
				one = append(one, name)
			}
		}
		slices.Sort(got)
		slices.Sort(one)
		if strings.Join(got, " ") != c.want || strings.Join(one, " ") != c.want {
			t.Errorf("%+v means %v, asked one by one %v, want %s", c.reach, got, one, c.want)
		}
	}
	// A group that is not there is nobody's word: whom it left out must not come in.
	for _, reach := range []stacks.Reach{{Include: []uint64{99}}, {Exclude: []uint64{99}}} {
		if _, err := v.Matching(reach); !errors.Is(err, fleet.ErrNotFound) {
			t.Errorf("%+v: %v", reach, err)
		}
	}
}
