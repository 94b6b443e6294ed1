package admission_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom/admission"
)

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
