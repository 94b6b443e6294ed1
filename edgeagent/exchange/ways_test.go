package exchange

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/protocol"
)

// economical gives the device what keeps it to its rules.
func (h *hub) economical() *spending.Keeper {
	k := spending.New(spending.Config{Store: h.state, Clock: h.e.Clock().Now, Log: slog.New(slog.NewTextHandler(h.t.Output(), nil))})
	h.e.cfg.Economy = k
	h.e.rules(h.e.ordered())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = k.Run(ctx) }() // ends with ctx
	h.t.Cleanup(func() { cancel(); <-done })
	return k
}

func every20(way protocol.ConnectionWay) protocol.Settings {
	return protocol.Settings{
		Ping: 1200, Snapshot: 1200, Command: 1200, KeyExchange: protocol.KeyExchangeClassic, Link: &protocol.LinkRules{Connection: way},
	}
}

// A device whose connections are brief comes at its ticks, says and takes what there is, and goes.
func TestBriefConnections(t *testing.T) {
	for name, push := range map[string]bool{"push": true, "poll": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, push, every20(protocol.ConnectionBrief))
				h.economical()
				h.run()
				time.Sleep(time.Hour)
				if s := h.e.Status(); s.Connected || s.NextTry.IsZero() || s.Waiting == "" {
					t.Errorf("between two contacts the agent says %+v", s)
				}
				before := h.connected()
				h.capture(2)
				if err := h.state.PutEvent("test", "something happened"); err != nil {
					t.Fatal(err)
				}
				h.kinds()
				time.Sleep(21 * time.Minute)
				var snapshots, events int
				for _, k := range h.kinds() {
					switch k {
					case protocol.KindSnapshot:
						snapshots++
					case protocol.KindEvent:
						events++
					}
				}
				if snapshots != 1 || events != 1 {
					t.Errorf("by the next contact %d snapshots and %d events came", snapshots, events)
				}
				time.Sleep(24*time.Hour - 21*time.Minute)
				if n := h.connected() - before; n < 71 || n > 73 {
					t.Errorf("%d connections in a day of contacts every 20 minutes", n)
				}
				if n := h.pinged(); push && n > 3 {
					t.Errorf("%d pings beyond those of connecting", n)
				}
			})
		})
	}
}

// Where the path drops connections that are silent for some time, the device learns for how long they may be, and keeps
// one for as long as that is cheaper than making new ones.
func TestThePathIsLearned(t *testing.T) {
	for name, c := range map[string]struct {
		forgets time.Duration
		brief   bool
	}{
		"never":       {0, false},
		"7 minutes":   {7 * time.Minute, false},
		"19 minutes":  {19 * time.Minute, false},
		"100 seconds": {100 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, true, every20(protocol.ConnectionAuto))
				h.forgets = c.forgets
				h.economical()
				h.run()
				time.Sleep(12 * time.Hour) // it learns
				h.locked(func() { h.connects, h.pings = nil, nil })
				lost := 0
				h.locked(func() { lost = h.lost })
				if lost > 6 {
					t.Errorf("it took %d connections to learn", lost)
				}
				time.Sleep(24 * time.Hour)
				connects, pings := h.connected(), h.pinged()
				h.locked(func() {
					if h.lost != lost {
						t.Errorf("%d connections were lost after half a day of learning", h.lost-lost)
					}
				})
				spent := uint64(connects)*economy.ConnectCost + uint64(pings)*economy.PingCost
				hold := c.forgets
				if hold == 0 || hold > 20*time.Minute {
					hold = 20 * time.Minute
				}
				best := min(uint64(24*time.Hour/hold)*economy.PingCost, 72*economy.ConnectCost)
				t.Logf("%d connections and %d pings: %d bytes, at best %d", connects, pings, spent, best)
				if c.brief && connects < 70 || !c.brief && connects != 0 {
					t.Errorf("%d connections", connects)
				}
				if spent > best*5/4+economy.ConnectCost {
					t.Errorf("%d bytes were spent, where %d are enough", spent, best)
				}
			})
		})
	}
}

// stages is an economy at a stage that a test sets.
type stages struct {
	*spending.Keeper
	stage protocol.Spending
}

func (s *stages) Stage() protocol.Spending { return s.stage }

// A device that saves pings a quarter as often, on the connection it has, and says at once what is urgent.
func TestSavingOnTheConnectionThereIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := standard()
		s.Ping, s.Link = 60, &protocol.LinkRules{Budget: &protocol.Budget{Soft: 50_000_000, Hard: 100_000_000}}
		h := newHub(t, true, s)
		h.e.cfg.Economy = &stages{Keeper: h.economical(), stage: protocol.SpendingSaving}
		h.run()
		time.Sleep(time.Minute)
		h.locked(func() { h.pings = nil })
		time.Sleep(time.Hour)
		if n := h.pinged(); n < 14 || n > 16 {
			t.Errorf("%d pings in an hour, where one each four minutes is due", n)
		}
		h.kinds()
		if err := h.state.PutEvent("test", "something happened"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := h.count(protocol.KindEvent); n != 1 || h.connected() != 1 {
			t.Errorf("%d events came, on %d connections", n, h.connected())
		}
	})
}
