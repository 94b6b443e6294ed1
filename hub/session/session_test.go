package session_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/protocol"
)

func randRead(b []byte) (int, error) { return rand.Read(b) }

func command(f protocol.Frequency) func(*hub) {
	return func(h *hub) { h.settings.Command = f }
}

func TestHelloIsWelcomedWithWhatTheDeviceLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		h.desired = []protocol.Entry{{EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: 1}, Version: 3, Name: "web"}}
		id := h.give("nobody")
		a := h.enrol(t)
		a.begin()
		told, _, kinds := a.state()
		if !slices.Equal(kinds, []protocol.Kind{protocol.KindWelcome, protocol.KindOrders}) {
			t.Fatalf("got %v, want welcome and one order", kinds)
		}
		if a.have == nil || *a.have != h.settings || len(a.set) != 1 || !slices.Equal(told, []protocol.CommandID{id}) {
			t.Errorf("the device holds settings %v, %d stacks, commands %v", a.have, len(a.set), told)
		}
		if !slices.Equal(h.sent, []protocol.CommandID{id}) {
			t.Errorf("sent commands: %v, want the one that was acknowledged", h.sent)
		}
		if c, ok := h.Online(a.id); !ok || c != protocol.CarrierMQTT || h.Connected() != 1 {
			t.Errorf("online %v by %q, %d connected", ok, c, h.Connected())
		}

		// The same again, by a device that has everything: a new run of the agent is told nothing.
		h.locked(func() { h.pending = nil })
		b := a.copyOf(2, 2)
		b.mark, b.set, b.have = a.mark, a.set, a.have
		a.conn.Close(errors.New("power lost"))
		synctest.Wait()
		b.begin()
		if _, _, kinds := b.state(); !slices.Equal(kinds, []protocol.Kind{protocol.KindWelcome}) {
			t.Errorf("a device that has everything was sent %v", kinds)
		}
		if len(h.events) != 0 {
			t.Errorf("an ordinary restart raised %v", h.events)
		}
	})
}

// The first device that is back after a restart of the hub is told the spread of the whole fleet: at the next restart
// it must not be early.
func TestTheSpreadIsOfTheWholeFleetFromTheFirstHelloOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, func(c *session.Config) { c.Fleet = func() int { return 10_000 } })
		h.run(t)
		a := h.enrol(t)
		a.begin()
		if a.spread != 20*time.Second {
			t.Errorf("one of 10,000 devices spreads its return over %s, want 20 s", a.spread)
		}
	})
}

func TestFullSnapshotIsAskedForOnlyWhenBasesDiffer(t *testing.T) {
	for _, same := range []protocol.ShortHash{{1}, {2}} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t, nil)
			h.run(t)
			h.fold = protocol.ShortHash{1}
			a := h.enrol(t)
			a.mustConnect()
			f, err := a.cod.Decode(a.hello(7))
			if err != nil {
				t.Fatal(err)
			}
			var m protocol.Hello
			if err := f.Messages[0].Decode(&m); err != nil {
				t.Fatal(err)
			}
			m.Snapshot = same
			f.Messages[0] = a.message(protocol.KindHello, m)
			a.link.Receive(a.encode(f))
			synctest.Wait()
			_, _, kinds := a.state()
			if got, want := slices.Contains(kinds, protocol.KindFullWanted), same != h.fold; got != want {
				t.Errorf("full snapshot wanted: %v, want %v", got, want)
			}
		})
	}
}

