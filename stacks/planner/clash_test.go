package planner_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// A device that comes into reach of two stacks that want the same gets one of them, and is told why not the other, until
// the first one goes.
func TestADeviceThatComesLaterIsToldWhatClashes(t *testing.T) {
	for _, x := range []struct {
		take stacks.Take
		says string
	}{
		{stacks.Take{Service: "web", Port: 80, Protocol: "tcp"}, "host port 80/tcp"},
		{stacks.Take{Service: "web", Container: "proxy"}, "container name proxy"},
	} {
		s := newSite(t, 2, func(i int) map[string]string { return map[string]string{"site": []string{"oslo", "bergen"}[i]} })
		s.takes = []stacks.Take{x.take}
		first := planner.ApplySpec{Name: "first", Files: bundle("one"), Selector: ptr("site=oslo"), Author: "ada"}
		s.apply(first)
		second := planner.ApplySpec{Name: "second", Files: bundle("two"), Selector: ptr("site=bergen"), Author: "ada"}
		s.apply(second)
		s.pass(0)
		whole := second
		whole.Selector = ptr("")
		if _, _, err := s.Apply(whole); !errors.Is(err, planner.ErrClash) || !strings.Contains(err.Error(), x.says) ||
			!strings.Contains(err.Error(), "name of device0000000000") || strings.Contains(err.Error(), "device0000000001") {
			t.Errorf("both want the %s, and the devices are to be named: %v", x.says, err)
		}
		// Labels bring a device under both, which nobody could refuse before.
		moved := s.devices[1].id
		s.must(s.Remove("second", "ada"))
		s.pass(0)
		s.pass(0)
		second.Selector = ptr("line=4")
		s.apply(second)
		s.fleet.mu.Lock()
		s.fleet.devices[moved] = map[string]string{"site": "oslo", "line": "4"}
		s.fleet.mu.Unlock()
		s.must(s.DeviceChanged(moved))
		s.pass(0)
		s.restart()
		var has, lacks planner.DeviceStatus
		for _, st := range s.DeviceStacks(moved) {
			if st.Code == stacks.CodeClash {
				lacks = st
			} else {
				has = st
			}
		}
		if has.State != protocol.StackRunning || lacks.State != protocol.StackFailed || !strings.Contains(lacks.Detail, x.says) || len(s.devices[1].runs) != 1 {
			t.Errorf("%s: it has %+v, and lacks %+v", x.says, has, lacks)
		}
		s.must(s.Remove(has.Name, "ada"))
		s.pass(0)
		s.pass(0)
		if list := s.DeviceStacks(moved); len(list) != 1 || list[0].Name != lacks.Name || list[0].State != protocol.StackRunning {
			t.Errorf("%s: after the first one went: %+v", x.says, list)
		}
	}
}
