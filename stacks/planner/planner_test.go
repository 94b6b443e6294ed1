package planner_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

const (
	devA = protocol.DeviceID("aaaaaaaaaaaaaaaa")
	devB = protocol.DeviceID("bbbbbbbbbbbbbbbb")
)

func running() protocol.StackState { return protocol.StackRunning }

func ptr[T any](v T) *T { return &v }

func TestLifeOfAStack(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {"site": "oslo"}, devB: {"site": "bergen"}})
	a := newDevice(devA)
	spec := planner.ApplySpec{
		Name: "web", Selector: ptr("site=oslo"), Files: bundle("one"), Author: "ada",
		Env: map[string]string{"TOKEN": "hunter2"},
	}
	s, v := h.apply(spec)
	if s.Latest != 1 || v.Number != 1 || h.told[devA] != 1 || h.told[devB] != 0 {
		t.Fatalf("stack %+v, told %v", s, h.told)
	}
	if st := h.state("web", devA); st.State != protocol.StackPending || st.Code != stacks.CodeAwaitingContact {
		t.Fatalf("before any contact: %+v", st)
	}
	a.contact(h)
	if len(a.set) != 1 || a.set[0].Env["TOKEN"] != "hunter2" || len(h.Desired(devB)) != 0 {
		t.Fatalf("desired of A %v, of B %v", a.set, h.Desired(devB))
	}
	if st := h.state("web", devA); st.State != protocol.StackOffered {
		t.Fatalf("told: %+v", st)
	}
	a.work(running)
	a.contact(h)
	h.restart()
	if st := h.state("web", devA); st.State != protocol.StackRunning || st.Running != 1 {
		t.Fatalf("after a restart of the hub: %+v", st)
	}
	if _, v := h.apply(spec); v.Number != 1 || h.told[devA] != 1 {
		t.Fatalf("the same content again: version %d, told %v", v.Number, h.told)
	}
	spec.Files = bundle("two")
	h.apply(spec)
	if st := h.state("web", devA); st.State != protocol.StackPending || st.Version != 2 || st.Running != 1 {
		t.Fatalf("while version 2 is on its way: %+v", st)
	}
	a.contact(h)
	a.work(func() protocol.StackState { return protocol.StackFailed })
	a.contact(h)
	if o, _ := h.Get("web"); o.States[protocol.StackFailed] != 1 || o.Devices != 1 {
		t.Fatalf("roll-up %v", o.States)
	}
	h.redeploy("web")
	a.contact(h)
	if len(a.set) != 1 || a.set[0].Nonce == 0 || h.state("web", devA).State != protocol.StackOffered {
		t.Fatalf("redeploy: %+v", h.state("web", devA))
	}
	raw, err := os.ReadFile(filepath.Join(h.dir, store.FileName))
	if h.must(err); bytes.Contains(raw, []byte("hunter2")) {
		t.Error("a variable is in the store as it is")
	}
}

func TestRemovalReachesDevicesThatWereAway(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {}, devB: {}})
	a, b := newDevice(devA), newDevice(devB)
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one")})
	a.contact(h)
	a.work(running)
	a.contact(h)
	h.must(h.Remove("web", "ada"))
	if st := h.state("web", devA); st.State != protocol.StackRemoving || st.Version != 0 || st.Running != 1 {
		t.Fatalf("not gone from A yet: %+v", st)
	}
	if h.state("web", devB).Device != "" {
		t.Fatal("B never had it and holds up the removal")
	}
	if err := h.Remove("web", "ada"); !errors.Is(err, planner.ErrRemoving) {
		t.Errorf("removed twice: %v", err)
	}
	h.restart()
	a.contact(h)
	if !h.exists("web") {
		t.Fatal("deleted before A said that it is gone")
	}
	a.work(running)
	a.contact(h)
	if h.exists("web") || len(h.DeviceStacks(devA)) != 0 {
		t.Fatal("still there after A said that it is gone")
	}
	if _, err := h.db.Blob(protocol.HashOf([]byte("one"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("its file is still stored: %v", err)
	}
	// An id is never used again, so late words about the old stack cannot be taken for the new one.
	s, _ := h.apply(planner.ApplySpec{Name: "web", Files: bundle("one")})
	if s.ID != 2 {
		t.Errorf("the new stack has id %d", s.ID)
	}
	h.must(h.Status(devA, protocol.StackStatus{Stack: 1, State: protocol.StackRunning, Version: 1, Rev: 99}))
	if st := h.state("web", devA); st.State != protocol.StackPending {
		t.Errorf("a word about the old stack was taken: %+v", st)
	}
	b.contact(h)
	h.must(h.Remove("web", "ada"))
	h.fleet.devices = map[protocol.DeviceID]map[string]string{}
	h.must(h.DeviceChanged(devA))
	h.must(h.DeviceChanged(devB))
	if h.exists("web") {
		t.Error("removed devices hold up the removal")
	}
}

func TestToldButNeverTaken(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {}})
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one")})
	if len(h.Desired(devA)) != 1 { // the order was lost on its way
		t.Fatal("not desired")
	}
	h.must(h.Remove("web", "ada"))
	h.restart()
	if !h.exists("web") {
		t.Fatal("the device may have it, and nobody asked")
	}
	newDevice(devA).contact(h)
	if h.exists("web") {
		t.Error("the device holds the set without it, and the stack stays for ever")
	}
}

