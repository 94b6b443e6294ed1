package admission_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// house is a fleet in memory.
type house struct {
	mu      sync.Mutex
	in      map[protocol.DeviceID]admission.Admitted
	revoked map[protocol.DeviceID]bool
	broken  error
}

func (h *house) Standing(id protocol.DeviceID) admission.Standing {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.revoked[id] {
		return admission.Revoked
	}
	if _, ok := h.in[id]; ok {
		return admission.Approved
	}
	return admission.Stranger
}

func (h *house) Alike(serial, machine string) (alike []admission.Alike) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, a := range h.in {
		s, m := serial != "" && a.Facts.Serial == serial, machine != "" && a.Facts.MachineID == machine
		if s || m {
			alike = append(alike, admission.Alike{ID: id, Name: a.Name, Revoked: h.revoked[id], Serial: s, Machine: m})
		}
	}
	return alike
}

func (h *house) Admit(_ context.Context, a admission.Admitted) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return h.broken
	}
	delete(h.revoked, a.ID)
	h.in[a.ID] = a
	return nil
}

type fixture struct {
	*admission.Desk
	t     *testing.T
	dir   string
	cfg   admission.Config
	store *store.Store
	house *house
	mu    sync.Mutex
	notes []string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), house: &house{in: map[protocol.DeviceID]admission.Admitted{}, revoked: map[protocol.DeviceID]bool{}}}
	v, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	hub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	f.cfg = admission.Config{
		Vault: v, Devices: f.house, Log: slog.New(slog.DiscardHandler),
		Hub: waitingroom.EdgeKey{HTTPS: "https://hub.example:9443", MQTT: "mqtts://hub.example:8883", HubKey: hub},
		Notify: func(n admission.Note) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.notes = append(f.notes, n.Kind+" "+string(n.Device))
		},
	}
	f.open()
	t.Cleanup(func() {
		if err := errors.Join(f.Close(), f.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	var err error
	if f.store, err = store.Open(f.dir); err != nil {
		f.t.Fatal(err)
	}
	f.cfg.Store = f.store
	if f.Desk, err = admission.New(f.cfg); err != nil {
		f.t.Fatal(err)
	}
}

// restart closes the hub's half, gracefully, and opens it again.
func (f *fixture) restart() {
	f.t.Helper()
	if err := errors.Join(f.Close(), f.store.Close()); err != nil {
		f.t.Fatal(err)
	}
	f.open()
}

func (f *fixture) key(spec admission.KeySpec) waitingroom.EdgeKey {
	f.t.Helper()
	if spec.Name == "" {
		spec.Name = "line 1"
	}
	_, text, err := f.CreateKey(spec)
	if err != nil {
		f.t.Fatal(err)
	}
	k, err := waitingroom.Parse(text)
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

// device is one that knocks.
type device struct {
	key   ed25519.PrivateKey
	facts protocol.Facts
	hold  bool
	from  string
}

func newDevice(t *testing.T) *device {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &device{key: key, from: "192.0.2.7", facts: protocol.Facts{Hostname: "gw-1", Serial: "S-1", Capability: protocol.Capability}}
}

func (d *device) pub() ed25519.PublicKey { return d.key.Public().(ed25519.PublicKey) }

func (d *device) id() protocol.DeviceID { return protocol.DeviceIDFor(d.pub()) }

func (d *device) request(k waitingroom.EdgeKey) admission.KnockRequest {
	exporter := make([]byte, 32)
	_, _ = rand.Read(exporter)
	body, err := protocol.Marshal(protocol.Knock{
		Key: d.pub(), EnrolmentKey: k.KeyID, Proof: waitingroom.ConnectionProof(k.Secret, exporter, d.pub()),
		Facts: d.facts, Hold: d.hold, Labels: map[string]string{"site": "oslo"},
	})
	if err != nil {
		panic(err)
	}
	return admission.KnockRequest{
		Exporter: exporter, Remote: netip.MustParseAddr(d.from),
		Signed: protocol.SignedKnock{Knock: body, Sig: protocol.SignConnection(d.key, protocol.PurposeKnock, string(body), exporter)},
	}
}

func (f *fixture) knock(d *device, k waitingroom.EdgeKey) protocol.KnockAnswer {
	f.t.Helper()
	a, err := f.Knock(f.t.Context(), d.request(k))
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

func (f *fixture) want(got protocol.KnockAnswer, state protocol.KnockState, code protocol.Code) {
	f.t.Helper()
	if got.State != state || got.Code != code || got.Time == 0 || (code != 0 && got.Text == "") {
		f.t.Fatalf("answer %+v, want state %d and code %v with a text", got, state, code)
	}
}

func TestHeldKnockHearsOfItsApprovalAtOnce(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{Group: "norway", Labels: map[string]string{"line": "1", "tier": "b"}})
	d := newDevice(t)
	f.want(f.knock(d, k), protocol.KnockWaiting, 0)

	d.hold = true
	heard := make(chan protocol.KnockAnswer, 1)
	go func() { a, _ := f.Knock(t.Context(), d.request(k)); heard <- a }()

	code := f.List()[0].PairingCode
	if code != waitingroom.PairingCode(d.pub()) {
		t.Fatalf("the list shows %s, the device %s", code, waitingroom.PairingCode(d.pub()))
	}
	wrong := "0000-0000"
	if _, err := f.Approve(t.Context(), admission.Approval{ID: d.id(), Code: wrong, By: "ola"}); !errors.Is(err, admission.ErrWrongCode) {
		t.Fatalf("wrong pairing code: %v", err)
	}
	typed := strings.ToLower(strings.ReplaceAll(code, "-", " "))
	got, err := f.Approve(t.Context(), admission.Approval{Code: typed, Name: "pump", Labels: map[string]string{"tier": "a"}, By: "ola"})
	if err != nil {
		t.Fatal(err)
	}
	f.want(<-heard, protocol.KnockApproved, 0)
	in := f.house.in[d.id()]
	if !got.Confirmed || !in.Confirmed || in.Name != "pump" || !in.NameGiven || in.Group != "norway" || in.By != "ola" ||
		in.Labels["line"] != "1" || in.Labels["tier"] != "a" || in.Wishes["site"] != "oslo" || !in.Key.Equal(d.pub()) {
		t.Fatalf("let in as %+v", in)
	}
	if want := []string{"waiting.arrived " + string(d.id()), "waiting.approved " + string(d.id())}; !slices.Equal(f.notes, want) {
		t.Fatalf("told %q, want %q", f.notes, want)
	}
	if len(f.List()) != 0 {
		t.Fatalf("still in the waiting room: %+v", f.List())
	}
	f.want(f.knock(d, k), protocol.KnockApproved, 0)
	if _, err := f.Approve(t.Context(), admission.Approval{ID: d.id()}); !errors.Is(err, admission.ErrNotWaiting) {
		t.Fatalf("second approval: %v", err)
	}
}

func TestApprovalWithoutCodeIsUnconfirmed(t *testing.T) {
	f := newFixture(t)
	d := newDevice(t)
	f.knock(d, f.key(admission.KeySpec{}))
	got, err := f.Approve(t.Context(), admission.Approval{ID: d.id(), By: "ola"})
	if err != nil || got.Confirmed || got.Name != "gw-1" || got.NameGiven {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestRejectionLastsAndIsAnswered(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{AutoApprove: &waitingroom.Rule{Hostnames: []string{"other"}}})
	d := newDevice(t)
	f.knock(d, k)
	if err := f.Reject(admission.Rejection{ID: d.id(), By: "kari"}); err != nil {
		t.Fatal(err)
	}
	f.want(f.knock(d, k), protocol.KnockRejected, protocol.CodeRejected)
	f.restart()
	d.facts.Hostname = "other"
	f.want(f.knock(d, k), protocol.KnockRejected, protocol.CodeRejected) // a rule does not undo an operator's no
	list := f.List()
	if len(list) != 1 || list[0].State != waitingroom.StateRejected || list[0].By != "kari" || list[0].Count != 3 {
		t.Fatalf("%+v", list)
	}
	if _, err := f.Approve(t.Context(), admission.Approval{ID: d.id(), By: "kari"}); err != nil {
		t.Fatalf("a rejected device cannot be approved after all: %v", err)
	}
	f.want(f.knock(d, k), protocol.KnockApproved, 0)
}

func TestRulesLetInWhomTheyName(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{AutoApprove: &waitingroom.Rule{Serials: []string{"S-*"}, Networks: []string{"192.0.2.0/24"}}})
	d := newDevice(t)
	f.want(f.knock(d, k), protocol.KnockApproved, 0)
	if in := f.house.in[d.id()]; in.Confirmed || !strings.Contains(in.By, "line 1") {
		t.Fatalf("%+v", in)
	}
	far := newDevice(t)
	far.facts.Serial, far.from = "S-2", "198.51.100.1"
	f.want(f.knock(far, k), protocol.KnockWaiting, 0)

	single := f.key(admission.KeySpec{Name: "one", DeviceName: "crane 9", AutoApprove: &waitingroom.Rule{}})
	one := newDevice(t)
	one.facts.Serial = "S-3"
	f.want(f.knock(one, single), protocol.KnockApproved, 0)
	if in := f.house.in[one.id()]; !in.Confirmed || in.Name != "crane 9" || !in.NameGiven {
		t.Fatalf("%+v", in)
	}
}

func TestRevokedAndRejectedNeverComeInByRule(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{AutoApprove: &waitingroom.Rule{}})
	byHand := f.key(admission.KeySpec{Name: "by hand"})

	was := newDevice(t)
	was.facts.Serial, was.facts.MachineID = "S-9", "aabbcc"
	f.want(f.knock(was, k), protocol.KnockApproved, 0)
	f.house.revoked[was.id()] = true

	no := newDevice(t)
	no.facts.Serial, no.facts.MachineID = "S-7", "ddeeff"
	f.knock(no, byHand)
	if err := f.Reject(admission.Rejection{ID: no.id(), Block: true, By: "kari"}); err != nil {
		t.Fatal(err)
	}

	serial, machine, blocked, fine := newDevice(t), newDevice(t), newDevice(t), newDevice(t)
	serial.facts.Serial = "S-9"
	machine.facts.Serial, machine.facts.MachineID = "S-8", "aabbcc"
	blocked.facts.Serial, blocked.facts.MachineID = "s-7", "112233"
	fine.facts.Serial, fine.facts.MachineID = "Default string", ""
	for _, c := range []struct {
		d    *device
		mark string
	}{
		{was, "revoked before"},
		{serial, "serial number of gw-1 (" + string(was.id()) + "), which was revoked"},
		{machine, "machine id of gw-1"},
		{blocked, "serial number of " + string(no.id()) + ", which was blocked"},
	} {
		f.want(f.knock(c.d, k), protocol.KnockWaiting, 0)
		i := slices.IndexFunc(f.List(), func(w waitingroom.Waiting) bool { return w.ID == c.d.id() })
		if i < 0 || !strings.Contains(strings.Join(f.List()[i].Marks, "; "), c.mark) {
			t.Errorf("no mark %q in %+v", c.mark, f.List())
		}
	}
	f.want(f.knock(fine, k), protocol.KnockApproved, 0)
	if _, err := f.Approve(t.Context(), admission.Approval{ID: was.id(), By: "ola"}); err != nil {
		t.Fatal(err)
	}
	f.want(f.knock(was, k), protocol.KnockApproved, 0)
}

func TestUsesAreCountedExactly(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{Uses: 5, AutoApprove: &waitingroom.Rule{}})
	answers := make(chan protocol.KnockAnswer)
	for range 12 {
		d := newDevice(t)
		go func() { a, _ := f.Knock(t.Context(), d.request(k)); answers <- a }()
	}
	in, used := 0, 0
	for range 12 {
		switch a := <-answers; {
		case a.State == protocol.KnockApproved:
			in++
		case a.State == protocol.KnockRefused && a.Code == protocol.CodeKeyUsed:
			used++
		default:
			t.Errorf("%+v", a)
		}
	}
	if in != 5 || used != 7 || len(f.house.in) != 5 {
		t.Fatalf("%d in, %d refused, %d in the fleet; want 5, 7, 5", in, used, len(f.house.in))
	}
	f.restart()
	if keys := f.Keys(); keys[0].Used != 5 {
		t.Fatalf("after a restart %d uses are counted, want 5", keys[0].Used)
	}
	f.want(f.knock(newDevice(t), k), protocol.KnockRefused, protocol.CodeKeyUsed)
}

func TestFailedAdmissionCostsNoUse(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{Uses: 1, AutoApprove: &waitingroom.Rule{}})
	f.house.broken = errors.New("disk full")
	d := newDevice(t)
	if a, err := f.Knock(t.Context(), d.request(k)); err == nil {
		t.Fatalf("a fault of the hub was answered with %+v", a)
	}
	f.restart()
	if f.Keys()[0].Used != 0 || len(f.List()) != 0 {
		t.Fatalf("%+v, %+v", f.Keys(), f.List())
	}
	f.house.broken = nil
	f.want(f.knock(d, k), protocol.KnockApproved, 0)
}

