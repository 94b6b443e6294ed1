package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/protocol"
)

// Place is where programs are that can run.
type Place string

// The places. Installed programs are those that the service or the image starts; they launch those in the slots.
const (
	Installed Place = "installed"
	SlotA     Place = "a"
	SlotB     Place = "b"
)

// FolderName is the name of the folder in the data folder.
const FolderName = "update"

const recordName = "record.json"

// recordFormat is the format of the record. It is frozen: a launcher reads what a newer agent wrote, and an agent what
// an older launcher did. Fields may be added if it does no harm that the other side drops them.
const recordFormat = 1

// ErrRecord: the record cannot be read.
var ErrRecord = errors.New("the record of updates cannot be read")

// Record says what runs, what is on trial, and how the last update ended.
type Record struct {
	Format int `json:"format"`
	// Launcher is the hash of the installed program by which the slots were filled. Another one there has been
	// installed on purpose, and runs.
	Launcher protocol.Hash `json:"launcher,omitzero"`
	// Current runs, Previous ran before it and can be gone back to. Empty: Installed, and none.
	Current  Place `json:"current,omitempty"`
	Previous Place `json:"previous,omitempty"`
	// Slots that are whole.
	Slots map[Place]Slot `json:"slots,omitempty"`
	// Trial is an update that has not proved itself. Nil: there is none.
	Trial *Trial `json:"trial,omitempty"`
	// Ended is the last update that ended. Nil: there was none.
	Ended *Ended `json:"ended,omitempty"`
}

// Slot is what is in a slot.
type Slot struct {
	Version string `json:"version"`
	// Programs by name.
	Programs map[string]protocol.Hash `json:"programs"`
}

// Trial is an update whose programs are to prove themselves.
type Trial struct {
	Slot    Place              `json:"slot"`
	Command protocol.CommandID `json:"command"`
	From    string             `json:"from"`
	To      string             `json:"to"`
	// Seconds within which each attempt must be in session with the hub. The agent on trial may raise them.
	Seconds uint32 `json:"seconds"`
	// Attempts that were begun.
	Attempts int `json:"attempts,omitempty"`
}

// Ended is how an update ended.
type Ended struct {
	Command protocol.CommandID `json:"command"`
	From    string             `json:"from"`
	To      string             `json:"to"`
	// Reason why the earlier programs are back. Empty: the new ones have proved themselves.
	Reason string `json:"reason,omitempty"`
	// Output is the end of what the new programs printed, where they did not.
	Output string    `json:"output,omitempty"`
	At     time.Time `json:"at"`
}

// Folder is where slots and record are.
type Folder struct{ dir string }

// In returns the folder in a data folder. It need not exist.
func In(data string) Folder { return Folder{filepath.Join(data, FolderName)} }

// Path of a program in a slot.
func (f Folder) Path(slot Place, program string) string {
	return filepath.Join(f.dir, string(slot), program)
}

// Read returns the record; an empty one where none was written. The error wraps ErrRecord.
func (f Folder) Read() (Record, error) {
	fresh := Record{Format: recordFormat, Current: Installed}
	raw, err := os.ReadFile(filepath.Join(f.dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	var r Record
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	switch {
	case err != nil:
		return fresh, fmt.Errorf("%w: %w", ErrRecord, err)
	case r.Format != recordFormat:
		return fresh, fmt.Errorf("%w: format %d, this program knows %d", ErrRecord, r.Format, recordFormat)
	case r.Current != SlotA && r.Current != SlotB:
		r.Current = Installed
	}
	if _, whole := r.Slots[r.Current]; !whole {
		r.Current = Installed
	}
	if r.Trial != nil {
		if _, whole := r.Slots[r.Trial.Slot]; !whole || r.Trial.Slot == r.Current {
			r.Trial = nil
		}
	}
	return r, nil
}

// write makes the record durable.
func (f Folder) write(r Record) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the record of updates: %w", err)
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return fmt.Errorf("write the record of updates: %w", err)
	}
	if err := durable.Replace(filepath.Join(f.dir, recordName), append(raw, '\n')); err != nil {
		return fmt.Errorf("write the record of updates: %w", err)
	}
	return nil
}

// drop removes what is in a slot. The record must not name it any more.
func (f Folder) drop(slot Place) error {
	if slot != SlotA && slot != SlotB {
		return nil
	}
	return os.RemoveAll(filepath.Join(f.dir, string(slot)))
}

// end takes the trial off the record as one that failed.
func (r *Record) end(reason, output string) {
	t := r.Trial
	r.Ended = &Ended{Command: t.Command, From: t.From, To: t.To, Reason: reason, Output: output, At: time.Now().UTC()}
	delete(r.Slots, t.Slot)
	r.Trial = nil
}

// confirm makes the slot on trial the current one.
func (r *Record) confirm() {
	t := r.Trial
	r.Ended = &Ended{Command: t.Command, From: t.From, To: t.To, At: time.Now().UTC()}
	r.Previous, r.Current, r.Trial = r.Current, t.Slot, nil
}

// forget takes a slot off the record.
func (r *Record) forget(slot Place) {
	delete(r.Slots, slot)
	if r.Previous == slot {
		r.Previous = ""
	}
	if r.Current == slot {
		r.Current = Installed
	}
}

// Rollback makes the previous programs the current ones, without a trial: they have run before. It takes effect at the
// next start. It is for an agent that does not run; a running one is asked.
func (f Folder) Rollback() (Record, error) {
	r, err := f.Read()
	switch {
	case err != nil:
		return r, err
	case r.Trial != nil:
		return r, fmt.Errorf("the update to %s is on trial: it comes back by itself if it does not prove itself", r.Trial.To)
	case r.Previous == "":
		return r, errors.New("there is nothing to go back to: this device was not updated from its hub, or went back already")
	}
	r.Current, r.Previous = r.Previous, r.Current
	return r, f.write(r)
}

// Version of what is at a place, as far as the record knows it.
func (r *Record) Version(p Place) string {
	if s, ok := r.Slots[p]; ok {
		return s.Version
	}
	return string(Installed)
}
