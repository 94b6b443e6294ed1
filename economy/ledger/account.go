package ledger

import (
	"fmt"
	"maps"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Standing is what is kept of a device besides its counts.
type Standing struct {
	// Boot is the run of the agent that reported last.
	Boot [8]byte `cbor:"1,keyasint,omitempty"`
	// At is when it reported last, in Unix seconds; 0: never.
	At int64 `cbor:"2,keyasint,omitempty"`
	// Cycle, Spent, Stage and Rate are its words; see protocol.Usage.
	Cycle uint32            `cbor:"3,keyasint,omitempty"`
	Spent uint64            `cbor:"4,keyasint,omitempty"`
	Stage protocol.Spending `cbor:"5,keyasint,omitempty"`
	Rate  uint32            `cbor:"6,keyasint,omitempty"`
	// First is the first day of which anything is known.
	First uint32 `cbor:"7,keyasint,omitempty"`
	// Alerts of the present cycle and day, those that are over too.
	Alerts []Alert `cbor:"8,keyasint,omitempty"`
	// Counted is what the hub itself had counted of the cycle when the device reported last.
	Counted uint64 `cbor:"9,keyasint,omitempty"`
	// Told is the stage that people were told of last.
	Told protocol.Spending `cbor:"10,keyasint,omitzero"`
}

// account is what is in memory of a device. It is guarded by Ledger.mu.
type account struct {
	Standing
	edition, saved uint32 // of Standing
	// slots are this hour and today, once something was counted, and what is not stored yet.
	slots map[Slot]*slot
	// stale: a day before today has changed since past was worked out.
	stale bool
	past  past
	// now is how the device stood when it was last judged, and heard: it has reported since.
	now   Figures
	heard bool
	// reports is how many it may still make at once, counted when it made the last.
	reports  int
	reported time.Time
}

// A device may report reportBurst times at once, and once each reportEvery after that: each report is made durable. An agent
// that is ours reports less often by far.
const (
	reportBurst = 60
	reportEvery = time.Second
)

// mayReport takes a report from what the device may make. The caller holds mu.
func (a *account) mayReport(now time.Time) bool {
	more := now.Sub(a.reported) / reportEvery
	if a.reported.IsZero() || more >= reportBurst {
		a.reports, a.reported = reportBurst, now
	} else if more > 0 {
		a.reports, a.reported = min(a.reports+int(more), reportBurst), now
	}
	if a.reports == 0 {
		return false
	}
	a.reports--
	return true
}

func newAccount(s Standing) *account {
	return &account{Standing: s, slots: map[Slot]*slot{}, stale: true}
}

// account gives the account of a device. The caller holds mu.
func (l *Ledger) account(id protocol.DeviceID) *account {
	a := l.accounts[id]
	if a == nil {
		a = newAccount(Standing{})
		l.accounts[id] = a
	}
	return a
}

// open gives a slot to count in. The caller holds mu.
func (l *Ledger) open(id protocol.DeviceID, a *account, at Slot) (*slot, error) {
	if s := a.slots[at]; s != nil {
		return s, nil
	}
	e, err := l.c.Store.UsageEntry(at, id)
	if err != nil {
		return nil, fmt.Errorf("read what device %s has spent: %w", id, err)
	}
	s := e.slot()
	a.slots[at] = s
	return s, nil
}

// began notes a day of which something is known.
func (a *account) began(day uint32) {
	if a.First == 0 || day < a.First {
		a.First = day
		a.edition++
	}
}

func (a *account) dirty() bool {
	for _, s := range a.slots {
		if s.edition != s.saved {
			return true
		}
	}
	return a.edition != a.saved
}

// unsaved gives what is to be stored, and what follows once it is.
func (a *account) unsaved(id protocol.DeviceID) (records []Record, done []func()) {
	for at, s := range a.slots {
		if s.edition == s.saved {
			continue
		}
		records = append(records, Record{Device: id, Slot: at, Entry: s.entry()})
		edition := s.edition
		done = append(done, func() { s.saved = edition })
	}
	if a.edition != a.saved {
		standing := a.Standing
		records = append(records, Record{Device: id, Standing: &standing})
		edition := a.edition
		done = append(done, func() { a.saved = edition })
	}
	return records, done
}

// tidy lets go of slots that are over and stored.
func (a *account) tidy(hour, today Slot) {
	maps.DeleteFunc(a.slots, func(at Slot, s *slot) bool { return s.edition == s.saved && at != hour && at != today })
}