func TestCrashWhileLettingInCountsOnce(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{Uses: 1, AutoApprove: &waitingroom.Rule{}})
	d := newDevice(t)
	// What is stored when the hub dies after the use was counted and before the device is in.
	w := waitingroom.Waiting{
		ID: d.id(), Key: d.pub(), PairingCode: "AAAA-AAAA", EnrolmentKey: k.KeyID,
		State: waitingroom.StateWaiting, Count: 1, Charged: true,
	}
	if err := f.store.ChargeWaiting(w, 1); err != nil {
		t.Fatal(err)
	}
	f.restart()
	f.want(f.knock(d, k), protocol.KnockApproved, 0)
	f.restart()
	if f.Keys()[0].Used != 1 || len(f.List()) != 0 {
		t.Fatalf("%+v, %+v", f.Keys(), f.List())
	}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	good := f.key(admission.KeySpec{MaxWaiting: 1})
	wrong := good
	wrong.Secret = []byte("0123456789abcdef")
	unknown := good
	unknown.KeyID = "nobody"
	f.want(f.knock(newDevice(t), wrong), protocol.KnockRefused, protocol.CodeKeyUnknown)
	f.want(f.knock(newDevice(t), unknown), protocol.KnockRefused, protocol.CodeKeyUnknown)

	old := newDevice(t)
	old.facts.Capability = 0
	f.want(f.knock(old, good), protocol.KnockRefused, protocol.CodeTooOld)

	first := newDevice(t)
	f.want(f.knock(first, good), protocol.KnockWaiting, 0)
	f.want(f.knock(newDevice(t), good), protocol.KnockRefused, protocol.CodeTooMany)
	f.want(f.knock(first, good), protocol.KnockWaiting, 0)
	if err := f.Reject(admission.Rejection{ID: first.id()}); err != nil {
		t.Fatal(err)
	}
	second := newDevice(t)
	f.want(f.knock(second, good), protocol.KnockWaiting, 0) // a rejected device takes no place

	replayed := second.request(good)
	replayed.Exporter = make([]byte, 32)
	if _, err := f.Knock(t.Context(), replayed); !errors.Is(err, protocol.ErrBadSignature) {
		t.Errorf("knock of another connection: %v", err)
	}
	broken := second.request(good)
	broken.Signed.Knock = []byte{0xff}
	if _, err := f.Knock(t.Context(), broken); !errors.Is(err, protocol.ErrMalformed) {
		t.Errorf("broken knock: %v", err)
	}
}

