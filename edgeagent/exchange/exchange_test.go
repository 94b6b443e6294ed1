package exchange

import (
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
)

func async() protocol.Settings { return protocol.DefaultSettings(protocol.ModeAsync) }

func standard() protocol.Settings { return protocol.DefaultSettings(protocol.ModeStandard) }

// bubble runs a test in virtual time with a hub that pushes, and with one that does not.
func bubble(t *testing.T, s protocol.Settings, test func(t *testing.T, h *hub)) {
	t.Helper()
	for name, push := range map[string]bool{"push": true, "poll": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newHub(t, push, s)) })
		})
	}
}

// An idle device says how it is once, and then only that it lives: no snapshot, and where there are pings no frame.
func TestIdleDeviceSaysNothing(t *testing.T) {
	bubble(t, async(), func(t *testing.T, h *hub) {
		h.run()
		time.Sleep(time.Hour)
		if n := h.count(protocol.KindSnapshot); n != 1 {
			t.Errorf("%d snapshots in the first hour", n)
		}
		h.locked(func() { h.pings = nil })
		time.Sleep(24 * time.Hour)
		var frames, messages int
		h.locked(func() {
			for _, f := range h.frames {
				frames++
				messages += len(f.Messages)
			}
		})
		if messages != 0 {
			t.Errorf("%d messages in a day", messages)
		}
		if n := h.pinged(); h.push && (frames != 0 || n < 24*60-1 || n > 24*60+1) {
			t.Errorf("%d frames and %d pings in a day", frames, n)
		}
		if !h.push && (frames < 24*60-1 || frames > 24*60+1) {
			t.Errorf("%d exchanges in a day", frames)
		}
	})
}

// The first ping comes within one interval, whatever the device's slot: the hub counts from the last contact.
func TestFirstPingComesInTime(t *testing.T) {
	for _, slot := range []uint32{0, 50, 5_000, 59_950, 61_000, 600_000} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t, true, async())
			h.welcome.Slot = slot
			h.run()
			start := time.Now()
			time.Sleep(3 * time.Minute)
			h.locked(func() {
				if len(h.pings) == 0 || h.pings[0].Sub(start) > time.Minute {
					t.Errorf("slot of %d ms: pings %v after %v", slot, h.pings, start)
				}
			})
		})
	}
}

// Refusals, orders that never fit and a state that cannot be written do not make the device connect again and again.
func TestFailuresBackOff(t *testing.T) {
	for name, spoil := range map[string]func(h *hub){
		"a copy":   func(h *hub) { h.refuse = &protocol.Error{Code: protocol.CodeCopy} },
		"too old":  func(h *hub) { h.refuse = &protocol.Error{Code: protocol.CodeTooOld} },
		"too busy": func(h *hub) { h.refuse = &protocol.Error{Code: protocol.CodeBusy, RetryAfter: 30} },
		"orders that do not fit": func(h *hub) {
			seq := uint64(time.Now().UnixMicro())
			h.answer = func(m protocol.Message) []protocol.Message {
				if m.Kind != protocol.KindHello {
					return nil
				}
				seq++
				other := protocol.Desired{Base: protocol.ShortHash{1}, Hash: protocol.ShortHash{2}}
				return []protocol.Message{h.orders(h.key, protocol.OrderMark{Epoch: 1, Seq: seq}, protocol.OrderBody{Desired: &other})}
			}
		},
		"a state that was closed": func(h *hub) {
			h.answer = func(m protocol.Message) []protocol.Message {
				if m.Kind == protocol.KindHello {
					return []protocol.Message{h.orders(h.key, protocol.OrderMark{Epoch: 2, Seq: 1}, protocol.OrderBody{Settings: &h.settings})}
				}
				return nil
			}
			if err := h.state.Close(); err != nil {
				h.t.Fatal(err)
			}
		},
	} {
		for _, push := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHub(t, push, async())
					spoil(h)
					h.run()
					time.Sleep(10 * time.Hour)
					h.locked(func() {
						if n := len(h.connects); n < 30 || n > 250 {
							t.Errorf("%d connections in 10 h", n)
						}
						if n := len(h.frames); n > 2500 {
							t.Errorf("%d frames in 10 h", n)
						}
					})
				})
			})
		}
	}
}

