package edgegroups_test

import (
	"crypto/ed25519"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

// seen is a real fleet as edge groups see it.
type seen struct{ *fleet.Registry }

func (s seen) Device(id protocol.DeviceID) (edgegroups.Device, bool) {
	d, labels := s.Meant(id)
	if d == nil || d.Revoked != 0 {
		return edgegroups.Device{}, false
	}
	return edgegroups.Device{ID: id, Group: d.Group, Labels: labels, Former: d.Former}, true
}

func (s seen) Known(id protocol.DeviceID) bool {
	d, _ := s.Meant(id)
	return d != nil
}

func (s seen) Devices() iter.Seq[edgegroups.Device] {
	return func(yield func(edgegroups.Device) bool) {
		for x := range s.Sights(time.Now()) {
			if x.Device.Revoked == 0 && !yield(edgegroups.Device{ID: x.Device.ID, Group: x.Device.Group, Labels: x.Labels, Former: x.Device.Former}) {
				return
			}
		}
	}
}

// rig is a fleet and its edge groups on a real store, and what tells the one of the other.
type rig struct {
	t       testing.TB
	dir     string
	store   *store.Store
	fleet   *fleet.Registry
	desk    *edgegroups.Desk
	queue   []fleet.Change
	uses    map[uint64][]string
	edited  []uint64
	notices []edgegroups.Notice
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, dir: t.TempDir(), uses: map[uint64][]string{}}
	r.start()
	t.Cleanup(func() { _ = r.store.Close() })
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) start() {
	r.t.Helper()
	var err error
	r.store, err = store.Open(r.dir)
	r.must(err)
	r.fleet, err = fleet.New(fleet.Config{Store: r.store, Changed: func(c fleet.Change) { r.queue = append(r.queue, c) }})
	r.must(err)
	r.desk, err = edgegroups.New(edgegroups.Config{
		Store: r.store, Fleet: seen{r.fleet},
		Changed: func(id uint64) { r.edited = append(r.edited, id) },
		UsedBy:  func(id uint64) []string { return r.uses[id] },
		Events:  func(n edgegroups.Notice) { r.notices = append(r.notices, n) },
	})
	r.must(err)
}

func (r *rig) restart() {
	r.t.Helper()
	r.must(r.fleet.Close())
	r.must(r.store.Close())
	r.start()
}

// tell passes on what changed, as the hub does.
func (r *rig) tell() {
	r.t.Helper()
	queue := r.queue
	r.queue = nil
	for _, c := range queue {
		if c.Kind == fleet.ChangeRemoved {
			r.must(r.desk.DeviceRemoved(c.Device))
		}
		r.must(r.desk.DeviceChanged(c.Device))
	}
}

func (r *rig) members(name string) map[protocol.DeviceID]edgegroups.How {
	r.t.Helper()
	g, ok := r.desk.Named(name)
	if !ok {
		r.t.Fatalf("there is no edge group %s", name)
	}
	all, ok := r.desk.Members(g.ID)
	if !ok || r.desk.Size(g.ID) != len(all) {
		r.t.Fatalf("edge group %s has %d members and a size of %d", name, len(all), r.desk.Size(g.ID))
	}
	out := map[protocol.DeviceID]edgegroups.How{}
	for _, m := range all {
		out[m.Device] = m.How
		if !r.desk.InAny(m.Device, []uint64{g.ID}) {
			r.t.Fatalf("%s is a member of %s, and in none of it", m.Device, name)
		}
	}
	return out
}

func key(n int) (protocol.DeviceID, []byte) {
	seed := make([]byte, ed25519.SeedSize)
	seed[0], seed[1], seed[2] = byte(n), byte(n>>8), byte(n>>16)
	k := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return protocol.DeviceIDFor(k), k
}

func device(n int, group string, labels map[string]string) fleet.Device {
	id, k := key(n)
	return fleet.Device{ID: id, Key: k, Name: fmt.Sprintf("d%d", n), Group: group, Labels: labels, Mode: protocol.ModeAsync}
}

// requirement is one of a selector, matched here by hand.
type requirement struct {
	key, op string
	values  []string
}

func (q requirement) String() string {
	switch q.op {
	case "exists":
		return q.key
	case "!":
		return "!" + q.key
	case "in", "notin":
		return fmt.Sprintf("%s %s (%s)", q.key, q.op, strings.Join(q.values, ", "))
	}
	return q.key + q.op + q.values[0]
}

func (q requirement) matches(labels map[string]string) bool {
	v, has := labels[q.key]
	switch q.op {
	case "exists":
		return has
	case "!":
		return !has
	case "=", "in":
		return has && slices.Contains(q.values, v)
	}
	return !has || !slices.Contains(q.values, v)
}

// place is a device of the model.
type place struct {
	group   string
	labels  map[string]string
	revoked bool
}

type set struct {
	home     string
	listed   map[protocol.DeviceID]bool
	selector []requirement
}

// model says naively who is a member.
type model struct {
	*rand.Rand
	devices map[protocol.DeviceID]*place
	groups  map[string]map[string]string // labels by path
	sets    map[string]*set
}

func pick[T any](m *model, of ...T) T { return of[m.IntN(len(of))] }

func (m *model) path() string { return pick(m, "", "no", "no/oslo", "no/oslo/a", "no/bergen", "se") }

func (m *model) labels() map[string]string {
	out := map[string]string{}
	for range m.IntN(4) {
		out[pick(m, "site", "line", "env", "canary")] = pick(m, "a", "b", "c")
	}
	return out
}

func (m *model) all(p *place) map[string]string {
	out := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(m.groups)) {
		if path == "" || p.group == path || strings.HasPrefix(p.group, path+"/") {
			maps.Copy(out, m.groups[path])
		}
	}
	maps.Copy(out, p.labels)
	return out
}

