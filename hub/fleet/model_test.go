package fleet_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

// TestRandomFleetEqualsANaiveModel changes a fleet at random and compares all that the registry derives (labels,
// selectors, effective settings and their origin, groups, names) with a model that computes each anew from scratch,
// before and after the store is opened again.
func TestRandomFleetEqualsANaiveModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r, closeStore := open(t, dir, nil)
			m := &model{rnd: rand.New(rand.NewPCG(seed, 1)), groups: map[string]*node{"": {}}, profiles: map[string]protocol.Settings{}}
			m.profiles[fleet.ProfileLAN] = profile(t, r, fleet.ProfileLAN)
			m.profiles[fleet.ProfileSatellite] = profile(t, r, fleet.ProfileSatellite)
			for step := range 150 {
				what := m.step(t, r)
				if t.Failed() {
					t.Fatalf("step %d: %s", step, what)
				}
				if step%10 == 0 {
					m.compare(t, r)
				}
			}
			m.compare(t, r)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			closeStore()
			r, _ = open(t, dir, nil)
			m.compare(t, r)
		})
	}
}

// node is a device or a group of the model.
type node struct {
	id       protocol.DeviceID
	name     string
	path     string
	labels   map[string]string
	settings protocol.Settings
	profile  string
	mode     protocol.Mode
	arch     string
	revoked  bool
}

type model struct {
	rnd      *rand.Rand
	devices  []*node
	groups   map[string]*node
	profiles map[string]protocol.Settings
	made     byte
}

func pick[T any](m *model, of ...T) T { return of[m.rnd.IntN(len(of))] }

func (m *model) path() string {
	return pick(m, "", "no", "no/oslo", "no/oslo/a", "no/bergen", "no.oslo", "se", "se/lund", "n")
}

func (m *model) labels() map[string]string {
	out := map[string]string{}
	for range m.rnd.IntN(4) {
		out[pick(m, "site", "line", "tier", "example.com/x")] = pick(m, "", "a", "b", "7", "12")
	}
	return out
}

func (m *model) settings() protocol.Settings {
	return protocol.Settings{
		Ping: pick(m, 0, 0, 0, protocol.FrequencyOff, 60, 90), Snapshot: pick(m, 0, 0, protocol.FrequencyPush, 300),
		Command: pick(m, 0, 0, protocol.FrequencyPush, protocol.FrequencyOff, 45), Chunk: pick(m, uint32(0), 0, 1024, 2048),
		ConnectTimeout: pick(m, uint32(0), 0, 45), ExchangeTimeout: pick(m, uint32(0), 0, 90),
		KeyExchange: pick(m, 0, 0, protocol.KeyExchangeClassic, protocol.KeyExchangeHybrid),
	}
}

func (m *model) profile() string {
	return pick(m, "", "", "", fleet.ProfileLAN, fleet.ProfileSatellite, "p1", "p2")
}

func (m *model) known(profile string) bool {
	_, ok := m.profiles[profile]
	return ok || profile == ""
}

func (m *model) ensure(path string) {
	for {
		if m.groups[path] == nil {
			m.groups[path] = &node{path: path}
		}
		if path == "" {
			return
		}
		path = path[:max(strings.LastIndex(path, "/"), 0)]
	}
}

func (m *model) named(name string) *node {
	for _, d := range m.devices {
		if d.name == name && !d.revoked {
			return d
		}
	}
	return nil
}

