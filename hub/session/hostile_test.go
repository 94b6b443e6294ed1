package session_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/protocol"
)

func TestHostileFramesAreRefusedWithACode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.begin()
		old := a.copyOf(1, 1)
		oldHello := func(edit func(*protocol.Hello)) []byte {
			f, err := old.cod.Decode(old.hello(9))
			if err != nil {
				t.Fatal(err)
			}
			var m protocol.Hello
			if err := f.Messages[0].Decode(&m); err != nil {
				t.Fatal(err)
			}
			edit(&m)
			f.Messages[0] = old.message(protocol.KindHello, m)
			return old.encode(f)
		}
		cases := []struct {
			name  string
			frame []byte
			want  protocol.Code
		}{
			{"empty", []byte{}, protocol.CodeMalformed},
			{"not a frame", []byte("\x00hello"), protocol.CodeMalformed},
			{"unknown codec", []byte{9, 1}, protocol.CodeMalformed},
			{"too large", make([]byte, protocol.MaxFrame+1), protocol.CodeTooLarge},
			{"too old", oldHello(func(m *protocol.Hello) { m.Capability = 0 }), protocol.CodeTooOld},
			{"of another run", oldHello(func(m *protocol.Hello) { m.BootCounter = 5 }), protocol.CodeMalformed},
			{"a hello in the middle", a.encode(&protocol.Frame{Session: 7, Seq: 2, Messages: []protocol.Message{a.message(protocol.KindHello, protocol.Hello{})}}), protocol.CodeMalformed},
		}
		for _, c := range cases {
			_, before, _ := a.state()
			a.link.Receive(c.frame)
			synctest.Wait()
			if _, codes, _ := a.state(); len(codes) != len(before)+1 || codes[len(codes)-1] != c.want {
				t.Errorf("%s: told %v, want %v", c.name, codes[len(before):], c.want)
			}
		}
		a.mu.Lock()
		a.win.Next(nil) // the hello in the middle was number 2
		a.mu.Unlock()
		a.link.Receive(a.encode(&protocol.Frame{Session: 7, Seq: 3, Ack: a.win.Received(), Messages: []protocol.Message{{Kind: 99, Body: []byte{0xa0}}}}))
		synctest.Wait()
		if h.Skipped() != 1 {
			t.Errorf("%d messages of unknown kind were skipped, want 1", h.Skipped())
		}
	})
}

func TestFloodIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, func(c *session.Config) { c.Rate, c.Burst = 10, 20 })
		h.run(t)
		a := h.enrol(t)
		a.begin()
		for range 500 {
			a.link.Receive(a.event("flood"))
		}
		synctest.Wait()
		if n := len(h.got); n > 20 {
			t.Errorf("%d frames of a flood were processed, at most 20 may be", n)
		}
		_, codes, _ := a.state()
		if !slices.Equal(codes, []protocol.Code{protocol.CodeBusy}) {
			t.Errorf("a flooding device was told %v, want busy once a second", codes)
		}
		time.Sleep(5 * time.Second)
		a.link.Receive(a.encode(a.win.Repeat()[0]))
		synctest.Wait()
		if len(h.got) == 0 {
			t.Error("it was not listened to again")
		}
	})
}

func TestMemoryOfADeviceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.begin()
		a.conn.die() // it wants, and never acknowledges
		want := func() {
			a.mu.Lock()
			f := a.encode(a.win.Next([]protocol.Message{a.message(protocol.KindWant, protocol.Want{Items: []protocol.WantItem{{Max: 60}}})}))
			a.mu.Unlock()
			a.link.Receive(f)
		}
		for range 5 {
			want()
		}
		a.mustConnect() // everything that is kept goes again
		synctest.Wait()
		_, _, kinds := a.state()
		n := 0
		for _, k := range kinds {
			if k == protocol.KindChunk {
				n++
			}
		}
		if n < 50 || n*protocol.MaxChunk > session.MaxPending {
			t.Errorf("%d chunks were kept for a device that does not acknowledge, at most 1 MB may be", n)
		}
	})
}

// A few bytes that ask for everything again must not make the hub pack and send megabytes each time.
func TestAskingForRepeatsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.begin()
		a.conn.die() // it acknowledges nothing
		sent := func() int {
			synctest.Wait()
			a.conn.mu.Lock()
			defer a.conn.mu.Unlock()
			return a.conn.sent
		}
		a.mu.Lock()
		again := a.encode(&protocol.Frame{Session: a.win.Session(), Ack: a.win.Received(), Repeat: true})
		want := a.encode(a.win.Next([]protocol.Message{a.message(protocol.KindWant, protocol.Want{Items: []protocol.WantItem{{Max: 20}}})}))
		a.mu.Unlock()
		a.link.Receive(want)
		open := sent()
		a.link.Receive(again)
		once := sent() - open
		if once == 0 {
			t.Fatal("nothing was sent again")
		}
		for range 100 {
			a.link.Receive(again)
		}
		if n := sent() - open; n > once {
			t.Errorf("%d frames were sent again for 101 requests at once, want %d", n, once)
		}
		time.Sleep(time.Second)
		a.link.Receive(again)
		if n := sent() - open; n != 2*once {
			t.Errorf("a second later it was not sent again: %d frames in all, want %d", n, 2*once)
		}
	})
}
