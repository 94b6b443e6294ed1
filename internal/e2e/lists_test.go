package e2e

import (
	"fmt"
	"testing"
)

// elsewhere is a network that is reserved for documentation (RFC 5737).
const elsewhere = "192.0.2.0/24"

// resetAccessLists runs the way back of those who are shut out, on the hub's machine.
func (h *hub) resetAccessLists() {
	h.t.Helper()
	log := newOutput(h.t, "reset-access-lists")
	p := start(h.t, log, command{name: "farshore-hub", args: []string{"reset-access-lists", "--data", h.data}})
	if code := p.mustEnd(); code != exitOK {
		h.t.Fatalf("farshore-hub reset-access-lists ended with code %d: %s", code, log.text())
	}
	says(h.t, log.text(), "may come from everywhere")
}

// TestListsOfAddresses: nobody shuts themselves out by mistake, who did it on purpose has a way back, and a list of
// devices ends and lets back what is connected.
func TestListsOfAddresses(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	devices, agents := map[string]string{}, map[string]*agent{}
	for _, carrier := range []string{"mqtt", "https"} {
		a := newAgent(t, carrier, nil)
		a.join(h.key("field-" + carrier))
		agents[carrier], devices[carrier] = a, h.admit(a, "box-"+carrier)
		h.connected(devices[carrier], carrier)
		a.inSession()
	}

	r := h.try("settings", "protection", "--people", elsewhere)
	if r.code == exitOK {
		t.Error("a list that shuts out who makes it was taken")
	}
	says(t, r.err, "127.0.0.1", "shut you out")
	h.try("settings", "protection", "--people", elsewhere, "--force") // its answer may be the last or none
	until(t, "people are shut out", func() error {
		r := h.try("devices", "ls")
		if r.code == exitOK {
			return fmt.Errorf("the CLI got %v", r)
		}
		return nil
	})
	h.resetAccessLists()
	for _, device := range devices {
		h.heard(device)
	}

	h.cli("settings", "protection", "--devices", elsewhere)
	for carrier, a := range agents {
		until(t, "the device is out, "+carrier, func() error {
			s, err := a.status()
			if err == nil && s.Session.Connected {
				err = fmt.Errorf("it says %+v", s.Session)
			}
			return err
		})
	}
	h.cli("settings", "protection", "--devices", "127.0.0.0/8")
	for _, device := range devices {
		h.heard(device)
	}
}
