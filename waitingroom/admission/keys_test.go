package admission_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

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

// Without the key of its secrets a hub cannot check an edge key. Whoever runs it sees which, and a device hears that it
// needs another one, not that the hub has a fault.
func TestKeysOfALostSecretsKeyAreSaidToBeUnusable(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{Name: "before"})
	waiting := newDevice(t)
	f.want(f.knock(waiting, k), protocol.KnockWaiting, 0)

	was := f.cfg.Vault
	other, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f.cfg.Vault = other
	f.restart()
	fresh := f.key(admission.KeySpec{Name: "since", AutoApprove: &waitingroom.Rule{}})
	if keys := f.Keys(); !strings.Contains(keys[0].Unusable, "secrets.key") || !strings.Contains(keys[0].Unusable, "make a new key") || keys[1].Unusable != "" {
		t.Errorf("the keys are said to be unusable for %q and %q; want the first, with the remedy", keys[0].Unusable, keys[1].Unusable)
	}
	a := f.knock(newDevice(t), k)
	f.want(a, protocol.KnockRefused, protocol.CodeKeyUnknown)
	if !strings.Contains(a.Text, "secrets.key") || !strings.Contains(a.Text, "new edge key") {
		t.Errorf("the device is told %q", a.Text)
	}
	f.want(f.knock(newDevice(t), fresh), protocol.KnockApproved, 0)
	if _, err := f.Approve(t.Context(), admission.Approval{ID: waiting.id(), By: "ola"}); err != nil {
		t.Fatal(err)
	}
	f.want(f.knock(waiting, k), protocol.KnockApproved, 0) // it is in, by whatever key

	f.cfg.Vault = was
	f.restart()
	if keys := f.Keys(); keys[0].Unusable != "" || keys[1].Unusable == "" {
		t.Errorf("with the file back the keys are said to be unusable for %q and %q", keys[0].Unusable, keys[1].Unusable)
	}
	f.want(f.knock(newDevice(t), k), protocol.KnockWaiting, 0)
}
