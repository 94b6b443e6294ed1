package fleet_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, r *fleet.Registry, id protocol.DeviceID) fleet.Device {
	t.Helper()
	d, ok := r.Device(id)
	if !ok {
		t.Fatalf("device %s is not there", id)
	}
	return d
}

// anybody sees all devices.
func anybody(*fleet.Device) bool { return true }

func TestNamesAndReferences(t *testing.T) {
	r, _ := open(t, t.TempDir(), nil)
	a, b, c := newDevice(1, "oslo-1"), newDevice(2, "oslo-2"), newDevice(3, "bergen")
	must(t, r.AddAll([]fleet.Device{a, b, c}))
	if err := r.Add(newDevice(4, "bergen")); !errors.Is(err, fleet.ErrExists) || !strings.Contains(err.Error(), string(c.ID)) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := r.Add(a); !errors.Is(err, fleet.ErrExists) {
		t.Errorf("a device that is there: %v", err)
	}
	if _, err := r.Update(b.ID, func(d *fleet.Device) error { d.Name = "oslo-1"; return nil }); !errors.Is(err, fleet.ErrExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	for ref, want := range map[string]protocol.DeviceID{"oslo-1": a.ID, string(b.ID): b.ID, "be": c.ID, string(a.ID[:8]): a.ID} {
		if d, err := r.Find(ref, anybody); err != nil || d.ID != want {
			t.Errorf("find %q: %s, %v; want %s", ref, d.ID, err, want)
		}
	}
	if _, err := r.Find("oslo", anybody); !errors.Is(err, fleet.ErrAmbiguous) || !strings.Contains(err.Error(), "oslo-2") {
		t.Errorf("find oslo: %v, want both named", err)
	}
	for _, ref := range []string{"", "tromso"} {
		if _, err := r.Find(ref, anybody); !errors.Is(err, fleet.ErrNotFound) {
			t.Errorf("find %q: %v", ref, err)
		}
	}

	// A revoked device frees its name, and comes behind those that are not.
	must(t, r.Revoke(c.ID))
	if d, err := r.Find("bergen", anybody); err != nil || d.ID != c.ID {
		t.Errorf("find a revoked device: %s, %v", d.ID, err)
	}
	heir := newDevice(5, "bergen")
	must(t, r.Add(heir))
	if d, err := r.Find("bergen", anybody); err != nil || d.ID != heir.ID {
		t.Errorf("find its heir: %s, %v", d.ID, err)
	}
	if err := r.Add(c); !errors.Is(err, fleet.ErrExists) {
		t.Errorf("the revoked one under its old name: %v", err)
	}
}

func TestWhatCannotBeKeptIsRefusedWhole(t *testing.T) {
	r, _ := open(t, t.TempDir(), nil)
	d := newDevice(1, "one")
	must(t, r.Add(d))
	before := get(t, r, d.ID)
	for name, change := range map[string]func(*fleet.Device){
		"id":             func(d *fleet.Device) { d.ID = "aaaaaaaaaaaaaaaa" },
		"key":            func(d *fleet.Device) { d.Key = slices.Repeat([]byte{1}, 32) },
		"empty name":     func(d *fleet.Device) { d.Name = "" },
		"name lines":     func(d *fleet.Device) { d.Name = "a\nb" },
		"long name":      func(d *fleet.Device) { d.Name = strings.Repeat("x", protocol.MaxName+1) },
		"group":          func(d *fleet.Device) { d.Group = "Norway/" },
		"group's name":   func(d *fleet.Device) { d.Group = "Norway/Østfold" },
		"deep group":     func(d *fleet.Device) { d.Group = strings.Repeat("a/", 30) + "a" },
		"label key":      func(d *fleet.Device) { d.Labels = map[string]string{"a b": ""} },
		"label value":    func(d *fleet.Device) { d.Labels = map[string]string{"a": "-"} },
		"fact":           func(d *fleet.Device) { d.Labels = map[string]string{"farshore.io/arch": "amd64"} },
		"profile":        func(d *fleet.Device) { d.Profile = "none" },
		"profile inside": func(d *fleet.Device) { d.Settings.Profile = fleet.ProfileLAN },
		"ping push":      func(d *fleet.Device) { d.Settings.Ping = protocol.FrequencyPush },
		"ping":           func(d *fleet.Device) { d.Settings.Ping = -7 },
		"chunk":          func(d *fleet.Device) { d.Settings.Chunk = 1 << 20 },
		"timeout":        func(d *fleet.Device) { d.Settings.ExchangeTimeout = 1 },
		"exchange":       func(d *fleet.Device) { d.Settings.KeyExchange = 9 },
	} {
		_, err := r.Update(d.ID, func(d *fleet.Device) error { change(d); return nil })
		if !errors.Is(err, fleet.ErrInvalid) && !errors.Is(err, fleet.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if now := get(t, r, d.ID); !reflect.DeepEqual(now, before) || len(r.Groups()) != 1 {
			t.Fatalf("%s was refused and changed %+v, groups %v", name, now, r.Groups())
		}
	}
	boom := errors.New("boom")
	if _, err := r.Update(d.ID, func(d *fleet.Device) error { d.Name = "x"; return boom }); err != boom {
		t.Errorf("the function's error: %v", err)
	}
	forged := newDevice(2, "two")
	forged.ID = "aaaaaaaaaaaaaaaa"
	if err := r.AddAll([]fleet.Device{newDevice(3, "three"), forged}); !errors.Is(err, fleet.ErrInvalid) || len(r.Devices()) != 1 {
		t.Errorf("an id that is not the key's: %v, %d devices", err, len(r.Devices()))
	}
}

func TestFactsBecomeLabels(t *testing.T) {
	r, _ := open(t, t.TempDir(), nil)
	d := newDevice(1, "Gärtnerei No. 7 (süd)")
	d.Group, d.Facts = "no/oslo", protocol.Facts{Arch: "arm/v7", OS: "linux", Engine: "docker 20.10.24+dfsg1", Version: "1.0"}
	must(t, r.Add(d))
	want := map[string]string{
		"id": string(d.ID), "name": "G-rtnerei-No.-7-s-d", "group": "no.oslo", "arch": "arm-v7", "os": "linux",
		"engine": "docker", "engine-version": "20.10.24-dfsg1", "mode": "async", "version": "1.0",
	}
	check := func() {
		t.Helper()
		all := map[string]string{}
		for k, v := range want {
			all["farshore.io/"+k] = v
		}
		if got := r.LabelsOf(d.ID); !maps.Equal(got, all) {
			t.Errorf("labels %v, want %v", got, all)
		}
	}
	check()
	must(t, r.SetFacts(d.ID, fleet.SnapshotFacts{Arch: "arm64", OS: "Debian GNU/Linux 12 (bookworm)", Engine: "podman", EngineVersion: strings.Repeat("9", 300)}))
	_, err := r.Update(d.ID, func(d *fleet.Device) error { d.Version = "1.1-dirty_"; return nil })
	must(t, err)
	want["arch"], want["os"], want["engine"], want["engine-version"], want["version"] = "arm64", "debian", "podman", strings.Repeat("9", 63), "1.1-dirty"
	check()
}

func TestSelectorErrorsPointAtTheThing(t *testing.T) {
	for text, want := range map[string]string{
		"site=oslo, line in a":     `"line in a" at character 12: the values need parentheses: write line in (a, b)`,
		"a=b c":                    `"a=b c" at character 1: value "b c"`,
		"a,,b":                     "comma at character 2",
		"a,":                       "comma at character 2",
		",a":                       "comma at character 1",
		"=b":                       "a label key is missing",
		"!":                        "a label key is missing",
		"!a=b":                     "write !a or a!=value",
		"x, -a = 1":                `"-a = 1" at character 4: label key "-a"`,
		"a in (b, c d)":            `value "c d"`,
		"a in (b":                  "parentheses",
		"a > b":                    "whole number after >",
		"a b":                      "write key,",
		"a=b\x00,c=d":              "character 4",
		"é=1":                      `label key "é"`,
		strings.Repeat("a,", 3000): "at most 4096",
	} {
		_, err := fleet.ParseSelector(text)
		if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v\nwant %s", text, err, want)
		}
	}
	for _, text := range []string{"", "  ", "\n"} {
		if s, err := fleet.ParseSelector(text); err != nil || s.String() != "" || !s.Matches(nil) {
			t.Errorf("%q: %q, %v", text, s, err)
		}
	}
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{"a", "!a", "a in (b,,c)", "a notin ()", "a>1,b<2", "in in (in)", "a in (((", ")a(", "a=,b=", "notin", "!!a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sel, err := fleet.ParseSelector(s)
		if err != nil {
			return
		}
		again, err := fleet.ParseSelector(sel.String())
		if err != nil || again.String() != sel.String() {
			t.Errorf("%q gives %q, which gives %q, %v", s, sel, again, err)
		}
	})
}