func TestRemovedKeySendsItsDevicesAway(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{Name: "leaked"})
	d := newDevice(t)
	f.knock(d, k)
	if _, err := f.RemoveKey("leaked"); err != nil {
		t.Fatal(err)
	}
	f.want(f.knock(d, k), protocol.KnockRefused, protocol.CodeKeyUnknown)
	f.restart()
	if len(f.List()) != 0 || len(f.Keys()) != 0 {
		t.Fatalf("%+v, %+v", f.List(), f.Keys())
	}
	if _, err := f.RemoveKey("leaked"); !errors.Is(err, admission.ErrKeyUnknown) {
		t.Fatal(err)
	}
}

func TestHoldingEndsInTimeAndIsBounded(t *testing.T) {
	f := newFixture(t)
	f.cfg.MaxHeld = 1
	f.restart()
	k := f.key(admission.KeySpec{})
	a, b := newDevice(t), newDevice(t)
	f.knock(a, k)
	f.knock(b, k)
	a.hold, b.hold = true, true
	if err := errors.Join(f.Close(), f.store.Close()); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f.open()
		defer func() {
			if err := f.store.Close(); err != nil {
				t.Error(err)
			}
		}()
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- f.Run(ctx) }()
		first := make(chan protocol.KnockAnswer)
		go func() { x, _ := f.Knock(t.Context(), a.request(k)); first <- x }()
		synctest.Wait()
		start := time.Now()
		if x := f.knock(b, k); x.State != protocol.KnockWaiting || x.RetryAfter != 60 || time.Since(start) != 0 {
			t.Errorf("beyond the bound: %+v after %v, want an answer at once that says 60 s", x, time.Since(start))
		}
		if x := <-first; x.State != protocol.KnockWaiting || x.RetryAfter != 1 || time.Since(start) != admission.DefaultHoldTime {
			t.Errorf("held: %+v after %v", x, time.Since(start))
		}
		go func() { x, _ := f.Knock(t.Context(), a.request(k)); first <- x }()
		synctest.Wait()
		cancel()
		if x := <-first; x.State != protocol.KnockWaiting {
			t.Errorf("when the hub stops: %+v", x)
		}
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	f.open()
	if got := f.List(); got[0].Count != 3 && got[1].Count != 3 {
		t.Errorf("counts were not stored: %+v", got)
	}
}

