package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestReplayedConnections: what somebody on the way recorded of a device's connections, sent to the hub again byte by
// byte, does nothing, whether the device is there or not.
func TestReplayedConnections(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"mqtt", "https"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			replayedConnections(t, carrier)
		})
	}
}

func replayedConnections(t *testing.T, carrier string) {
	port, mqtt := freePort(t), freePort(t)
	public, plain := newRelay(t, port), newRelay(t, mqtt)
	public.tape()
	plain.tape()
	h := newHub(t, hubConfig{port: port, mqtt: mqtt, args: []string{
		"--public-url", "https://" + address(public.port), "--public-mqtt-url", "mqtts://" + address(plain.port),
	}})
	a := newAgent(t, carrier, nil)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	h.connected(device, carrier)
	h.try("command", "snapshot", device, "--wait") // how it ends is the same to us: there is no engine
	h.heard(device)

	replay := func() {
		t.Helper()
		began, sent := h.log.mark(), 0
		for _, r := range []*relay{public, plain} {
			for _, tape := range r.tapes() {
				for _, whole := range []bool{true, false} {
					if err := sendAgain(r.to, []byte(tape), whole); err != nil {
						t.Errorf("%d bytes that were recorded, at once %v: %v", len(tape), whole, err)
					}
					sent++
				}
			}
		}
		if said := h.log.since(began); strings.Contains(said, "session begins") || strings.Contains(said, "knocked") {
			t.Errorf("the hub took a recording for a device:\n%s", said)
		}
		if sent < 2 {
			t.Error("nothing was recorded")
		}
	}
	began := a.log.mark()
	replay()
	h.heard(device)
	if said := a.log.since(began); strings.Contains(said, "WARN") || strings.Contains(said, "ended") {
		t.Errorf("the device was disturbed:\n%s", said)
	}

	a.stop()
	state := func() string {
		d, err := h.device(device)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(d.Liveness.LastContact, h.cli("command", "ls", "-o", "json"))
	}
	before := state()
	replay()
	if after := state(); after != before {
		t.Errorf("the recording changed what the hub knows of the device, from\n%s\nto\n%s", before, after)
	}
}

// sendAgain plays what a client sent to a port, at once or its first TLS record before the rest. The hub must end the
// connection by itself.
func sendAgain(port int, tape []byte, whole bool) error {
	if len(tape) < 5 {
		return nil
	}
	c, err := net.Dial("tcp", address(port))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	first := len(tape)
	if !whole {
		first = min(5+int(binary.BigEndian.Uint16(tape[3:])), len(tape))
	}
	if _, err := c.Write(tape[:first]); err != nil {
		return err
	}
	if !whole {
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return fmt.Errorf("the hub did not answer the hello: %w", err)
		}
		_, _ = c.Write(tape[first:]) // that it does not wait for all of it is well
	}
	if _, err = io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the hub keeps the connection")
	}
	return nil // it has ended, in order or by a reset
}
