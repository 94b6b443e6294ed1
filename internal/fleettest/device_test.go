package fleettest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/waitingroom/admission"
)

const web = `services:
  web:
    image: acme/web:1
`

func TestOneDevice(t *testing.T) {
	for _, carrier := range []protocol.Carrier{protocol.CarrierMQTT, protocol.CarrierHTTPS} {
		t.Run(string(carrier), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := New(t)
				d := f.Device(DeviceSpec{EdgeKey: f.EdgeKey(admission.KeySpec{}), Seed: 1, Carrier: carrier, Containers: 3})
				f.Until("device waits", time.Minute, func() bool { return len(f.Hub().Waiting.List()) == 1 })
				f.Approve(d)
				f.Until("snapshot arrives", 5*time.Minute, func() bool {
					_, err := f.Hub().Snapshots.Latest(d.ID)
					return err == nil
				})
				state, err := f.Hub().Snapshots.Latest(d.ID)
				if err != nil {
					t.Fatal(err)
				}
				snap, err := state.Snapshot()
				if err != nil || len(snap.Containers) != 3 {
					t.Fatalf("snapshot has %d containers, %v", len(snap.Containers), err)
				}
				if _, _, err := f.Hub().Planner.Apply(planner.ApplySpec{Name: "web", Files: map[string][]byte{"compose.yml": []byte(web)}, Author: "test"}); err != nil {
					t.Fatal(err)
				}
				f.Until("stack runs", 10*time.Minute, func() bool {
					o, err := f.Hub().Planner.Get("web")
					return err == nil && o.States[protocol.StackRunning] == 1
				})
				if l := f.Hub().Fleet.Liveness(d.ID, time.Now()); l.State != fleet.OnTime {
					t.Errorf("liveness %+v", l)
				}
			})
		})
	}
}
