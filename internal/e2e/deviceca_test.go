package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/farshore/farshore/internal/certtest"
)

// TestDevicesNeedACertificate: with --device-ca a device comes in with a certificate of that authority alone; a renewed
// one is used without a restart, and a revoked one ends what is open.
func TestDevicesNeedACertificate(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"mqtt", "https"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			devicesNeedACertificate(t, carrier)
		})
	}
}

func devicesNeedACertificate(t *testing.T, carrier string) {
	plant, stranger := certtest.New(t, "plant"), certtest.New(t, "plant")
	dir := workDir(t)
	ca, crl := filepath.Join(dir, "plant.pem"), filepath.Join(dir, "plant.crl")
	write(t, ca, string(plant.PEM))
	write(t, crl, string(plant.Revoke()))
	h := newHub(t, hubConfig{args: []string{"--device-ca", ca, "--device-crl", crl}})

	a := newAgent(t, carrier, nil)
	a.join(h.key("field"))
	says(t, a.waits("unreachable").Waiting.Reason, "certificate of the operator's authority", "--client-cert", "--client-key")
	a.stop()

	cert, key := filepath.Join(dir, "device.pem"), filepath.Join(dir, "device.key")
	give := func(p certtest.Pair) {
		write(t, cert, string(p.Chain))
		write(t, key, string(p.Key))
	}
	a.env = []string{"FARSHORE_CLIENT_CERT=" + cert, "FARSHORE_CLIENT_KEY=" + key}
	give(stranger.Client("pump 7"))
	a.start()
	says(t, a.waits("unreachable").Waiting.Reason, cert, "--device-ca")
	until(t, "the hub counts whom it refuses", func() error {
		r := h.try("settings", "protection")
		if !strings.Contains(r.out, "(device-certificate)") {
			return fmt.Errorf("it says %v", r)
		}
		return nil
	})
	a.stop()

	first, second := plant.Client("pump 7"), plant.Client("pump 7")
	give(first)
	a.start()
	device := h.admit(a, "pump")
	h.connected(device, carrier)

	// Renewed in place, and then the former revoked: the device goes on with the new one, by itself.
	give(second)
	began := h.log.mark()
	write(t, crl, string(plant.Revoke(first.Leaf)))
	h.signal(syscall.SIGHUP)
	until(t, "the hub has read the list of what is revoked", func() error {
		if text := h.log.since(began); !strings.Contains(text, "revoked=1") {
			return fmt.Errorf("it has said %q", text)
		}
		return nil
	})
	h.heard(device)

	write(t, crl, string(plant.Revoke(first.Leaf, second.Leaf)))
	h.signal(syscall.SIGHUP)
	until(t, "the device with the revoked certificate is out, and knows why", func() error {
		s, err := a.status()
		if err == nil && (s.Session.Connected || !strings.Contains(s.Session.LastError, "was revoked")) {
			err = fmt.Errorf("it says %+v", s.Session)
		}
		return err
	})
	give(plant.Client("pump 7"))
	h.heard(device)
}
