package e2e

import (
	"fmt"
	"testing"
	"time"
)

// TestRevokedWhileConnected: on each carrier a revoked device is out at once, and waits for somebody to
// approve it, also after a restart.
func TestRevokedWhileConnected(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	for _, carrier := range []string{"mqtt", "https"} {
		a := newAgent(t, carrier, nil)
		a.join(h.key("field-" + carrier))
		device := h.admit(a, "box-"+carrier)
		h.connected(device, carrier)
		a.inSession()

		h.cli("devices", "revoke", device, "--yes")
		d, err := h.device(device)
		if err != nil || d.Liveness.State != "revoked" {
			t.Errorf("%s: after it was revoked it is %+v, %v", carrier, d.Liveness, err)
		}
		wait(t, 10*time.Second, "the device is out", func() error {
			s, err := a.status()
			if err == nil && (s.Session.Connected || s.Approved || s.Waiting == nil) {
				err = fmt.Errorf("it says %+v", s)
			}
			return err
		})
		says(t, a.log.text(), "was revoked", "approve it again")
		a.waits("waiting")
		last := d.Liveness.LastContact
		a.stop()
		a.start()
		a.waits("waiting")
		if d, err = h.device(device); err != nil || d.Liveness.Connected || d.Liveness.LastContact.After(last) {
			t.Errorf("%s: after a restart it was let in: %+v, %v", carrier, d.Liveness, err)
		}
	}
}
