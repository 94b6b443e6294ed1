package timeline

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Kind is what sort of thing happened. Kinds are stable words.
type Kind string

// Kinds of entries.
const (
	KindContact  Kind = "contact"  // it connected, or went; several in a row are one entry
	KindLiveness Kind = "liveness" // it is heard of in another way than before
	KindApproval Kind = "approval" // it was let in
	KindChange   Kind = "change"   // somebody changed its record
	KindStack    Kind = "stack"    // what became of a stack on it
	KindJob      Kind = "job"      // a job began to fail on it, or to work again
	KindCommand  Kind = "command"  // a command was given, or ended
	KindIdentity Kind = "identity" // a reason to look at its identity twice
	KindTold     Kind = "told"     // its own words
	KindUsage    Kind = "usage"    // what it spends on its link is worth a warning
	KindLeftOut  Kind = "left-out" // so much happened that it was counted only
)

// Entry is one thing that happened to a device, or several in a row. It is the stored record.
type Entry struct {
	// ID orders entries of a device as they came; it is made of the time in microseconds. Note gives it.
	ID   uint64 `cbor:"1,keyasint"`
	Kind Kind   `cbor:"2,keyasint"`
	// At is when, Unix milliseconds; of several in a row, the last. Note gives it where it is 0.
	At int64 `cbor:"3,keyasint"`
	// From is when the first of several in a row was. 0: there are not several.
	From int64 `cbor:"4,keyasint,omitempty"`
	// Count of those in a row.
	Count uint32 `cbor:"5,keyasint,omitempty"`
	// Text is a sentence for people, at most protocol.MaxText bytes. Of a contact it is made when it is read.
	Text string `cbor:"6,keyasint,omitempty"`
	// By is who did it. Empty: the device, or the hub on its own.
	By string `cbor:"7,keyasint,omitempty"`
	// Carrier of a contact. Open: it was connected by it when this was last written.
	Carrier protocol.Carrier `cbor:"8,keyasint,omitempty"`
	Open    bool             `cbor:"9,keyasint,omitempty"`
	// State that liveness, stack or command came to, and Was that of liveness before.
	State string `cbor:"10,keyasint,omitempty"`
	Was   string `cbor:"11,keyasint,omitempty"`
	// Stack is its name, with its Version.
	Stack   string             `cbor:"12,keyasint,omitempty"`
	Version uint64             `cbor:"13,keyasint,omitempty"`
	Command protocol.CommandID `cbor:"14,keyasint,omitempty"`
	// Job is its name.
	Job string `cbor:"15,keyasint,omitempty"`
}

// ofDevice reports whether a device can bring such entries about as it likes.
func (e *Entry) ofDevice() bool {
	switch e.Kind {
	case KindContact, KindLiveness, KindIdentity, KindTold, KindUsage, KindJob:
		return true
	case KindStack:
		return e.By == ""
	}
	return false
}

// explain gives the sentence of an entry that stands for several.
func (e *Entry) explain() {
	switch e.Kind {
	case KindContact:
		e.Text = e.contacts()
	case KindLeftOut:
		e.Text = fmt.Sprintf("%d more entries between %s and %s were left out: more happens to this device than is kept of one",
			e.Count, e.clock(e.From), e.clock(e.At))
	}
}

func (e *Entry) contacts() string {
	pushed := e.Carrier != protocol.CarrierHTTPS // or else it is not connected between exchanges
	switch {
	case e.Count > 1 && e.Open:
		return fmt.Sprintf("connected by %s, %d times since %s", e.Carrier, e.Count, e.clock(e.From))
	case e.Count > 1 && pushed:
		return fmt.Sprintf("%d connections by %s between %s and %s", e.Count, e.Carrier, e.clock(e.From), e.clock(e.At))
	case e.Count > 1:
		return fmt.Sprintf("contact by %s began %d times between %s and %s", e.Carrier, e.Count, e.clock(e.From), e.clock(e.At))
	case e.Open:
		return fmt.Sprintf("connected by %s", e.Carrier)
	case pushed:
		return fmt.Sprintf("connection by %s ended; it had begun at %s", e.Carrier, e.clock(e.From))
	}
	return fmt.Sprintf("contact by %s begins", e.Carrier)
}

// clock gives a time of the entry, with the day where it is not that of the entry itself.
func (e *Entry) clock(ms int64) string {
	t, at := time.UnixMilli(ms).UTC(), time.UnixMilli(e.At).UTC()
	if t.YearDay() == at.YearDay() && t.Year() == at.Year() {
		return t.Format("15:04 UTC")
	}
	return t.Format("15:04 UTC on 2 January")
}
