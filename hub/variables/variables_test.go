package variables_test

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/variables"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

const pump, spare protocol.DeviceID = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"

// bench is a book on a real store and vault.
type bench struct {
	*variables.Book
	t       *testing.T
	store   *store.Store
	dir     string
	there   map[variables.Scope]bool
	changed []variables.Scope
	log     bytes.Buffer
	refused string // a name that may not be set
}

func group(path string) variables.Scope { return variables.Scope{Group: path} }

func device(id protocol.DeviceID) variables.Scope { return variables.Scope{Device: id} }

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), there: map[variables.Scope]bool{
		group(""): true, group("norway"): true, group("norway/oslo"): true, device(pump): true, device(spare): true,
	}}
	var err error
	if b.store, err = store.Open(b.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	b.open(b.dir)
	return b
}

// open begins anew on what is stored, with the vault key in a folder.
func (b *bench) open(keys string) {
	b.t.Helper()
	v, err := vault.Open(keys)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Book, err = variables.New(variables.Config{
		Store: b.store, Vault: v, There: func(s variables.Scope) bool { return b.there[s] },
		Allows: func(_ variables.Scope, name string) error {
			if name == b.refused {
				return errRefused
			}
			return nil
		},
		Changed: func(s variables.Scope) { b.changed = append(b.changed, s) },
		Log:     slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) set(s variables.Scope, name, text string) {
	b.t.Helper()
	if err := b.Set(s, variables.Change{Name: name, Text: text, By: "anna"}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) secret(s variables.Scope, name, text string) {
	b.t.Helper()
	if err := b.Set(s, variables.Change{Name: name, Text: text, Secret: true}); err != nil {
		b.t.Fatal(err)
	}
}

// holds compares what a device gets with name=text pairs.
func (b *bench) holds(id protocol.DeviceID, in string, want ...string) {
	b.t.Helper()
	var got []string
	all := b.Of(id, in)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		got = append(got, name+"="+all[name].Text)
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("device %s in /%s gets %q, want %q", id, in, got, want)
	}
}

func TestTheNearestVariableCounts(t *testing.T) {
	b := newBench(t)
	b.holds(pump, "norway/oslo")
	b.set(group(""), "TIER", "root")
	b.set(group(""), "ZONE", "root")
	b.set(group("norway/oslo"), "TIER", "oslo")
	b.set(device(pump), "TIER", "pump")
	b.holds(pump, "norway/oslo", "TIER=pump", "ZONE=root")
	b.holds(spare, "norway/oslo", "TIER=oslo", "ZONE=root")
	b.holds(spare, "norway/oslo/line/1", "TIER=oslo", "ZONE=root")
	b.holds(spare, "norway", "TIER=root", "ZONE=root")
	b.holds(spare, "norway/oslofjord", "TIER=root", "ZONE=root")
	b.holds(pump, "norway", "TIER=pump", "ZONE=root") // it was moved

	b.set(group("norway"), "ZONE", "no")
	b.holds(spare, "norway/oslo", "TIER=oslo", "ZONE=no")
	if err := b.Unset(device(pump), "TIER", nil); err != nil {
		t.Fatal(err)
	}
	b.holds(pump, "norway/oslo", "TIER=oslo", "ZONE=no")
	if from := b.Of(pump, "norway/oslo")["ZONE"].From; from != group("norway") {
		t.Errorf("ZONE is said to come from %s", from)
	}
	if want := []variables.Scope{group(""), group(""), group("norway/oslo"), device(pump), group("norway"), device(pump)}; !slices.Equal(b.changed, want) {
		t.Errorf("told of changes of %v, want %v", b.changed, want)
	}
	b.open(b.dir)
	b.holds(pump, "norway/oslo", "TIER=oslo", "ZONE=no")
}

func TestASecretIsGivenToDevicesAlone(t *testing.T) {
	b := newBench(t)
	b.secret(group("norway"), "TOKEN", "hunter2-secret")
	b.set(group("norway"), "SITE", "plain-value")
	if v := b.Of(pump, "norway/oslo")["TOKEN"]; v.Text != "hunter2-secret" || !v.Secret {
		t.Errorf("the device gets %+v", v)
	}
	for _, listed := range [][]variables.Listed{b.List(group("norway")), b.Holding(pump, "norway/oslo"), b.Holding("", "norway")} {
		if len(listed) != 2 || listed[0].Text != "plain-value" || listed[1].Text != "" || !listed[1].Secret || listed[1].From != group("norway") {
			t.Errorf("listed %+v", listed)
		}
	}
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	raw := readAll(t, b.dir)
	for _, text := range []string{"hunter2-secret", "plain-value"} {
		if bytes.Contains(raw, []byte(text)) {
			t.Errorf("the database has %q in clear", text)
		}
	}
	if strings.Contains(b.log.String(), "hunter2") {
		t.Error("the log has the secret")
	}
}

func TestBadVariablesAreRefused(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]variables.Change{
		"name": {Name: "1A", Text: "secret-text"}, "empty": {Text: "secret-text"}, "reserved": {Name: stacks.ReservedEnv + "X", Text: "secret-text"},
		"binary": {Name: "A", Text: "secret-text\x00"}, "size": {Name: "A", Text: strings.Repeat("secret-text", 2000)},
	} {
		err := b.Set(group(""), c)
		if !errors.Is(err, variables.ErrInvalid) || strings.Contains(err.Error(), "secret-text") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The bound is of a scope's variables together.
	b.set(group(""), "A", strings.Repeat("a", 9000))
	if err := b.Set(group(""), variables.Change{Name: "B", Text: strings.Repeat("b", 9000)}); !errors.Is(err, variables.ErrInvalid) {
		t.Errorf("18,000 bytes: %v", err)
	}
	b.set(group("norway"), "B", strings.Repeat("b", 9000))
	for _, err := range []error{
		b.Set(group("sweden"), variables.Change{Name: "A"}), b.Unset(group(""), "NONE", nil), b.Unset(device("cccccccccccccccc"), "A", nil),
	} {
		if !errors.Is(err, variables.ErrNotFound) {
			t.Errorf("what is not there: %v", err)
		}
	}
}

var errRefused = errors.New("a policy does not allow it")

func TestAVariableThatMayNotBeSetStaysAsItIs(t *testing.T) {
	b := newBench(t)
	b.set(group("norway"), "IMAGE", "nginx")
	b.refused = "IMAGE"
	if err := b.Set(group("norway"), variables.Change{Name: "IMAGE", Text: "evil"}); !errors.Is(err, errRefused) {
		t.Errorf("it was set: %v", err)
	}
	b.holds(pump, "norway", "IMAGE=nginx")
	b.open(b.dir)
	b.holds(pump, "norway", "IMAGE=nginx")
}

func TestWhoHasSeenSomethingElseChangesNothing(t *testing.T) {
	b := newBench(t)
	changed := errors.New("changed")
	b.set(device(pump), "A", "one")
	for _, err := range []error{
		b.Set(device(pump), variables.Change{Name: "A", Text: "two", Expect: func(now *variables.Variable) error {
			if now == nil || now.By != "anna" {
				t.Errorf("expected %+v", now)
			}
			return changed
		}}),
		b.Set(device(pump), variables.Change{Name: "B", Expect: func(now *variables.Variable) error {
			if now != nil {
				t.Errorf("expected %+v", now)
			}
			return changed
		}}),
		b.Unset(device(pump), "A", func(*variables.Variable) error { return changed }),
	} {
		if !errors.Is(err, changed) {
			t.Error(err)
		}
	}
	b.holds(pump, "", "A=one")
}

func TestWithAGroupOrDeviceGoItsVariables(t *testing.T) {
	b := newBench(t)
	b.set(group("norway/oslo"), "A", "oslo")
	b.set(group(""), "A", "root")
	b.set(device(pump), "B", "pump")
	if err := b.Forget(device(pump)); err != nil {
		t.Fatal(err)
	}
	b.holds(pump, "", "A=root", "B=pump") // it is there
	delete(b.there, group("norway/oslo"))
	delete(b.there, device(pump))
	if err := b.Forget(device(pump)); err != nil {
		t.Fatal(err)
	}
	b.holds(pump, "norway/oslo", "A=oslo")
	b.open(b.dir) // the hub died before the group's were dropped
	if err := b.Tidy(); err != nil {
		t.Fatal(err)
	}
	b.open(b.dir)
	b.holds(pump, "norway/oslo", "A=root")
}

func TestAReplacementGetsTheVariables(t *testing.T) {
	b := newBench(t)
	b.secret(device(pump), "TOKEN", "t0k")
	b.set(device(spare), "OWN", "x")
	failed := errors.New("failed")
	err := b.Replace(pump, spare, func() error {
		b.holds(spare, "", "TOKEN=t0k")
		return failed
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	b.holds(spare, "", "OWN=x")
	b.holds(pump, "", "TOKEN=t0k")
	if err := b.Replace(pump, spare, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	b.open(b.dir)
	b.holds(spare, "", "TOKEN=t0k")
	b.holds(pump, "")
	if !b.Of(spare, "")["TOKEN"].Secret {
		t.Error("it is no secret any more")
	}
}

// TestWithAnotherVaultKeyVariablesHaveToBeSetAgain: they are neither given to devices as empty nor dropped in silence.
func TestWithAnotherVaultKeyVariablesHaveToBeSetAgain(t *testing.T) {
	b := newBench(t)
	b.secret(device(pump), "TOKEN", "t0k")
	b.open(t.TempDir())
	if v := b.Of(pump, "")["TOKEN"]; !v.Lost || v.Text != "" {
		t.Errorf("%+v", v)
	}
	if l := b.List(device(pump)); len(l) != 1 || !l[0].Lost {
		t.Errorf("%+v", l)
	}
	if !strings.Contains(b.log.String(), "set it again") || !strings.Contains(b.log.String(), "TOKEN") {
		t.Errorf("the log says %s", &b.log)
	}
	b.secret(device(pump), "TOKEN", "new")
	if v := b.Of(pump, "")["TOKEN"]; v.Lost || v.Text != "new" {
		t.Errorf("%+v", v)
	}
}

func readAll(t *testing.T, dir string) (all []byte) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw...)
	}
	return all
}
