package api

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// wanted is a filter of devices, read and ready to be asked.
type wanted struct {
	resource.DeviceFilter
	selector fleet.Selector
	words    []word
	// members are the devices that shall have the stack asked for.
	members map[protocol.DeviceID]bool
	// eyes are the caller's: what they do not see is not found.
	eyes *eyes
	// states, where it is not nil, counts what fits by liveness. The state asked for does not count there, so that
	// people see what else there is.
	states map[string]int
}

// sight is a device that fits.
type sight struct {
	fleet.Sight
	record   *recordLore
	snapshot *snapshotLore // as it was known; see lore.snapshot
}

// wanted reads a filter. The name of a field in errors is prefix and its own.
func (s *server) wanted(c *call, f resource.DeviceFilter, prefix string) (*wanted, error) {
	w := &wanted{DeviceFilter: f, eyes: c.eyes()}
	var err error
	if w.selector, err = fleet.ParseSelector(f.Selector); err != nil {
		return nil, inField(prefix+"selector", err)
	}
	if w.words, err = parseWords(f.Search); err != nil {
		return nil, inField(prefix+"q", err)
	}
	w.Group = strings.Trim(f.Group, "/")
	if f.Stack == "" {
		return w, nil
	}
	statuses, err := s.statuses(c, f.Stack)
	if err != nil {
		return nil, inField(prefix+"stack", err)
	}
	w.members = make(map[protocol.DeviceID]bool, len(statuses))
	for _, st := range statuses {
		if st.Version != 0 {
			w.members[st.Device] = true
		}
	}
	return w, nil
}

// find gives the devices that fit, sorted by name. Revoked devices are found only where they are asked for. What is
// given holds until the next one.
func (s *server) find(w *wanted) iter.Seq[*sight] {
	return func(yield func(*sight) bool) {
		var x sight // one for all: they would be most of what a list costs
		for x.Sight = range s.Devices.Sights(time.Now()) {
			if !s.fits(w, &x) {
				continue
			}
			state := string(x.Liveness.State)
			if w.states != nil {
				w.states[state]++
			}
			asked := slices.Contains(w.State, state)
			if !asked && (len(w.State) > 0 || x.Liveness.State == fleet.Revoked) {
				continue
			}
			if !yield(&x) {
				return
			}
		}
	}
}

// fits holds a device to all but the state; what costs least is looked at first.
func (s *server) fits(w *wanted, x *sight) bool {
	d := x.Device
	if !w.eyes.device(d) || !inGroup(d.Group, w.Group) || w.Mode != "" && d.Mode.String() != w.Mode || w.Version != "" && x.Version != w.Version ||
		w.Profile != "" && x.Effective.Settings.Profile != w.Profile || w.Stack != "" && !w.members[d.ID] ||
		!w.selector.Matches(x.Labels) || w.Stage != "" && s.stageOf(d.ID) != w.Stage {
		return false
	}
	x.record, x.snapshot = s.lore.record(&x.Sight)
	return (len(w.words) == 0 || w.saysAll(x)) && (!w.Trouble || w.troubled(x))
}

func (w *wanted) troubled(x *sight) bool {
	switch x.Liveness.State {
	case fleet.Late, fleet.Overdue:
		return true
	case fleet.Revoked:
		return false
	}
	return w.eyes.tally(x.Device).Failed > 0
}

// saysAll reports whether each word is found somewhere.
func (w *wanted) saysAll(x *sight) bool {
	var snap *snapshotLore
	for i := range w.words {
		word := &w.words[i]
		if x.record.text.has(word) {
			continue
		}
		if snap == nil {
			if snap = w.eyes.lore(x.Device, x.snapshot); snap == nil {
				return false
			}
		}
		if !word.in(snap) {
			return false
		}
	}
	return true
}

func inGroup(path, group string) bool {
	return group == "" || path == group ||
		len(path) > len(group) && path[len(group)] == '/' && path[:len(group)] == group
}
