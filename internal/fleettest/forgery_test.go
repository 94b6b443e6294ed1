package fleettest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom/admission"
)

// evil would make a line of its own, clear the screen in two ways, turn text around, and end what it is quoted in.
const evil = "x\"\n\r\ntime=2026-01-01T00:00:00Z level=ERROR msg=FORGED {\"level\":\"ERROR\"}\x1b[2J\u009b2J\u202e\x00"

// forged says what in a text is not fit for a terminal or begins a line that a device made.
func forged(text string) error {
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.Contains(line, "FORGED") && strings.HasPrefix(line, "time=2026-01-01") {
			return fmt.Errorf("line %d is the device's own: %q", i+1, line)
		}
		if at := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 {
			return fmt.Errorf("line %d has %q", i+1, line[at:min(at+20, len(line))])
		}
	}
	return nil
}

// logged keeps what is logged, also by devices that still run while it is read.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Whatever a device says, in every field that it has, stays within its place in the hub's log, as text and as JSON,
// among events, and in the waiting room.
func TestTextsOfDevicesForgeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		f.StopHub()
		var text, lines logged
		debug := &slog.HandlerOptions{Level: slog.LevelDebug}
		f.log = slog.New(slog.NewMultiHandler(slog.NewTextHandler(&text, debug), slog.NewJSONHandler(&lines, debug)))
		f.StartHub()

		r := newRogue(f, 66, protocol.CarrierMQTT)
		r.hello(func(h *protocol.Hello) {
			h.Version, h.Arch, h.NoUpdate, h.Wishes = evil, evil, evil, map[string]string{evil: evil}
		})
		r.say(message(protocol.KindEvent, protocol.DeviceEvent{ID: 1, Kind: evil, Text: evil}))
		r.say(message(protocol.KindError, protocol.Error{Code: protocol.CodeInternal, Text: evil}))
		id := f.Give(r.d, restart("box"), 0)
		r.say(message(protocol.KindResult, protocol.CommandResult{ID: id, State: protocol.CommandFailed, Code: evil, Text: evil}))
		f.ApplyTo("web", "farshore.io/id="+string(r.d.ID), bundle("1", "level: 1\n"))
		if wanted := f.Hub().Planner.Desired(r.d.ID); len(wanted) == 1 {
			r.say(message(protocol.KindStatus, protocol.StackStatus{
				Stack: wanted[0].ID, Version: wanted[0].Version, State: protocol.StackFailed, Code: evil, Detail: evil, Rev: 9,
			}))
		} else {
			t.Errorf("the device shall have %d stacks", len(wanted))
		}
		r.raw([]byte(evil))
		r.settle()

		d := f.Device(DeviceSpec{EdgeKey: f.EdgeKey(admission.KeySpec{}), Seed: 2, Facts: protocol.Facts{
			Hostname: evil, OS: evil, Arch: evil, Engine: evil, Serial: evil, MachineID: evil, Name: evil,
		}})
		f.Until("the device waits", time.Minute, func() bool { return len(f.Hub().Waiting.List()) == 1 })
		for _, w := range f.Hub().Waiting.List() {
			if err := forged(w.Facts.Hostname + w.Facts.OS + w.Facts.Arch + w.Facts.Serial + w.Facts.MachineID + w.Facts.Name); err != nil {
				t.Errorf("waiting room: %v", err)
			}
		}
		f.Approve(d)
		d.gone = true
		time.Sleep(time.Minute)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		batch, err := f.Hub().Events.Next(ctx, events.FromOldest)
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		for _, e := range batch {
			all += e.Text
			if err := forged(e.Kind + e.Text); err != nil {
				t.Errorf("event %q: %v", e.Kind, err)
			}
		}
		if !strings.Contains(all, "FORGED") {
			t.Error("no event has what the device said: the test shows nothing")
		}
		f.StopHub()
		if err := forged(text.String()); err != nil {
			t.Errorf("log as text: %v", err)
		}
		if !strings.Contains(text.String(), "FORGED") {
			t.Error("the log has nothing of what devices said: the test shows nothing")
		}
		for line := range strings.Lines(lines.String()) {
			if err := forged(line); err != nil {
				t.Errorf("log as JSON: %v", err)
			}
			if !json.Valid([]byte(line)) {
				t.Errorf("log as JSON: %q", line)
			}
		}
	})
}