func (m *model) members(s *set) map[protocol.DeviceID]edgegroups.How {
	out := map[protocol.DeviceID]edgegroups.How{}
	for id, p := range m.devices {
		if p.revoked || s.home != "" && p.group != s.home && !strings.HasPrefix(p.group, s.home+"/") {
			continue
		}
		var how edgegroups.How
		if s.listed[id] {
			how |= edgegroups.Listed
		}
		named := len(s.selector) > 0
		for _, q := range s.selector {
			named = named && q.matches(m.all(p))
		}
		if named {
			how |= edgegroups.Selected
		}
		if how != 0 {
			out[id] = how
		}
	}
	return out
}

func (m *model) compare(r *rig, after string) {
	r.t.Helper()
	of := map[protocol.DeviceID][]string{}
	for _, name := range slices.Sorted(maps.Keys(m.sets)) {
		want := m.members(m.sets[name])
		if got := r.members(name); !maps.Equal(got, want) {
			r.t.Fatalf("after %s, %s (%v) has\n%v, want\n%v", after, name, m.sets[name].selector, got, want)
		}
		for id := range want {
			of[id] = append(of[id], name)
		}
	}
	for id := range m.devices {
		var got []string
		for _, g := range r.desk.Of(id) {
			got = append(got, g.Name)
		}
		if !slices.Equal(got, of[id]) {
			r.t.Fatalf("after %s, %s is in %v, want %v", after, id, got, of[id])
		}
	}
	if got := len(r.desk.List()); got != len(m.sets) {
		r.t.Fatalf("after %s there are %d edge groups, want %d", after, got, len(m.sets))
	}
}

// some picks a device of the model, one that is not revoked where live is asked for; "": there is none.
func (m *model) some(live func(*place) bool) protocol.DeviceID {
	var ids []protocol.DeviceID
	for _, id := range slices.Sorted(maps.Keys(m.devices)) {
		if live(m.devices[id]) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return pick(m, ids...)
}

func standing(p *place) bool { return !p.revoked }

// step changes something in both, and says what.
func (m *model) step(r *rig) string {
	id := m.some(standing)
	switch k := m.IntN(20); {
	case k < 4 || id == "":
		d := device(m.IntN(60), m.path(), m.labels())
		if p := m.devices[d.ID]; p != nil {
			return "nothing"
		}
		m.devices[d.ID] = &place{group: d.Group, labels: d.Labels}
		r.must(r.fleet.Add(d))
		return "add " + string(d.ID)
	case k < 8:
		p := m.devices[id]
		p.labels = m.labels()
		_, err := r.fleet.Update(id, func(d *fleet.Device) error { d.Labels = p.labels; return nil })
		r.must(err)
		return "labels of " + string(id)
	case k < 10:
		p := m.devices[id]
		p.group = m.path()
		_, err := r.fleet.Update(id, func(d *fleet.Device) error { d.Group = p.group; return nil })
		r.must(err)
		return "move " + string(id)
	case k < 11:
		path := m.path()
		m.groups[path] = m.labels()
		_, err := r.fleet.PutGroup(fleet.Group{Path: path, Labels: m.groups[path]}, nil)
		r.must(err)
		return "labels of group " + path
	case k < 12:
		m.devices[id].revoked = true
		r.must(r.fleet.Revoke(id))
		return "revoke " + string(id)
	case k < 14:
		id = m.some(func(*place) bool { return true })
		delete(m.devices, id)
		for _, s := range m.sets {
			delete(s.listed, id)
		}
		r.must(r.fleet.Remove(id))
		return "remove " + string(id)
	case k < 18:
		return m.edit(r)
	case k < 19 && len(m.sets) > 0:
		name := pick(m, slices.Sorted(maps.Keys(m.sets))...)
		delete(m.sets, name)
		r.must(r.desk.Remove(name, "test", nil))
		return "remove edge group " + name
	}
	r.tell()
	r.restart()
	return "restart"
}

func (m *model) edit(r *rig) string {
	name := pick(m, "g1", "g2", "g3", "g4", "g5", "g6")
	s := &set{home: m.path(), listed: map[protocol.DeviceID]bool{}}
	for range m.IntN(4) {
		id := m.some(func(p *place) bool {
			return !p.revoked && (s.home == "" || p.group == s.home || strings.HasPrefix(p.group, s.home+"/"))
		})
		if id != "" {
			s.listed[id] = true
		}
	}
	var text []string
	for range m.IntN(3) {
		q := requirement{key: pick(m, "site", "line", "env", "canary"), op: pick(m, "exists", "!", "=", "!=", "in", "notin")}
		q.values = []string{pick(m, "a", "b", "c")}
		if q.op == "in" || q.op == "notin" {
			q.values = append(q.values, pick(m, "b", "c", "d"))
		}
		s.selector, text = append(s.selector, q), append(text, q.String())
	}
	m.sets[name] = s
	spec := edgegroups.Spec{Name: name, Home: s.home, Selector: strings.Join(text, ","), Devices: slices.Collect(maps.Keys(s.listed)), By: "test"}
	_, err := r.desk.Put(spec, nil)
	r.must(err)
	return fmt.Sprintf("edit %+v", spec)
}

// Random devices, labels, groups, edits, removals and restarts: membership is what a naive look at all gives.
func TestMembersAreThoseOfANaiveModel(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := &model{
				Rand: rand.New(rand.NewPCG(seed, 7)), devices: map[protocol.DeviceID]*place{}, groups: map[string]map[string]string{}, sets: map[string]*set{},
			}
			for n := range 300 {
				did := m.step(r)
				r.tell()
				m.compare(r, fmt.Sprintf("step %d, %s", n, did))
			}
			r.restart()
			m.compare(r, "the end")
		})
	}
}