func TestDevicesThatStoppedKnockingGiveWay(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{MaxWaiting: 1})
	gone := newDevice(t)
	f.knock(gone, k)
	w := f.List()[0]
	w.Last -= 15 * 24 * 3600
	if err := errors.Join(f.Close(), f.store.PutWaiting(w)); err != nil {
		t.Fatal(err)
	}
	f.restart()
	d := newDevice(t)
	f.want(f.knock(d, k), protocol.KnockWaiting, 0)
	if l := f.List(); len(l) != 1 || l[0].ID != d.id() {
		t.Fatalf("%+v", l)
	}
}

// Pairing codes are dear: who has one edge key must not keep the hub busy with any number of newcomers.
func TestNewcomersQueueIsBounded(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{})
	f.cfg.MaxQueue = 2
	f.restart()
	const knocks = 40
	answers := make(chan protocol.KnockAnswer, knocks)
	for range knocks {
		r := newDevice(t).request(k)
		go func() {
			a, err := f.Knock(t.Context(), r)
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
	}
	states := map[protocol.KnockState]int{}
	for range knocks {
		a := <-answers
		states[a.State]++
		if a.State == protocol.KnockRefused && (a.Code != protocol.CodeBusy || a.RetryAfter == 0) {
			t.Errorf("%+v", a)
		}
	}
	if states[protocol.KnockWaiting] == 0 || states[protocol.KnockRefused] == 0 {
		t.Errorf("of %d at once: %v; want some in the waiting room and some sent away for a moment", knocks, states)
	}
	f.want(f.knock(newDevice(t), k), protocol.KnockWaiting, 0)
}