func TestAppliedAgainWhileBeingRemoved(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {}})
	a := newDevice(devA)
	first, _ := h.apply(planner.ApplySpec{Name: "web", Files: bundle("one")})
	a.contact(h)
	a.work(running)
	a.contact(h)
	h.must(h.Remove("web", "ada"))
	again, v := h.apply(planner.ApplySpec{Name: "web", Files: bundle("two")})
	if again.ID != first.ID || v.Number != 2 || again.Removed != 0 {
		t.Fatalf("stack %+v version %d: want the same stack, taken back", again, v.Number)
	}
	a.contact(h)
	a.work(running)
	a.contact(h)
	if st := h.state("web", devA); st.State != protocol.StackRunning || st.Running != 2 {
		t.Errorf("%+v", st)
	}
}

func TestLabelsReachOnlyStacksThatMentionThem(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {"site": "oslo", "line": "1"}})
	h.apply(planner.ApplySpec{Name: "plain", Files: bundle("services: {}")})
	h.apply(planner.ApplySpec{Name: "using", Files: bundle("image: x:${FARSHORE_LABEL_LINE} # ${FARSHORE_LABEL_RACK}")})
	if want := map[string]string{"FARSHORE_LABEL_LINE": "1", "FARSHORE_LABEL_RACK": "1"}; !maps.Equal(h.env, want) {
		t.Errorf("validated with %v, want %v", h.env, want)
	}
	before := h.Desired(devA)
	h.told = map[protocol.DeviceID]int{}
	h.fleet.devices[devA] = map[string]string{"site": "bergen", "line": "2"}
	h.must(h.DeviceChanged(devA))
	after := h.Desired(devA)
	if before[0].Hash() != after[0].Hash() {
		t.Error("a stack that mentions no label changed with one")
	}
	if after[1].Env["FARSHORE_LABEL_LINE"] != "2" || len(after[1].Env) != 1 || h.told[devA] != 1 {
		t.Errorf("variables %v, told %v", after[1].Env, h.told)
	}
}

func TestStatusesOfHostileDevices(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {"site": "oslo"}, devB: {}})
	s, _ := h.apply(planner.ApplySpec{Name: "web", Selector: ptr("site=oslo"), Files: bundle("one")})
	for _, st := range []protocol.StackState{0, protocol.StackPending, protocol.StackOffered, 12, 255} {
		if err := h.Status(devA, protocol.StackStatus{Stack: s.ID, State: st, Rev: 1}); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("state %d: %v", st, err)
		}
	}
	if err := h.Status(devA, protocol.StackStatus{
		Stack: s.ID, State: protocol.StackFailed, Rev: 1, Code: strings.Repeat("x", 65),
	}); !errors.Is(err, protocol.ErrMalformed) {
		t.Errorf("long code: %v", err)
	}
	h.must(h.Status(devB, protocol.StackStatus{Stack: s.ID, State: protocol.StackRunning, Version: 1, Rev: 1}))
	h.must(h.Status(devB, protocol.StackStatus{Stack: 77, State: protocol.StackRunning, Version: 1, Rev: 2}))
	if o, _ := h.Get("web"); o.Devices != 1 {
		t.Errorf("a device that never had the stack counts: %v", o.States)
	}
	h.must(h.Status(devA, protocol.StackStatus{
		Stack: s.ID, State: protocol.StackFailed, Version: 1, Rev: 1 << 60, Detail: strings.Repeat("é", protocol.MaxText),
	}))
	if n := len(h.state("web", devA).Detail); n > protocol.MaxText {
		t.Errorf("a detail of %d bytes was kept", n)
	}
	h.must(h.Status(devA, protocol.StackStatus{Stack: s.ID, State: protocol.StackRunning, Version: 1, Rev: 5}))
	if st := h.state("web", devA); st.State != protocol.StackFailed {
		t.Errorf("an older word was taken: %s", st.State)
	}
	h.Restored(devA)
	h.must(h.Status(devA, protocol.StackStatus{Stack: s.ID, State: protocol.StackRunning, Version: 1, Rev: 5}))
	if st := h.state("web", devA); st.State != protocol.StackRunning {
		t.Errorf("a restored device is not listened to: %s", st.State)
	}
}