// Why the hub ends a connection is heard, although the connection is gone by then.
func TestLastWordIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, true, async())
		done := h.run()
		time.Sleep(time.Second)
		h.locked(func() {
			h.conn.say(&protocol.Frame{Messages: []protocol.Message{message(protocol.KindError, &protocol.Error{Code: protocol.CodeRevoked})}})
			h.conn.in.Down(errors.New("closed"))
		})
		synctest.Wait()
		var refused *protocol.Error
		if err := <-done; !errors.As(err, &refused) || refused.Code != protocol.CodeRevoked {
			t.Errorf("ended with %v", err)
		}
	})
}

// An error about one message does not end the session, let alone the device's admission.
func TestRefusedMessageIsOnlyTold(t *testing.T) {
	bubble(t, standard(), func(t *testing.T, h *hub) {
		h.answer = func(m protocol.Message) []protocol.Message {
			if m.Kind == protocol.KindSnapshot {
				return []protocol.Message{
					message(protocol.KindError, &protocol.Error{Code: protocol.CodeUnknown, Kind: m.Kind}),
					message(protocol.KindWelcome, "not a welcome"),
				}
			}
			return nil
		}
		h.run()
		time.Sleep(time.Minute)
		if n := h.connected(); n != 1 {
			t.Errorf("%d connections", n)
		}
		if n := h.count(protocol.KindEvent); n != 2 {
			t.Errorf("%d events tell of the refusal and of what cannot be read", n)
		}
	})
}

// Orders count only with the hub's signature, for this device, and newer than the last: not even the hub's own
// connection makes up for that.
func TestOrdersAreVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, true, standard())
		h.run()
		time.Sleep(time.Second)
		_, other, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		mark := func(n uint64) protocol.OrderMark { return protocol.OrderMark{Epoch: 1, Seq: n} }
		body := func(n int) protocol.OrderBody {
			return protocol.OrderBody{Commands: []protocol.Command{{ID: protocol.CommandID(n), Kind: protocol.CommandSnapshot, NotAfter: 1 << 40}}}
		}
		stranger, err := protocol.SignOrders(h.key, "aaaaaaaaaaaaaaaa", mark(10), &protocol.OrderBody{Commands: body(2).Commands})
		if err != nil {
			t.Fatal(err)
		}
		good := h.orders(h.key, mark(5), body(3))
		h.says(h.orders(other, mark(10), body(1)), message(protocol.KindOrders, stranger), good)
		time.Sleep(time.Second)
		h.says(good) // played again in a frame of its own
		time.Sleep(time.Minute)
		if c := h.state.PendingCommands(); len(c) != 1 || c[0].ID != 3 {
			t.Errorf("accepted %v", c)
		}
		if kinds := h.kinds(); !slices.Contains(kinds, protocol.KindEvent) {
			t.Error("nobody is told of refused orders")
		}
	})
}

// Results and status go before output, and output under way is bounded, so that what is urgent can still go.
func TestUrgentGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, true, standard())
		command := protocol.CommandID(1 << 30)
		accept := func(id protocol.CommandID) {
			at := h.state.Orders().Mark
			at.Seq++
			if err := h.state.AcceptOrders(state.Accept{Mark: at, Commands: []protocol.Command{{ID: id, NotAfter: 1 << 40}}}); err != nil {
				t.Fatal(err)
			}
		}
		accept(command)
		output := make([]byte, 200_000)
		for i := range output {
			output[i] = byte(rand.Uint32())
		}
		if err := h.state.FinishCommand(protocol.CommandResult{ID: command, State: protocol.CommandDone}, output); err != nil {
			t.Fatal(err)
		}
		h.run()
		time.Sleep(time.Second)
		if kinds := h.kinds(); kinds[0] != protocol.KindHello || kinds[1] != protocol.KindResult || kinds[len(kinds)-1] != protocol.KindOutput {
			t.Errorf("said %v", kinds)
		}
		// Once more, to a hub that does not get to acknowledge.
		command++
		accept(command)
		h.locked(func() { h.deaf = true })
		if err := h.state.FinishCommand(protocol.CommandResult{ID: command, State: protocol.CommandDone}, output); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		bytes := 0
		h.locked(func() {
			for _, f := range h.frames {
				for _, m := range f.Messages {
					if m.Kind == protocol.KindOutput {
						bytes += len(m.Body)
					}
				}
			}
			h.frames = nil
		})
		if bytes == 0 || bytes > maxBulk+1024 {
			t.Errorf("%d bytes of output are under way", bytes)
		}
		command++
		accept(command)
		if err := h.state.FinishCommand(protocol.CommandResult{ID: command, State: protocol.CommandDone}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := h.count(protocol.KindResult); n != 1 {
			t.Errorf("a result waits for output: %d were sent", n)
		}
		h.locked(func() { h.deaf = false })
		time.Sleep(10 * time.Minute)
		if n, _ := h.state.Pending(); n != 0 {
			t.Errorf("%d items are left", n)
		}
	})
}

