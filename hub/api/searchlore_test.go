package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot/fold"
)

// fewSnapshots are the same for all devices.
type fewSnapshots struct {
	Snapshots
	state fold.State
}

func (f fewSnapshots) LatestHash(protocol.DeviceID) (protocol.ShortHash, bool) {
	return f.state.Hash, true
}

func (f fewSnapshots) Latest(protocol.DeviceID) (fold.State, error) { return f.state, nil }

// What is remembered stays within its bound, whatever devices send, and is read again where it was let go of.
func TestLoreIsBounded(t *testing.T) {
	big := protocol.Snapshot{Host: protocol.Host{}}
	for i := range 4000 {
		name := fmt.Sprintf("%04d-%s", i, strings.Repeat("X", 90))
		big.Containers = append(big.Containers, protocol.Container{Name: name + "\nforged", ImageRef: name})
		big.Images = append(big.Images, protocol.Image{ID: protocol.HashOf([]byte(name))})
	}
	s := newSnapshotLore(&big)
	if n := (deviceLore{snapshot: s}).size(); n > 4*maxText+32*maxDigests+1024 || s.counts.All != 4000 {
		t.Errorf("a large snapshot takes %d bytes, counts %+v", n, s.counts)
	}
	word := newWord("0007-xx")
	if got := word.places(&recordLore{}, s); len(got) == 0 || got[0].Kind != "container" || strings.Contains(got[0].Text, "\n") || !strings.Contains(got[0].Text, "XX") {
		t.Errorf("found %+v", got)
	}

	raw, err := protocol.Marshal(protocol.Snapshot{Containers: []protocol.Container{{Name: "web"}}})
	if err != nil {
		t.Fatal(err)
	}
	snapshots := fewSnapshots{state: fold.State{Hash: protocol.HashOf(raw).Short(), Canonical: raw}}
	l := newLore(100 << 10)
	for n := range 5000 {
		d := fleet.Device{ID: protocol.DeviceID(fmt.Sprintf("device-%d", n%3000)), Name: "Name"}
		r, known := l.record(&fleet.Sight{Device: &d, Edition: uint64(n)})
		if snap := l.snapshot(snapshots, d.ID, known); r.name != "name" || snap == nil || snap.counts.All != 1 {
			t.Fatalf("device %d: %+v, %+v", n, r, snap)
		}
		if sum := 0; n%1000 == 999 {
			for _, d := range l.of {
				sum += d.size()
			}
			if sum != l.bytes || sum > l.room || len(l.of) < 100 {
				t.Fatalf("%d devices take %d bytes, noted as %d", len(l.of), sum, l.bytes)
			}
		}
	}
}