// step does one change to both and checks that both accept or refuse it.
func (m *model) step(t *testing.T, r *fleet.Registry) string {
	verdict := func(what string, err error, want bool) string {
		t.Helper()
		if (err == nil) != want {
			t.Errorf("%s: %v, the model says accepted=%v", what, err, want)
		}
		return what
	}
	n := &node{
		path: m.path(), labels: m.labels(), settings: m.settings(), profile: m.profile(),
		mode: pick(m, protocol.ModeAsync, protocol.ModeStandard), arch: pick(m, "", "amd64", "arm/v7"),
	}
	switch k := m.rnd.IntN(10); {
	case k < 3 || len(m.devices) == 0:
		m.made++
		d := newDevice(m.made, fmt.Sprintf("d%d", m.rnd.IntN(30)))
		n.id, n.name = d.ID, d.Name
		d.Group, d.Labels, d.Settings, d.Profile, d.Mode, d.Facts.Arch = n.path, n.labels, n.settings, n.profile, n.mode, n.arch
		ok := m.named(n.name) == nil && m.known(n.profile)
		if ok {
			m.ensure(n.path)
			m.devices = append(m.devices, n)
		}
		return verdict("add "+n.name, r.Add(d), ok)
	case k < 6:
		d := pick(m, m.devices...)
		_, err := r.Update(d.id, func(x *fleet.Device) error {
			x.Group, x.Labels, x.Settings, x.Profile, x.Mode, x.Facts.Arch = n.path, n.labels, n.settings, n.profile, n.mode, n.arch
			return nil
		})
		ok := m.known(n.profile)
		if ok {
			n.id, n.name, n.revoked = d.id, d.name, d.revoked
			*d = *n
			if !d.revoked {
				m.ensure(d.path)
			}
		}
		return verdict("update "+d.name, err, ok)
	case k == 6:
		_, err := r.UpdateGroup(n.path, func(g *fleet.Group) error {
			g.Labels, g.Settings, g.Profile = n.labels, n.settings, n.profile
			return nil
		})
		ok := m.groups[n.path] != nil && m.known(n.profile)
		if ok {
			m.groups[n.path] = n
		}
		return verdict("update group "+n.path, err, ok)
	case k == 7:
		empty := m.groups[n.path] != nil && n.path != ""
		for p := range m.groups {
			empty = empty && !strings.HasPrefix(p, n.path+"/")
		}
		for _, d := range m.devices {
			empty = empty && (d.path != n.path || d.revoked)
		}
		if empty {
			delete(m.groups, n.path)
		}
		return verdict("remove group "+n.path, r.RemoveGroup(n.path), empty)
	case k == 8:
		name := pick(m, "p1", "p2", fleet.ProfileLAN)
		if m.rnd.IntN(3) > 0 {
			ok := name != fleet.ProfileLAN
			if ok {
				m.profiles[name] = n.settings
			}
			return verdict("put profile "+name, r.PutProfile(fleet.Profile{Name: name, Settings: n.settings}, nil), ok)
		}
		free := name != fleet.ProfileLAN && m.known(name)
		for _, x := range append(slices.Collect(maps.Values(m.groups)), m.devices...) {
			free = free && x.profile != name
		}
		if free {
			delete(m.profiles, name)
		}
		return verdict("remove profile "+name, r.RemoveProfile(name), free)
	}
	d := pick(m, m.devices...)
	if m.rnd.IntN(2) == 0 {
		d.revoked = true
		return verdict("revoke "+d.name, r.Revoke(d.id), true)
	}
	m.devices = slices.DeleteFunc(m.devices, func(x *node) bool { return x == d })
	return verdict("remove "+d.name, r.Remove(d.id), true)
}

// above gives the groups of a path from the nearest to the root.
func (m *model) above(path string) (out []*node) {
	parts := strings.Split(path, "/")
	for i := len(parts); i >= 0; i-- {
		if g := m.groups[strings.Join(parts[:i], "/")]; g != nil && (len(out) == 0 || out[len(out)-1] != g) {
			out = append(out, g)
		}
	}
	return out
}

func (m *model) labelsOf(d *node) map[string]string {
	all := map[string]string{}
	if m.groups[d.path] != nil || !d.revoked {
		for _, g := range slices.Backward(m.above(d.path)) {
			maps.Copy(all, g.labels)
		}
	}
	maps.Copy(all, d.labels)
	all["farshore.io/id"], all["farshore.io/name"], all["farshore.io/mode"] = string(d.id), d.name, d.mode.String()
	if d.path != "" {
		all["farshore.io/group"] = strings.ReplaceAll(d.path, "/", ".")
	}
	if d.arch != "" {
		all["farshore.io/arch"] = strings.ReplaceAll(d.arch, "/", "-")
	}
	return all
}

type level struct {
	s    protocol.Settings
	from string
}

func (m *model) effective(d *node) (protocol.Settings, map[string]string) {
	var levels []level
	named, namedBy := "", "hub default"
	add := func(n *node, from string) {
		levels = append(levels, level{n.settings, from})
		if n.profile != "" && named == "" {
			named, namedBy = n.profile, from
			levels = append(levels, level{m.profiles[n.profile], "profile " + n.profile + " (" + from + ")"})
		}
	}
	add(d, "device")
	for _, g := range m.above(d.path) {
		add(g, "group "+map[bool]string{true: "/", false: g.path}[g.path == ""])
	}
	levels = append(levels, level{protocol.DefaultSettings(d.mode), "hub default"})
	out := protocol.Settings{Profile: named}
	from := map[string]string{"profile": namedBy}
	look := func(field string, is func(protocol.Settings) bool) protocol.Settings {
		for _, l := range levels {
			if is(l.s) {
				from[field] = l.from
				return l.s
			}
		}
		from[field] = "hub default"
		return protocol.Settings{}
	}
	out.Ping = look("ping", func(s protocol.Settings) bool { return s.Ping != 0 }).Ping
	out.Snapshot = look("snapshot", func(s protocol.Settings) bool { return s.Snapshot != 0 }).Snapshot
	out.Command = look("command", func(s protocol.Settings) bool { return s.Command != 0 }).Command
	out.Chunk = look("chunk", func(s protocol.Settings) bool { return s.Chunk != 0 }).Chunk
	out.ConnectTimeout = look("connect_timeout", func(s protocol.Settings) bool { return s.ConnectTimeout != 0 }).ConnectTimeout
	out.ExchangeTimeout = look("exchange_timeout", func(s protocol.Settings) bool { return s.ExchangeTimeout != 0 }).ExchangeTimeout
	out.KeyExchange = look("key_exchange", func(s protocol.Settings) bool { return s.KeyExchange != 0 }).KeyExchange
	out.Link = look("link", func(s protocol.Settings) bool { return s.Link != nil }).Link
	return out, from
}