// Snapshots on change go at most every 2 s, also while the hub speaks; the last state is always told.
func TestSnapshotsAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, true, standard())
		h.run()
		time.Sleep(10 * time.Second)
		h.kinds()
		for i := range 200 { // 20 s
			h.capture(100 + i)
			h.says() // an empty frame, which the device answers
			time.Sleep(100 * time.Millisecond)
		}
		if n := h.count(protocol.KindSnapshot); n < 9 || n > 11 {
			t.Errorf("%d snapshots in 20 s", n)
		}
		time.Sleep(3 * time.Second)
		if _, acked := h.state.AckedSnapshot(); acked != h.now() {
			t.Error("the last state was not told")
		}
	})
}

// A device whose captures fall behind says so with its next ping, and when they are on time again.
func TestOverdueIsTold(t *testing.T) {
	bubble(t, standard(), func(t *testing.T, h *hub) {
		h.run()
		time.Sleep(time.Minute)
		h.kinds()
		h.locked(func() { h.captured.OverdueSince, h.captured.Reason = time.Now(), "the engine hangs" })
		time.Sleep(2 * time.Minute)
		if n := h.count(protocol.KindOverdue); n != 1 {
			t.Errorf("told %d times that captures are overdue", n)
		}
		h.locked(func() { h.captured.OverdueSince = time.Time{} })
		time.Sleep(2 * time.Minute)
		if n := h.count(protocol.KindOverdue); n != 1 {
			t.Errorf("told %d times that captures are on time again", n)
		}
	})
}

// What could not be said for long is not repeated as it was: a new session says how things are, and sets the clock.
func TestAfterLongSilenceANewSession(t *testing.T) {
	bubble(t, standard(), func(t *testing.T, h *hub) {
		h.run()
		time.Sleep(65 * time.Second) // between two pings
		h.locked(func() { h.deaf = true })
		h.capture(2)
		time.Sleep(2 * time.Hour)
		h.capture(3)
		h.kinds()
		h.locked(func() { h.deaf = false })
		time.Sleep(20 * time.Minute)
		if kinds := h.kinds(); kinds[0] != protocol.KindHello {
			t.Errorf("said %v", kinds)
		}
		if _, acked := h.state.AckedSnapshot(); acked != h.now() {
			t.Error("the last state was not told")
		}
	})
}

// The hub's time counts, and what the connection was made with follows the settings.
func TestClockAndSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, true, async())
		h.run()
		time.Sleep(time.Minute)
		if now, vouched := h.e.Clock().Now(); !vouched || time.Until(now).Abs() > time.Second {
			t.Errorf("hub's time is %v, vouched %v", now, vouched)
		}
		next := async()
		next.Ping = 20
		h.says(h.orders(h.key, protocol.OrderMark{Epoch: 1, Seq: 9}, protocol.OrderBody{Settings: &next}))
		time.Sleep(time.Second)
		if n := h.connected(); n != 2 {
			t.Errorf("%d connections: the keep-alive of the first is that of the settings before", n)
		}
		h.locked(func() { h.pings = nil })
		time.Sleep(10 * time.Minute)
		if n := h.pinged(); n < 29 || n > 31 {
			t.Errorf("%d pings in 10 min, at one each 20 s", n)
		}
	})
}
