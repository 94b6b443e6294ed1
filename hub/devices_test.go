package hub

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

func openFleet(t *testing.T) *fleet.Registry {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r, err := fleet.New(fleet.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func addDevice(t *testing.T, r *fleet.Registry, f protocol.Facts) protocol.DeviceID {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	id := protocol.DeviceIDFor(pub)
	if err := r.Add(fleet.Device{ID: id, Key: pub, Facts: f}); err != nil {
		t.Fatal(err)
	}
	return id
}

// A rule of an enrolment key does not tell letter case apart, so neither may what keeps revoked hardware from coming
// in by it; and to remove a revoked device must not forgive it.
func TestRevokedHardwareIsRecognised(t *testing.T) {
	r := openFleet(t)
	id := addDevice(t, r, protocol.Facts{Serial: "SN-1", MachineID: "ab12"})
	if err := r.Revoke(id); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		for _, f := range []protocol.Facts{{Serial: "sn-1"}, {MachineID: "AB12"}} {
			alike := admissionDevices{fleet: r}.Alike(f.Serial, f.MachineID)
			if len(alike) != 1 || alike[0].ID != id || !alike[0].Revoked || alike[0].Serial != (f.Serial != "") || alike[0].Machine != (f.MachineID != "") {
				t.Errorf("%s, %+v is like %+v; want one revoked device", when, f, alike)
			}
		}
	}
	check("revoked")
	if err := r.Remove(id); err != nil {
		t.Fatal(err)
	}
	check("revoked and removed")
	if alike := (admissionDevices{fleet: r}).Alike("", "other"); len(alike) != 0 {
		t.Errorf("another machine is like %+v", alike)
	}
}

// A device must not be able to push the events of all others out of what is kept.
func TestOneDeviceCannotFloodTheEvents(t *testing.T) {
	o, now, told := newTold(), time.Now(), map[verdict]int{}
	for i := range 100_000 {
		told[o.spend("hostile", now.Add(time.Duration(i)*time.Millisecond))]++
	}
	if told[inQuota] > eventBurst+100 || told[inQuota] < eventBurst || told[exceeded] != 1 {
		t.Errorf("in 100 s: %d events, said %d times that some are left out; want %d and once", told[inQuota], told[exceeded], eventBurst+100)
	}
	if o.spend("another", now) != inQuota {
		t.Error("another device has lost its own")
	}
	if later := now.Add(time.Hour); o.spend("hostile", later) != inQuota {
		t.Error("a device that is quiet for long does not get its quota back")
	}
}

// What a device says of itself is kept and shown, so it is held to what a knock may say.
func TestHelloIsHeldToBounds(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	h := protocol.Hello{Version: "1\x1b[2J" + long, Mode: 200, Wishes: map[string]string{long: long, "site\n": "\x1b]0;oslo"}}
	said := boundHello(&h)
	if len(said.version) > protocol.MaxName || strings.ContainsRune(said.version, '\x1b') {
		t.Errorf("version %.200q of %d bytes", said.version, len(said.version))
	}
	if said.mode != protocol.ModeAsync {
		t.Errorf("mode %d", said.mode)
	}
	for k, v := range said.wishes {
		if len(k) > protocol.MaxName || len(v) > protocol.MaxName || strings.ContainsAny(k+v, "\n\x1b") {
			t.Errorf("wish %.200q = %.200q", k, v)
		}
	}
	if said.wishes["site"] != "]0;oslo" {
		t.Errorf("wishes lost what may be shown: %d of them", len(said.wishes))
	}
}