// counting counts what is written to the disk.
type counting struct {
	admission.Store
	puts atomic.Int32
}

func (c *counting) PutWaiting(w ...waitingroom.Waiting) error {
	c.puts.Add(1)
	return c.Store.PutWaiting(w...)
}

// A knock costs a stranger with an edge key nothing, so it must not cost the hub a write each.
func TestKnockingOnAndOnDoesNotWearTheDisk(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c := &counting{Store: f.store}
	f.cfg.Store = c
	desk, err := admission.New(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Desk = desk
	d := newDevice(t)
	for i := range 200 {
		d.facts.Hostname = fmt.Sprintf("gw-%d", i)
		f.want(f.knock(d, k), protocol.KnockWaiting, 0)
	}
	if n := c.puts.Load(); n > 20 {
		t.Errorf("%d writes for 200 knocks", n)
	}
	if got := f.List()[0]; got.Facts.Hostname != "gw-199" || got.Count != 200 {
		t.Errorf("shown as %+v", got)
	}
	f.cfg.Store = f.store
	f.restart()
	if got := f.List()[0]; got.Facts.Hostname != "gw-199" {
		t.Errorf("after a stop it is shown as %q", got.Facts.Hostname)
	}
}

func TestBadKeySpecs(t *testing.T) {
	f := newFixture(t)
	for _, s := range []admission.KeySpec{
		{},
		{Name: "x", Uses: 2, DeviceName: "y"},
		{Name: "x", Expires: time.Now().Add(-time.Hour)},
		{Name: "x", AutoApprove: &waitingroom.Rule{Networks: []string{"here"}}},
	} {
		if _, _, err := f.CreateKey(s); !errors.Is(err, admission.ErrBadSpec) && !errors.Is(err, waitingroom.ErrRule) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestClaimsAreCleaned(t *testing.T) {
	f := newFixture(t)
	d := newDevice(t)
	d.facts.Hostname = "evil\x1b[2J\n" + strings.Repeat("é", 100)
	f.knock(d, f.key(admission.KeySpec{}))
	got := f.List()[0].Facts.Hostname
	if strings.ContainsAny(got, "\x1b\n") || len(got) > protocol.MaxName || !strings.HasPrefix(got, "evil[2J") {
		t.Fatalf("stored %q", got)
	}
}
