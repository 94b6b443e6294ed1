package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/protocol"
)

// closing notes when it was closed.
type closing struct{ at chan time.Time }

func (c *closing) Close() error { c.at <- time.Now(); return nil }

// A connection that began in a time of contact ends just before that does. One that began outside of all is left to the
// device, which may know other times.
func TestConnectionsEndWithTheTimeOfContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, func(c *session.Config) {})
		id := h.enrol(t).id
		start := time.Now().Truncate(time.Hour).Add(time.Hour)
		h.mu.Lock()
		h.settings.Link = &protocol.LinkRules{Contact: &protocol.Contact{Passes: []protocol.Pass{{Start: start.Unix(), Seconds: 20}}}}
		h.mu.Unlock()

		early := &closing{at: make(chan time.Time, 1)}
		defer h.Bound(id, early)()
		time.Sleep(time.Until(start) + time.Second)
		gone, kept := &closing{at: make(chan time.Time, 1)}, &closing{at: make(chan time.Time, 1)}
		defer h.Bound(id, gone)()
		h.Bound(id, kept)()
		time.Sleep(time.Hour)
		if at := <-gone.at; at.Sub(start) != 19*time.Second {
			t.Errorf("it was closed %s after the beginning of 20 s", at.Sub(start))
		}
		if len(early.at)+len(kept.at) > 0 {
			t.Error("one was closed that had ended, or had begun before")
		}
	})
}

// A time of contact that is made longer while it lasts holds for the connections there are.
func TestLongerContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, func(c *session.Config) {})
		id := h.enrol(t).id
		start := time.Now().Truncate(time.Second)
		set := func(seconds uint32) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.settings.Link = &protocol.LinkRules{Contact: &protocol.Contact{Passes: []protocol.Pass{{Start: start.Unix(), Seconds: seconds}}}}
		}
		set(20)
		c := &closing{at: make(chan time.Time, 1)}
		defer h.Bound(id, c)()
		time.Sleep(10 * time.Second)
		set(120)
		time.Sleep(time.Hour)
		if at := <-c.at; at.Sub(start) != 120*time.Second-1500*time.Millisecond {
			t.Errorf("it was closed %s after the beginning of 120 s", at.Sub(start))
		}
	})
}
