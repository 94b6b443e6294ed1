package edgegroups_test

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"iter"
	"testing"

	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// crowd is a large fleet in memory, with the labels that devices have.
type crowd struct {
	all []edgegroups.Device
	at  map[protocol.DeviceID]int
}

func newCrowd(n int) *crowd {
	c := &crowd{at: make(map[protocol.DeviceID]int, n)}
	arch := []string{"amd64", "arm64", "arm-v7"}
	for i := range n {
		id := protocol.DeviceID(base32.HexEncoding.EncodeToString(binary.BigEndian.AppendUint64([]byte("id"), uint64(i)))[:16])
		group := fmt.Sprintf("region%d/site%03d", i%10, i%400)
		c.at[id] = i
		c.all = append(c.all, edgegroups.Device{ID: id, Group: group, Labels: map[string]string{
			"site": fmt.Sprintf("site%03d", i%400), "env": []string{"prod", "test", "lab"}[i%3], "line": fmt.Sprint(i % 12), "customer": fmt.Sprintf("c%d", i%50),
			"ring": "stable", "model": fmt.Sprintf("m%d", i%7), "country": "no",
			fleet.FactID: string(id), fleet.FactName: fmt.Sprintf("gw-%06d", i), fleet.FactGroup: group, fleet.FactArch: arch[i%3], fleet.FactOS: "debian",
			fleet.FactEngine: "docker", fleet.FactEngineVersion: "27.3.1", fleet.FactMode: "async", fleet.FactVersion: "v1.4.0",
		}})
	}
	return c
}

func (c *crowd) Device(id protocol.DeviceID) (edgegroups.Device, bool) {
	i, ok := c.at[id]
	if !ok {
		return edgegroups.Device{}, false
	}
	return c.all[i], true
}

func (c *crowd) Known(id protocol.DeviceID) bool { _, ok := c.at[id]; return ok }

func (c *crowd) Devices() iter.Seq[edgegroups.Device] {
	return func(yield func(edgegroups.Device) bool) {
		for _, d := range c.all {
			if !yield(d) {
				return
			}
		}
	}
}

// shelf keeps nothing.
type shelf struct{ last uint64 }

func (*shelf) LoadEdgeGroups() ([]edgegroups.Group, error) { return nil, nil }

func (s *shelf) SaveEdgeGroups(groups []edgegroups.Group) error {
	for i := range groups {
		s.last++
		groups[i].ID = s.last
	}
	return nil
}

func (*shelf) RemoveEdgeGroup(uint64) error { return nil }

const groupsAtOnce = 200

// spec is one of groups as people make them: most for a site, some across all, some of a list.
func spec(c *crowd, i int) edgegroups.Spec {
	s := edgegroups.Spec{Name: fmt.Sprintf("group-%d", i)}
	switch i % 10 {
	case 0:
		s.Selector = fmt.Sprintf("env=prod,!canary,line notin (%d, %d)", i%12, i%5)
	case 1:
		s.Selector = fmt.Sprintf("farshore.io/arch in (amd64, arm64),customer=c%d", i%50)
	case 2:
		for j := range 50 {
			s.Devices = append(s.Devices, c.all[(i*501+j*37)%len(c.all)].ID)
		}
	case 3:
		s.Selector = "!quiet,model!=m3"
		s.Home = fmt.Sprintf("region%d", i/10%10)
	default:
		s.Selector = fmt.Sprintf("site in (site%03d, site%03d),env=prod", i, i+150)
	}
	return s
}

// BenchmarkLabelChange is one label of one device among 100,000 changing, with 200 edge groups; and beside it what the
// same costs by asking every group about the device, and about the whole fleet.
func BenchmarkLabelChange(b *testing.B) {
	c := newCrowd(100_000)
	d, err := edgegroups.New(edgegroups.Config{Store: &shelf{}, Fleet: c})
	if err != nil {
		b.Fatal(err)
	}
	selectors, homes := make([]fleet.Selector, 0, groupsAtOnce), make([]string, 0, groupsAtOnce)
	members := 0
	for i := range groupsAtOnce {
		s := spec(c, i)
		g, err := d.Put(s, nil)
		if err != nil {
			b.Fatal(err)
		}
		members += d.Size(g.ID)
		sel, err := fleet.ParseSelector(s.Selector)
		if err != nil {
			b.Fatal(err)
		}
		selectors, homes = append(selectors, sel), append(homes, s.Home)
	}
	const who = 4_711
	changed := &c.all[who]
	rings := []map[string]string{changed.Labels, {}}
	for k, v := range changed.Labels {
		rings[1][k] = v
	}
	rings[1]["canary"] = "yes" // takes it out of some groups
	n := 0
	flip := func() {
		n++
		changed.Labels = rings[n%2]
	}
	naive := func(dev *edgegroups.Device) (in int) {
		for i, sel := range selectors {
			if fleet.Within(dev.Group, homes[i]) && sel.Matches(dev.Labels) {
				in++
			}
		}
		return in
	}
	var index, scan float64
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			flip()
			if err := d.DeviceChanged(changed.ID); err != nil {
				b.Fatal(err)
			}
		}
		index = float64(b.Elapsed()) / float64(b.N)
		b.ReportMetric(float64(len(d.Of(changed.ID))), "groups-of-it")
		b.ReportMetric(float64(members), "memberships")
	})
	b.Run("every-group", func(b *testing.B) {
		for b.Loop() {
			flip()
			naive(changed)
		}
		b.ReportMetric(float64(b.Elapsed())/float64(b.N)/index, "times-the-index")
	})
	b.Run("scan-of-the-fleet", func(b *testing.B) {
		for b.Loop() {
			flip()
			for i := range c.all {
				naive(&c.all[i])
			}
		}
		scan = float64(b.Elapsed()) / float64(b.N)
		b.ReportMetric(scan/index, "times-the-index")
	})
	b.Run("edit-a-group", func(b *testing.B) {
		s := spec(c, 0)
		for b.Loop() {
			if _, err := d.Put(s, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