// selector draws a selector and gives with it what it should mean.
func (m *model) selector() (string, func(map[string]string) bool) {
	var texts []string
	var all []func(map[string]string) bool
	for range m.rnd.IntN(3) {
		k := pick(m, "site", "line", "tier", "example.com/x", "farshore.io/arch", "farshore.io/group", "farshore.io/mode")
		a, b := pick(m, "a", "b", "7", "amd64", "arm-v7", "no.oslo", "async"), pick(m, "a", "12", "se", "standard")
		type form struct {
			text string
			ok   func(l map[string]string) bool
		}
		has := func(l map[string]string) bool { _, ok := l[k]; return ok }
		f := pick(m,
			form{k, has},
			form{"!" + k, func(l map[string]string) bool { return !has(l) }},
			form{k + "=" + a, func(l map[string]string) bool { return has(l) && l[k] == a }},
			form{k + " == " + a, func(l map[string]string) bool { return has(l) && l[k] == a }},
			form{k + "!=" + a, func(l map[string]string) bool { return l[k] != a }},
			form{k + " in (" + a + ", " + b + ")", func(l map[string]string) bool { return has(l) && (l[k] == a || l[k] == b) }},
			form{k + " notin (" + a + "," + b + ")", func(l map[string]string) bool { return !has(l) || l[k] != a && l[k] != b }},
			form{k + ">8", func(l map[string]string) bool { return l[k] == "12" }},
			form{k + " < 8", func(l map[string]string) bool { return l[k] == "7" }},
		)
		texts, all = append(texts, f.text), append(all, f.ok)
	}
	return strings.Join(texts, ", "), func(l map[string]string) bool {
		for _, ok := range all {
			if !ok(l) {
				return false
			}
		}
		return true
	}
}

func (m *model) compare(t *testing.T, r *fleet.Registry) {
	t.Helper()
	slices.SortFunc(m.devices, func(a, b *node) int {
		return strings.Compare(a.name+"\x00"+string(a.id), b.name+"\x00"+string(b.id))
	})
	got := r.Devices()
	if len(got) != len(m.devices) {
		t.Fatalf("%d devices, want %d", len(got), len(m.devices))
	}
	for i, d := range m.devices {
		if got[i].ID != d.id || (got[i].Revoked != 0) != d.revoked {
			t.Fatalf("device %d is %s %s, want %s %s", i, got[i].ID, got[i].Name, d.id, d.name)
		}
		if l := r.LabelsOf(d.id); !maps.Equal(l, m.labelsOf(d)) && !d.revoked {
			t.Errorf("%s in %q: labels %v, want %v", d.name, d.path, l, m.labelsOf(d))
		}
		e, _ := r.Effective(d.id)
		if s, from := m.effective(d); !reflect.DeepEqual(e.Settings, s) || !maps.Equal(e.From, from) {
			t.Errorf("%s in %q: settings %+v %v, want %+v %v", d.name, d.path, e.Settings, e.From, s, from)
		}
		if found, err := r.Find(d.name, anybody); !d.revoked && (err != nil || found.ID != d.id) {
			t.Errorf("find %s: %s, %v", d.name, found.ID, err)
		}
	}
	var paths []string
	for _, g := range r.Groups() {
		paths = append(paths, g.Path)
	}
	if want := slices.Sorted(maps.Keys(m.groups)); !slices.Equal(paths, want) {
		t.Errorf("groups %q, want %q", paths, want)
	}
	for range 20 {
		text, means := m.selector()
		sel, err := fleet.ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := fleet.ParseSelector(sel.String())
		if err != nil {
			t.Fatal(err)
		}
		var want []protocol.DeviceID
		for _, d := range m.devices {
			if !d.revoked && means(m.labelsOf(d)) {
				want = append(want, d.id)
			}
		}
		if got := r.Match(sel, ""); !slices.Equal(got, want) || !slices.Equal(got, r.Match(again, "")) {
			t.Errorf("selector %q (%s): %v, want %v", text, sel, got, want)
		}
	}
}

func newDevice(seed byte, name string) fleet.Device {
	key := ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	return fleet.Device{ID: protocol.DeviceIDFor(key), Key: key, Name: name, Mode: protocol.ModeAsync}
}

func open(t *testing.T, dir string, changed func(fleet.Change)) (*fleet.Registry, func()) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r, err := fleet.New(fleet.Config{Store: s, Changed: changed})
	if err != nil {
		t.Fatal(err)
	}
	return r, func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func profile(t *testing.T, r *fleet.Registry, name string) protocol.Settings {
	for _, p := range r.Profiles() {
		if p.Name == name && p.BuiltIn {
			return p.Settings
		}
	}
	t.Fatal(errors.New("no built-in profile " + name))
	return protocol.Settings{}
}
