package planner

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// ErrClash is wrapped where two stacks want of a device what only one can have.
var ErrClash = errors.New("another stack has it")

// clash finds a stack of the device that has, or is about to have, what the version takes. s is nil for one that is new.
// The caller holds mu.
func (p *Planner) clash(s *stack, v *stacks.Version, dev protocol.DeviceID) (name string, take stacks.Take, found bool) {
	if len(v.Takes) == 0 {
		return "", stacks.Take{}, false
	}
	others := make([]*stack, 0, len(p.byDevice[dev]))
	for other, a := range p.byDevice[dev] {
		// While the planner starts, what a device has is not yet known to be wanted.
		if other != s && (a.wanted || p.starting && a.known) {
			others = append(others, other)
		}
	}
	slices.SortFunc(others, func(a, b *stack) int { return cmp.Compare(a.name, b.name) })
	for _, other := range others {
		for _, theirs := range other.comes(dev) {
			if take, found = stacks.Clash(v.Takes, theirs.Takes); found {
				return other.name, take, true
			}
		}
	}
	return "", stacks.Take{}, false
}

// comes are the versions that a device has of the stack, or may get without anybody asking. The caller holds mu.
func (s *stack) comes(dev protocol.DeviceID) []*stacks.Version {
	version, _, _ := s.due(s.devices[dev])
	numbers := []uint64{version}
	for _, r := range s.runs {
		if !r.over() {
			numbers = append(numbers, r.Version)
		}
	}
	var out []*stacks.Version
	for _, n := range numbers {
		if v := s.version(n); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// maxNamed is how many devices an error names.
const maxNamed = 5

// collides says on which devices another stack has what a version takes, and names those that sees reports; nil: all of
// them. The caller holds change, not mu.
func (p *Planner) collides(rec *stacks.Stack, v *stacks.Version, wanted map[protocol.DeviceID]bool, sees func(protocol.DeviceID) bool) error {
	if len(v.Takes) == 0 {
		return nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := p.byName[rec.Name]
	var devices []protocol.DeviceID
	var first string
	for dev := range wanted {
		if name, take, found := p.clash(s, v, dev); found {
			devices = append(devices, dev)
			first = cmp.Or(first, fmt.Sprintf("%s, which stack %q has", take, name))
		}
	}
	if len(devices) == 0 {
		return nil
	}
	slices.Sort(devices)
	names := make([]string, 0, maxNamed)
	for _, dev := range devices {
		if len(names) == maxNamed {
			break
		}
		if sees != nil && !sees(dev) {
			continue
		}
		target, _ := p.cfg.Fleet.Target(dev)
		names = append(names, fmt.Sprintf("%q", target.Name))
	}
	if more := len(devices) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	where := strings.Join(names, ", ")
	return fmt.Errorf("%w: %w: stack %q wants %s, on %s: change one of them, or take these devices out of the target",
		stacks.ErrInvalid, ErrClash, rec.Name, first, where)
}
