package fleet

import (
	"iter"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Sight is what a look over the whole fleet sees of one device. What it points to is shared and never changed.
type Sight struct {
	// Device without its presence.
	Device    *Device
	Labels    map[string]string // as LabelsOf gives them
	Effective *Effective
	// Version of the agent, as told in its last Hello or else when it knocked.
	Version  string
	Liveness Liveness
	// Edition is another number after each change of Device or Labels, and no other device ever has it.
	Edition uint64
}

// sightsAtOnce is how many devices a look over the fleet reads under one lock.
const sightsAtOnce = 256

// Sights looks over all devices, revoked ones too, sorted by name, as they stand at now. It copies nothing and holds no
// lock while the loop's body runs; what changes meanwhile may be seen or not.
func (r *Registry) Sights(now time.Time) iter.Seq[Sight] {
	return func(yield func(Sight) bool) {
		r.mu.RLock()
		all := r.byName()
		r.mu.RUnlock()
		var batch [sightsAtOnce]Sight
		for len(all) > 0 {
			n := min(len(all), sightsAtOnce)
			r.mu.RLock()
			for i, e := range all[:n] {
				batch[i] = Sight{Device: e.dev, Labels: e.labels, Effective: e.effective, Edition: e.edition}
			}
			r.mu.RUnlock()
			for i, e := range all[:n] {
				x := &batch[i]
				x.Liveness, x.Version = r.judge(e, x.Device, now), e.version(x.Device)
				if !yield(*x) {
					return
				}
			}
			all = all[n:]
		}
	}
}

func (e *entry) version(d *Device) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return first(e.seen.Version, d.Facts.Version)
}

// Meant gives what decides who means a device: its record without its presence, and its labels as LabelsOf gives them,
// both as of one moment. They are shared and never changed. Nil: there is no such device.
func (r *Registry) Meant(id protocol.DeviceID) (*Device, map[string]string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.now.devices[id]; e != nil {
		return e.dev, e.labels
	}
	return nil, nil
}
