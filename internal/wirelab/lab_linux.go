package wirelab

import (
	"os"
	"sync"
	"testing"
)

// Addresses of the two ends of the wire.
const (
	HubAddress    = "10.99.0.1"
	DeviceAddress = "10.99.0.2"
)

// mtu of the wire.
const mtu = 1500

// Lab is two network namespaces and the wire between them.
type Lab struct {
	Hub, Device *Namespace
	Wire        *Wire
}

// New makes a lab, which ends with the test. It skips the test where that is not allowed.
func New(t testing.TB) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("counting on the wire needs root rights, for network namespaces")
	}
	l := &Lab{Hub: newNamespace(t), Device: newNamespace(t)}
	l.Wire = newWire(l.Device.plug(t, DeviceAddress), l.Hub.plug(t, HubAddress))
	l.Device.ip(t, "route", "add", "default", "dev", "wire") // so that it is seen what the device asks of anybody else
	var relays sync.WaitGroup
	relays.Go(func() { l.Wire.relay(up) })
	relays.Go(func() { l.Wire.relay(down) })
	t.Cleanup(func() {
		l.Wire.close()
		relays.Wait()
		if err := l.Wire.Err(); err != nil {
			t.Errorf("the count is wrong: %v", err)
		}
	})
	return l
}
