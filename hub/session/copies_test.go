package session_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/protocol"
)

func codeOf(err error) protocol.Code {
	var e *protocol.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestSecondLiveAgentIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.begin()
		b := a.copyOf(2, 2)
		if err := b.connect(); codeOf(err) != protocol.CodeCopy {
			t.Fatalf("the copy got %v", err)
		}
		if _, err := h.Exchange(t.Context(), session.Request{Device: b.id, Boot: b.boot, Frame: b.hello(3)}); codeOf(err) != protocol.CodeCopy {
			t.Errorf("over HTTPS the copy got %v", err)
		}
		a.link.Receive(a.event("still here"))
		synctest.Wait()
		if len(h.got) != 1 || a.conn.closed != nil {
			t.Error("the live session did not stay")
		}
		if !slices.Equal(h.events, []string{session.EventCopy, session.EventCopy}) {
			t.Errorf("events: %v", h.events)
		}
	})
}

func TestDeadLinkMakesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.begin()
		a.conn.die()

		// The same run of the agent: at once.
		start := time.Now()
		a.mustConnect()
		if d := time.Since(start); d != 0 {
			t.Errorf("the same agent waited %s", d)
		}
		// A new run after a power cut: after the probe.
		a.conn.die()
		b := a.copyOf(2, 2)
		b.begin()
		if d := time.Since(start); d > session.DefaultProbe {
			t.Errorf("a restarted agent waited %s", d)
		}
		if len(h.events) != 0 {
			t.Errorf("events: %v", h.events)
		}
		if h.Connected() != 1 {
			t.Errorf("%d connected", h.Connected())
		}
	})
}

func TestRestoredImageIsSaidAndNotLockedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.boot.Counter = 9
		a.begin()
		a.conn.Close(errors.New("off"))
		synctest.Wait()
		b := a.copyOf(2, 4)
		b.begin()
		if !slices.Equal(h.events, []string{session.EventBootWentBack}) {
			t.Errorf("events: %v", h.events)
		}
		if _, _, kinds := b.state(); len(kinds) == 0 {
			t.Error("it was locked out")
		}
		b.conn.Close(errors.New("off"))
		synctest.Wait()
		a.begin() // the first run is still alive
		if !slices.Equal(h.events, []string{session.EventBootWentBack, session.EventCopy}) {
			t.Errorf("events: %v", h.events)
		}
	})
}

func TestCopiesOverHTTPSDoNotAlternate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.exchange(a.hello(1))
		b := a.copyOf(2, 2) // looks like a restart
		b.exchange(b.hello(2))
		time.Sleep(20 * time.Second)
		if _, err := h.Exchange(t.Context(), session.Request{Device: a.id, Boot: a.boot, Frame: a.ack()}); codeOf(err) != protocol.CodeCopy {
			t.Errorf("the earlier run got %v", err)
		}
		if !slices.Contains(h.events, session.EventCopy) {
			t.Error("nobody was told")
		}
		b.exchange(b.event("x"))
		if len(h.got) != 1 {
			t.Error("the live session did not stay")
		}
	})
}

func TestRevokedDeviceIsOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		h.run(t)
		a := h.enrol(t)
		a.begin()
		h.locked(func() { h.revoked[a.id] = true })
		h.Kick(a.id, &protocol.Error{Code: protocol.CodeRevoked, Text: "revoked"})
		synctest.Wait()
		if _, codes, _ := a.state(); !slices.Equal(codes, []protocol.Code{protocol.CodeRevoked}) || a.conn.closed == nil {
			t.Errorf("told %v, closed %v", codes, a.conn.closed)
		}
		if err := a.connect(); codeOf(err) != protocol.CodeRevoked {
			t.Errorf("the next connection got %v", err)
		}
		if _, err := h.Exchange(t.Context(), session.Request{Device: a.id, Boot: a.boot, Frame: a.ack()}); codeOf(err) != protocol.CodeRevoked {
			t.Errorf("the next exchange got %v", err)
		}
		if h.Connected() != 0 {
			t.Error("it counts as connected")
		}
	})
}
