package admission

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Of devices with an edge key that is not known here, maxUnknown are told of in a span of unknownEvery: anybody can make
// device keys, and shall not fill the stream of events with them.
const (
	maxUnknown   = 50
	unknownEvery = 24 * time.Hour
)

// unknown are the devices that were told of since a time.
type unknown struct {
	since time.Time
	told  map[protocol.DeviceID]bool
}

// noteUnknown tells of a device that knocks with an edge key that is not known here. It may be one that was let in after
// the backup from which the hub was restored, and nobody else would say that it is out there.
func (d *Desk) noteUnknown(k *knocker) {
	d.mu.Lock()
	now := time.Now()
	if d.unknown.told == nil || now.Sub(d.unknown.since) >= unknownEvery {
		d.unknown = unknown{since: now, told: map[protocol.DeviceID]bool{}}
	}
	fresh := !d.unknown.told[k.id] && len(d.unknown.told) < maxUnknown
	if fresh {
		d.unknown.told[k.id] = true
	}
	d.mu.Unlock()
	if fresh {
		d.cfg.Notify(Note{Kind: NoteUnknownKey, Device: k.id, Text: fmt.Sprintf(
			"A device that calls itself %q knocks from %s with an edge key that this hub does not know: give it a new one if it is yours", k.Facts.Hostname, k.req.Remote)})
	}
}
