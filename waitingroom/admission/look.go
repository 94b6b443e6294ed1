package admission

import (
	"fmt"
	"slices"
	"strings"

	"github.com/farshore/farshore/waitingroom"
)

// finding is what the hub noticed about a device.
type finding struct{ marks, notes []string }

// look compares the device with those that were revoked or rejected, and those that are in.
func (d *Desk) look(k *knocker, standing Standing) finding {
	var marks, notes []string
	if standing == Revoked {
		marks = append(marks, "this device was revoked before")
	}
	serial, machine := "", ""
	if waitingroom.Telling(k.Facts.Serial) {
		serial = k.Facts.Serial
	}
	if waitingroom.Telling(k.Facts.MachineID) {
		machine = k.Facts.MachineID
	}
	for _, a := range d.cfg.Devices.Alike(serial, machine) {
		if a.ID == k.id {
			continue
		}
		of := fmt.Sprintf("%s (%s)", a.Name, a.ID)
		for what, same := range map[string]bool{"serial number": a.Serial, "machine id": a.Machine} {
			switch {
			case same && a.Revoked:
				marks = append(marks, fmt.Sprintf("claims the %s of %s, which was revoked", what, of))
			case same:
				notes = append(notes, fmt.Sprintf("claims the %s of %s, which is in", what, of))
			}
		}
	}
	d.mu.Lock()
	for id, e := range d.room {
		if id == k.id || e.rec.State == waitingroom.StateWaiting {
			continue
		}
		if serial != "" && strings.EqualFold(e.rec.Facts.Serial, serial) {
			marks = append(marks, fmt.Sprintf("claims the serial number of %s, which was %s", id, e.rec.State))
		}
		if machine != "" && strings.EqualFold(e.rec.Facts.MachineID, machine) {
			marks = append(marks, fmt.Sprintf("claims the machine id of %s, which was %s", id, e.rec.State))
		}
	}
	d.mu.Unlock()
	slices.Sort(marks)
	slices.Sort(notes)
	return finding{marks: marks, notes: notes}
}
