package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestTwoAgentsWithOneIdentity: of a copied data folder the one that is in session stays, the other is refused, and a
// person is told.
func TestTwoAgentsWithOneIdentity(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"mqtt", "https"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			h := newHub(t, hubConfig{})
			a := newAgent(t, carrier, nil)
			a.join(h.key("field"))
			device := h.admit(a, "box")
			h.connected(device, carrier)
			a.stop()

			b := newAgent(t, carrier, nil)
			if err := os.CopyFS(b.data, os.DirFS(a.data)); err != nil {
				t.Fatal(err)
			}
			a.start()
			a.inSession()
			b.start()
			until(t, "the copy says that it was refused", func() error {
				s, err := b.status()
				if err == nil && (s.Session.Connected || !strings.Contains(s.Session.LastError, "identity")) {
					err = fmt.Errorf("it says %+v", s.Session)
				}
				return err
			})
			until(t, "an event tells of the copy", func() error {
				var all []eventShown
				if err := h.ask(&all, "events", "--device", device); err != nil {
					return err
				}
				for _, e := range all {
					if e.Kind == "copy" && e.Device == device {
						says(t, e.Text, "copied", "revoke")
						return nil
					}
				}
				return fmt.Errorf("there are %+v", all)
			})
			a.inSession()
			if strings.Contains(a.log.text(), "identity") {
				t.Error("the device that was there was refused too")
			}
		})
	}
}
