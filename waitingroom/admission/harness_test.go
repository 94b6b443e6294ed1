package admission_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

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
