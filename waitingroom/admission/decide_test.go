package admission_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

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

func TestANoCanBeTakenBack(t *testing.T) {
	f := newFixture(t)
	k, d := f.key(admission.KeySpec{}), newDevice(t)
	f.knock(d, k)
	for _, block := range []bool{false, true} {
		if err := f.Reject(admission.Rejection{ID: d.id(), Block: block, By: "kari"}); err != nil {
			t.Fatal(err)
		}
		f.want(f.knock(d, k), protocol.KnockRejected, protocol.CodeRejected)
		if err := f.Reject(admission.Rejection{ID: d.id(), Undo: true, By: "kari"}); err != nil {
			t.Fatal(err)
		}
		f.restart()
		f.want(f.knock(d, k), protocol.KnockWaiting, 0)
		list := f.List()
		if len(list) != 1 || list[0].State != waitingroom.StateWaiting || list[0].By != "" || list[0].Decided != 0 {
			t.Fatalf("%+v", list)
		}
	}
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