func TestReadable(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {}})
	hash := func(content string) protocol.ShortHash { return protocol.HashOf([]byte(content)).Short() }
	reads := func(dev protocol.DeviceID, content string) bool {
		got, ok := h.Readable(dev, hash(content))
		return ok && got == protocol.HashOf([]byte(content))
	}
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one")})
	if reads(devA, "one") {
		t.Error("readable before it is offered")
	}
	h.Desired(devA)
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("two")})
	h.fleet.devices[devB] = map[string]string{}
	h.must(h.DeviceChanged(devB))
	h.Desired(devB)
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("three")})
	h.restart()
	for _, c := range []struct {
		dev     protocol.DeviceID
		content string
		want    bool
	}{
		{devA, "one", true},
		{devA, "three", true},
		{devB, "one", false}, // was replaced before B got the stack
		{devB, "two", true},
		{devB, "three", true},
		{devA, "four", false},
		{"cccccccccccccccc", "three", false},
	} {
		if got := reads(c.dev, c.content); got != c.want {
			t.Errorf("%s reads %s: %v", c.dev[:1], c.content, got)
		}
	}
	h.must(h.Remove("web", "ada"))
	if reads(devA, "three") {
		t.Error("readable after it was taken away")
	}
}

func TestVariablesAreKept(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {}})
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one"), Env: map[string]string{"TOKEN": "hunter2", "PORT": "80"}})
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("two"), Env: map[string]string{"TOKEN": "swordfish"}})
	h.restart() // values are read from the store
	back := planner.ApplySpec{
		Name: "web", Files: bundle("three"), Env: map[string]string{"PORT": "81"},
		Keep: planner.KeptEnv{Version: 1, Names: []string{"TOKEN", "PORT"}},
	}
	h.apply(back)
	want := map[string]string{"TOKEN": "hunter2", "PORT": "81"}
	if set := h.Desired(devA); len(set) != 1 || !maps.Equal(set[0].Env, want) {
		t.Errorf("with variables of version 1 the device is given %v, want %v", set, want)
	}
	if _, v := h.apply(back); v.Number != 3 {
		t.Errorf("the same once more makes version %d, want 3", v.Number)
	}
	back.Keep.Version = 2
	if _, _, err := h.Apply(back); err != nil {
		t.Errorf("a variable that version 2 lacks, but which is given: %v", err)
	}
	for says, keep := range map[string]planner.KeptEnv{
		`"NOBODY" cannot be kept`: {Version: 1, Names: []string{"NOBODY"}},
		"no version 9":            {Version: 9, Names: []string{"TOKEN"}},
	} {
		spec := planner.ApplySpec{Name: "web", Files: bundle("x"), Keep: keep}
		if _, _, err := h.Apply(spec); !errors.Is(err, stacks.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("keeping %v: %v, want %q", keep, err, says)
		}
	}
}

func TestRefusedSpecsChangeNothing(t *testing.T) {
	h := start(t, map[protocol.DeviceID]map[string]string{devA: {}})
	h.apply(planner.ApplySpec{Name: "web", Files: bundle("one")})
	good := planner.ApplySpec{Name: "web", Files: bundle("two")}
	for says, change := range map[string]func(*planner.ApplySpec){
		"name":             func(s *planner.ApplySpec) { s.Name = "Web!" },
		"inside the":       func(s *planner.ApplySpec) { s.Files = map[string][]byte{"../x": nil} },
		"set by the hub":   func(s *planner.ApplySpec) { s.Env = map[string]string{"FARSHORE_X": ""} },
		"want key=value":   func(s *planner.ApplySpec) { s.Selector = ptr("oslo") },
		"pull policy 9":    func(s *planner.ApplySpec) { s.Pull = 9 },
		"line 3: no image": func(*planner.ApplySpec) { h.refuse = errors.New("compose.yml, line 3: no image") },
		"fewer files": func(s *planner.ApplySpec) {
			s.Files = map[string][]byte{}
			for i := range 1000 {
				s.Files[strings.Repeat("x", 100)+string(rune('a'+i%26))+strings.Repeat("y", i/26)] = nil
			}
		},
	} {
		spec := good
		change(&spec)
		_, _, err := h.Apply(spec)
		h.refuse = nil
		if !errors.Is(err, stacks.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
	files, err := h.Bundle("web", 0)
	if err != nil || string(files["compose.yml"]) != "one" {
		t.Errorf("the stack was changed: %q, %v", files, err)
	}
	if _, err := h.Bundle("web", 7); !errors.Is(err, stacks.ErrNotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
}