// gate is a store whose disk can be stopped or filled.
type gate struct {
	fleet.Store
	mu      sync.Mutex // held: the disk is stopped
	entered atomic.Int32
	full    error
}

func (g *gate) SaveFleet(d fleet.Delta) error {
	g.entered.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full != nil {
		return g.full
	}
	return g.Store.SaveFleet(d)
}

func gated(t *testing.T, changed func(fleet.Change)) (*fleet.Registry, *gate) {
	t.Helper()
	s, err := store.Open(t.TempDir())
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	g := &gate{Store: s}
	r, err := fleet.New(fleet.Config{Store: g, Changed: changed})
	must(t, err)
	return r, g
}

func TestChangesThatArriveTogetherShareATransaction(t *testing.T) {
	r, g := gated(t, nil)
	g.mu.Lock() // the first change holds up the disk, the others gather behind it
	const n = 60
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Add(newDevice(200, "first")); err != nil {
			t.Error(err)
		}
	})
	for g.entered.Load() == 0 {
		runtime.Gosched()
	}
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			d := newDevice(byte(i+1), "same name")
			if i%2 == 0 {
				d.Name, d.Facts.Hostname = "", "box"
			}
			errs[i] = r.Add(d)
		})
	}
	for r.Waiting() < n {
		runtime.Gosched()
	}
	if got := r.Devices(); len(got) > 0 {
		t.Errorf("visible before it is durable: %v", got)
	}
	g.mu.Unlock()
	wg.Wait()
	named := 0
	for i, err := range errs {
		switch {
		case i%2 == 0 && err != nil:
			t.Error(err)
		case i%2 == 1 && err == nil:
			named++
		case i%2 == 1 && !errors.Is(err, fleet.ErrExists):
			t.Error(err)
		}
	}
	if named != 1 || len(r.Devices()) != 1+n/2+1 {
		t.Errorf("%d devices have one name, %d devices", named, len(r.Devices()))
	}
	if n := g.entered.Load(); n != 2 {
		t.Errorf("%d transactions, want 2", n)
	}
	if _, err := r.Find(fmt.Sprintf("box-%d", n/2), anybody); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskChangesNothing(t *testing.T) {
	var told []fleet.Change
	r, g := gated(t, func(c fleet.Change) { told = append(told, c) })
	d := newDevice(1, "one")
	must(t, r.Add(d))
	told, g.full = nil, errors.New("disk is full")
	if _, err := r.Update(d.ID, func(d *fleet.Device) error { d.Name = "two"; return nil }); !errors.Is(err, g.full) {
		t.Errorf("%v", err)
	}
	if err := r.Add(newDevice(2, "other")); !errors.Is(err, g.full) {
		t.Errorf("%v", err)
	}
	if n := get(t, r, d.ID).Name; n != "one" || len(r.Devices()) != 1 || told != nil {
		t.Errorf("name %q, %d devices, told %v", n, len(r.Devices()), told)
	}
	g.full = nil
	must(t, r.Add(newDevice(2, "two")))
	if len(told) != 1 || told[0].Kind != fleet.ChangeAdded {
		t.Errorf("told %+v", told)
	}
}

