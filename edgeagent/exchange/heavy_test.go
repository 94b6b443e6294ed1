package exchange

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/capture"
)

// heavyCapture makes the device's state one that takes so many bytes on the way.
func (h *hub) heavyCapture(bytes int) {
	r := rand.New(rand.NewPCG(1, 2))
	var s protocol.Snapshot
	for range bytes / 32 {
		var id protocol.Hash
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		s.Images = append(s.Images, protocol.Image{ID: id})
	}
	canonical, hash := snapshot.Canonical(s)
	h.locked(func() { h.captured = capture.Capture{OK: true, Canonical: canonical, Hash: hash, At: time.Now()} })
}

// A snapshot that does not fit the device's times of contact holds up nothing else, is begun seldom, and comes as soon as
// there is time for it.
func TestASnapshotThatDoesNotFitAnOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := time.Now().Add(30*time.Hour + 5*time.Minute)
		h := newHub(t, true, protocol.Settings{
			Ping: 600, Snapshot: 600, Command: 600, KeyExchange: protocol.KeyExchangeClassic,
			Link: &protocol.LinkRules{Contact: &protocol.Contact{
				Windows: []protocol.ContactWindow{{Start: "*/30 * * * *", Seconds: 20, Zone: "UTC"}},
				Passes:  []protocol.Pass{{Start: long.Unix(), Seconds: 180}},
			}},
		})
		h.heavyCapture(60_000)
		h.rate = 1500
		h.economical()
		h.run()
		for hour := range 24 {
			if err := h.state.PutEvent("test", "something happened"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if items, _ := h.state.Pending(); items > 0 && hour > 0 {
				t.Fatalf("after %d hours %d items still wait", hour+1, items)
			}
		}
		heavy := 0
		h.locked(func() {
			for _, n := range h.begun {
				if n > 30_000 {
					heavy++
				}
			}
		})
		if heavy < 3 || heavy > 8 {
			t.Errorf("in 48 openings it was begun %d times", heavy)
		}
		if _, acked := h.state.AckedSnapshot(); acked == h.now() {
			t.Fatal("it came through openings of 20 s at 1.5 kB a second")
		}
		time.Sleep(8 * time.Hour)
		if _, acked := h.state.AckedSnapshot(); acked != h.now() {
			t.Error("it did not come in the pass of three minutes")
		}
	})
}