func TestOrdersGoOutAsTheCommandFrequencySays(t *testing.T) {
	cases := map[string]struct {
		set  func(*hub)
		want func(waited time.Duration) bool
	}{
		"push": {command(protocol.FrequencyPush), func(d time.Duration) bool { return d == 0 }},
		"60s":  {command(60), func(d time.Duration) bool { return d > 0 && d <= time.Minute }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, nil)
				h.run(t)
				c.set(h)
				a := h.enrol(t)
				a.begin()
				start := time.Now()
				var ticks []time.Duration
				for i := range 3 {
					time.Sleep(time.Duration(70+10*i) * time.Second)
					given := time.Now()
					h.give(a.id)
					time.Sleep(90 * time.Second)
					synctest.Wait()
					if len(a.times) != i+1 {
						t.Fatalf("%d commands came, want %d", len(a.times), i+1)
					}
					if d := a.times[i].Sub(given); !c.want(d) {
						t.Errorf("the command came %s after it was given", d)
					}
					ticks = append(ticks, a.times[i].Sub(start)%time.Minute)
				}
				if want := []time.Duration{a.slot, a.slot, a.slot}; name != "push" && !slices.Equal(ticks, want) {
					t.Errorf("commands came at %v of the minute since the session began, want the device's slot, %s", ticks, a.slot)
				}
			})
		})
	}
}

func TestCommandsThatAreOffWaitForASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		h.settings.Command = protocol.FrequencyOff
		a := h.enrol(t)
		a.begin()
		h.give(a.id)
		time.Sleep(24 * time.Hour)
		a.link.Receive(a.event("contact"))
		synctest.Wait()
		if told, _, _ := a.state(); len(told) != 0 {
			t.Error("a command was sent although commands are off")
		}
		a.link.Receive(a.hello(8))
		synctest.Wait()
		if told, _, _ := a.state(); len(told) != 1 {
			t.Error("the command did not come with the next session")
		}
	})
}

func TestFramesAreProcessedOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.begin()
		one, two, three := a.event("one"), a.event("two"), a.event("three")
		for _, f := range [][]byte{one, one, three, two, two, three, one} {
			a.link.Receive(f)
			synctest.Wait()
		}
		if got := strings.Join(h.got, ", "); got != "event one, event two, event three" {
			t.Errorf("processed: %s", got)
		}
		if !a.win.Idle() {
			t.Error("the hub did not acknowledge everything")
		}
	})
}

func TestWhatFailsInTheHubIsNotAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.begin()
		h.locked(func() { h.failing = errors.New("disk full") })
		f := a.event("one")
		a.link.Receive(f)
		synctest.Wait()
		if _, codes, _ := a.state(); !slices.Equal(codes, []protocol.Code{protocol.CodeInternal}) {
			t.Errorf("the device was told %v", codes)
		}
		if a.win.Idle() {
			t.Fatal("a message that was lost was acknowledged")
		}
		h.locked(func() { h.failing = nil })
		a.link.Receive(f)
		synctest.Wait()
		if !slices.Equal(h.got, []string{"event one"}) || !a.win.Idle() {
			t.Errorf("after a repeat: %v", h.got)
		}

		// What the device did wrong is told, and does not come again.
		h.locked(func() { h.failing = &protocol.Error{Code: protocol.CodeMalformed, Text: "no"} })
		a.link.Receive(a.event("two"))
		synctest.Wait()
		if _, codes, _ := a.state(); codes[len(codes)-1] != protocol.CodeMalformed || !a.win.Idle() {
			t.Errorf("codes %v", codes)
		}
	})
}

func TestUnacknowledgedOrdersGoAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		h.settings.Command = protocol.FrequencyPush
		a := h.enrol(t)
		a.begin()

		// After the exchange timeout, on the same connection.
		a.conn.mu.Lock()
		a.conn.dead = true
		a.conn.mu.Unlock()
		h.give(a.id)
		synctest.Wait()
		a.conn.mu.Lock()
		a.conn.dead = false
		a.conn.mu.Unlock()
		time.Sleep(protocol.DefaultExchangeTimeout)
		synctest.Wait()
		if told, _, _ := a.state(); len(told) != 1 {
			t.Fatalf("%d commands came after a loss", len(told))
		}

		// When the session resumes on a new connection, at once.
		a.conn.die()
		h.give(a.id)
		synctest.Wait()
		a.mustConnect()
		synctest.Wait()
		if told, _, _ := a.state(); len(told) != 2 {
			t.Fatalf("%d commands came after a reconnect", len(told))
		}
		if len(h.sent) != 2 {
			t.Errorf("%d commands count as sent", len(h.sent))
		}

		// When the carrier is switched.
		a.conn.die()
		h.give(a.id)
		synctest.Wait()
		if !a.exchange(a.ack()) {
			t.Fatal("nothing came over HTTPS")
		}
		a.exchange(a.ack())
		if told, _, _ := a.state(); len(told) != 3 || len(h.sent) != 3 {
			t.Errorf("%d commands came, %d count as sent", len(told), len(h.sent))
		}
		if c, ok := h.Online(a.id); !ok || c != protocol.CarrierHTTPS {
			t.Errorf("online by %q, %v", c, ok)
		}
	})
}

func TestExchangesRepeatAndAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		hello := a.hello(7)
		first, err := h.Exchange(t.Context(), session.Request{Device: a.id, Boot: a.boot, Frame: hello})
		if err != nil {
			t.Fatal(err)
		}
		second, err := h.Exchange(t.Context(), session.Request{Device: a.id, Boot: a.boot, Frame: hello}) // the answer was lost
		if err != nil {
			t.Fatal(err)
		}
		if string(first) != string(second) {
			t.Error("a repeated request got another answer")
		}
		a.take(second)
		if a.exchange(a.ack()) {
			t.Error("an acknowledgement alone was answered although there is nothing to say")
		}
		time.Sleep(10 * time.Second)
		h.give(a.id)
		if a.exchange(a.ack()) {
			t.Error("a command came before its tick")
		}
		time.Sleep(40 * time.Second)
		if a.exchange(a.ack()) {
			t.Error("a command came 10 s before its tick")
		}
		time.Sleep(9900 * time.Millisecond) // the device's tick, a little early
		a.exchange(a.ack())
		a.exchange(a.ack())
		if told, _, _ := a.state(); len(told) != 1 {
			t.Error("the command did not come with the tick")
		}
		// The device lays its ticks anew, and the hub keeps to them.
		time.Sleep(83 * time.Second)
		a.exchange(a.ack())
		h.give(a.id)
		for i := range 2 {
			time.Sleep(30 * time.Second)
			a.exchange(a.ack())
			if told, _, _ := a.state(); len(told) != 1+i {
				t.Errorf("%d commands came %d s after the last tick", len(told), 30*(i+1))
			}
		}
		time.Sleep(2*time.Minute + 31*time.Second)
		if _, ok := h.Online(a.id); ok {
			t.Error("a device that stays away counts as connected")
		}
	})
}

func TestUnknownSessionIsToldToSayHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newHub(t, nil)
		old.run(t)
		a := old.enrol(t)
		a.begin()
		// The hub restarts under a running agent.
		h := newHub(t, nil)
		h.run(t)
		h.keys, h.boots = old.keys, old.boots
		a.conn.Close(errors.New("hub gone"))
		a.h = h
		a.mustConnect()
		synctest.Wait()
		if _, codes, _ := a.state(); !slices.Equal(codes, []protocol.Code{protocol.CodeHelloWanted}) {
			t.Errorf("after the hub's restart the agent was told %v", codes)
		}
		a.exchange(a.event("x"))
		if _, codes, _ := a.state(); len(codes) != 2 || codes[1] != protocol.CodeHelloWanted || len(h.got) != 0 {
			t.Errorf("codes %v, processed %v", codes, h.got)
		}

		// A new run says hello by itself; only one that does not is asked to.
		b := h.enrol(t)
		b.mustConnect()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if _, codes, _ := b.state(); len(codes) != 0 {
			t.Errorf("a new agent was told %v at once", codes)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, codes, _ := b.state(); len(codes) != 1 {
			t.Errorf("a silent agent was told %v", codes)
		}
	})
}