func TestAPanicStaysWithItsCaller(t *testing.T) {
	r, _ := gated(t, nil)
	d := newDevice(1, "one")
	must(t, r.Add(d))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = r.Update(d.ID, func(*fleet.Device) error { panic("in the caller's function") })
	}()
	_, err := r.Update(d.ID, func(d *fleet.Device) error { d.Name = "two"; return nil })
	must(t, err)
}

func TestChangesAreToldWithWhatTheyTouch(t *testing.T) {
	var told []string
	var r *fleet.Registry
	r, _ = gated(t, func(c fleet.Change) {
		s := string(c.Kind) + " " + r.LabelsOf(c.Device)[fleet.FactName] // reading is allowed
		if c.Labels {
			s += " labels"
		}
		if c.Settings {
			s += " settings"
		}
		told = append(told, s)
	})
	a, b := newDevice(1, "a"), newDevice(2, "b")
	a.Group = "no/oslo"
	step := func(what string, err error, want ...string) {
		t.Helper()
		slices.Sort(told)
		if err != nil || !slices.Equal(told, want) {
			t.Errorf("%s: told %q, %v; want %q", what, told, err, want)
		}
		told = nil
	}
	update := func(fn func(*fleet.Device)) error {
		_, err := r.Update(a.ID, func(d *fleet.Device) error { fn(d); return nil })
		return err
	}
	group := func(path string, fn func(*fleet.Group)) error {
		_, err := r.UpdateGroup(path, func(g *fleet.Group) error { fn(g); return nil })
		return err
	}
	step("add", r.AddAll([]fleet.Device{a, b}), "added a labels settings", "added b labels settings")
	step("confirm", update(func(d *fleet.Device) { d.Confirmed = true }), "updated a")
	step("same again", update(func(d *fleet.Device) { d.Confirmed = true }))
	step("label", update(func(d *fleet.Device) { d.Labels = map[string]string{"x": "1"} }), "updated a labels")
	step("ping", update(func(d *fleet.Device) { d.Settings.Ping = 77 }), "updated a settings")
	step("contact", update(func(d *fleet.Device) { d.LastContact, d.Mark.Seq = 5, 9 }))
	step("version", update(func(d *fleet.Device) { d.Version = "2" }), "updated a labels")
	step("group label", group("no", func(g *fleet.Group) { g.Labels = map[string]string{"country": "no"} }), "updated a labels")
	step("hidden label", group("", func(g *fleet.Group) { g.Labels = map[string]string{"x": "0"} }), "updated b labels")
	step("hidden setting", group("no/oslo", func(g *fleet.Group) { g.Settings.Ping = 1 }))
	step("profile", group("", func(g *fleet.Group) { g.Profile = fleet.ProfileSatellite }), "updated a settings", "updated b settings")
	step("facts", r.SetFacts(b.ID, fleet.SnapshotFacts{Arch: "arm64"}), "updated b labels")
	step("same facts", r.SetFacts(b.ID, fleet.SnapshotFacts{Arch: "arm64"}))
	step("revoke", r.Revoke(a.ID), "revoked a")
	step("revoke again", r.Revoke(a.ID))
	step("remove", r.Remove(b.ID), "removed  labels settings")
}

func TestAContactDuringAnUpdateStays(t *testing.T) {
	r, g := gated(t, nil)
	d := newDevice(1, "one")
	must(t, r.Add(d))
	start := time.Unix(1_760_000_000, 0)
	r.Contact(d.ID, start, protocol.CarrierHTTPS)
	entered := g.entered.Load()
	g.mu.Lock()
	done := make(chan error)
	go func() {
		_, err := r.Update(d.ID, func(d *fleet.Device) error { d.Name, d.Version = "two", "1.1"; return nil })
		done <- err
	}()
	for g.entered.Load() == entered {
		runtime.Gosched()
	}
	r.Contact(d.ID, start.Add(time.Minute), protocol.CarrierMQTT)
	g.mu.Unlock()
	must(t, <-done)
	if got := get(t, r, d.ID); got.LastContact != start.Unix()+60 || got.Carrier != protocol.CarrierMQTT || got.Version != "1.1" || got.Name != "two" {
		t.Errorf("%+v", got)
	}
}
