//go:build bench && linux

package benchwire

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/internal/wirelab"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// knocksADay is how often a device knocks that has waited for an hour.
const knocksADay = int(24 * time.Hour / protocol.WaitingKnock)

// waitingRows measures the knock of a device that has waited long: a connection of its own, no holding, closed after
// the answer. It is made here as the agent makes it, because the agent itself begins with a quarter of an hour of
// held knocks.
func waitingRows(t *testing.T, r *report) {
	s := newSite(t)
	edgeKey, err := waitingroom.Parse(s.edgeKey(t, admission.KeySpec{Name: "by hand"}))
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	public := private.Public().(ed25519.PublicKey)
	facts := fleettest.FactsOf(1)
	facts.Engine, facts.Version, facts.Capability, facts.Mode = "docker 28.5.2", "1.0.0", protocol.Capability, protocol.ModeAsync
	facts.MachineID = "0123456789abcdef0123456789abcdef"
	knocker := link.NewKnocker(link.Config{EdgeKey: edgeKey, Key: private, DialContext: s.Device.Dial, OnFrame: func([]byte) {}, Log: s.log})
	knock := func() wirelab.Traffic {
		t.Helper()
		mark := s.Wire.Mark()
		answer, err := knocker.Knock(t.Context(), func(exporter []byte) ([]byte, error) {
			body, err := protocol.Marshal(protocol.Knock{
				Key: public, EnrolmentKey: edgeKey.KeyID, Proof: waitingroom.ConnectionProof(edgeKey.Secret, exporter, public), Facts: facts,
			})
			if err != nil {
				return nil, err
			}
			return protocol.Marshal(protocol.SignedKnock{Knock: body, Sig: protocol.SignConnection(private, protocol.PurposeKnock, string(body), exporter)})
		})
		if err != nil || answer.State != protocol.KnockWaiting {
			t.Fatal(answer, err)
		}
		if err := knocker.Close(); err != nil {
			t.Fatal(err)
		}
		s.Wire.Quiet(t, settle)
		return s.Wire.Since(mark)
	}
	knock() // the first one enters the waiting room
	var total int
	var last wirelab.Traffic
	for range knocksADay {
		last = knock()
		total += last.Bytes()
	}
	r.add(t, row{
		what: "waiting device, a day after the first hour", where: "wire", target: "≤ 30 kB", got: kB(total), verdict: atMost(total, 30_000),
		how: fmt.Sprintf("the %d knocks of a day, one every 3 h, made one after another: %s B each, closing included", knocksADay, thousands(total/knocksADay)),
	})
	r.detail("A knock", last.String())
}
