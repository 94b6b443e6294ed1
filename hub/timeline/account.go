package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
)

// A device may bring about burst entries at once, and one each refillEvery after that. Once it has used them up, nothing
// but a count is kept until half of them are back.
const (
	burst       = 60
	refillEvery = 2 * time.Minute
)

// account is what is in memory of one device. All of it is guarded by Timeline.mu.
type account struct {
	newest  *line
	contact *line // the last contact
	open    *line // the contact by which it is connected
	leftOut *line // counts what is left out, while it is
	unsaved []*line
	added   int // entries since old ones were dropped
	left    int // entries that the device may still bring about, counted at filled
	filled  time.Time
}

// line is an entry in memory.
type line struct {
	Entry
	edition uint32 // grows with each change
	written uint32 // how often it was
	lazy    time.Time
}

// due reports whether the entry, which was changed, is to be written at now; zero: it is.
func (l *line) due(now time.Time) bool {
	return now.IsZero() || l.written < promptWrites || now.After(l.lazy)
}

func (a *account) came(t *Timeline, c protocol.Carrier, now time.Time) {
	a.went(now)
	open, at := c != protocol.CarrierHTTPS, now.UnixMilli()
	if l := a.contact; l != nil && l.Carrier == c && at-l.From < foldFor.Milliseconds() &&
		(l == a.newest || at-l.At < againWithin.Milliseconds()) {
		l.Count, l.At, l.Open = l.Count+1, at, open
		a.change(l)
	} else if l = a.add(t, Entry{Kind: KindContact, At: at, From: at, Count: 1, Carrier: c, Open: open}, now); l != nil {
		a.contact = l
	} else {
		return
	}
	if open {
		a.open = a.contact
	}
}

func (a *account) went(now time.Time) {
	if l := a.open; l != nil {
		l.At, l.Open, a.open = now.UnixMilli(), false, nil
		a.change(l)
	}
}

// add appends an entry and returns its line; nil where it is counted only.
func (a *account) add(t *Timeline, e Entry, now time.Time) *line {
	if e.ofDevice() && !a.spend(now) {
		a.leaveOut(t, now)
		return nil
	}
	e.ID = t.next(now)
	l := &line{Entry: e}
	a.newest = l
	a.added++
	a.change(l)
	return l
}

// spend takes one from what the device may bring about.
func (a *account) spend(now time.Time) bool {
	if n := int(min(now.Sub(a.filled)/refillEvery, burst)); n > 0 {
		a.left, a.filled = min(a.left+n, burst), now
	}
	if a.leftOut != nil && a.left >= burst/2 {
		a.leftOut = nil
	}
	if a.left == 0 || a.leftOut != nil {
		return false
	}
	a.left--
	return true
}

func (a *account) leaveOut(t *Timeline, now time.Time) {
	at := now.UnixMilli()
	if a.leftOut == nil {
		a.leftOut = a.add(t, Entry{Kind: KindLeftOut, From: at}, now)
	}
	a.leftOut.Count, a.leftOut.At = a.leftOut.Count+1, at
	a.change(a.leftOut)
}

// change notes that a line is to be written.
func (a *account) change(l *line) {
	l.edition++
	if !slices.Contains(a.unsaved, l) {
		a.unsaved = append(a.unsaved, l)
	}
	if n := len(a.unsaved) - Keep; n > 0 { // nothing could be written for long
		a.unsaved = slices.Delete(a.unsaved, 0, n)
	}
}

// saved notes that an edition of a line was written.
func (a *account) saved(l *line, edition uint32) {
	l.written++
	l.lazy = time.Now().Add(lazyEvery)
	if l.edition == edition {
		a.unsaved = slices.DeleteFunc(a.unsaved, func(x *line) bool { return x == l })
	}
}

// compare orders entries by when they were, or last were.
func compare(a, b Entry) int { return cmp.Or(cmp.Compare(a.At, b.At), compareIDs(a.ID, b.ID)) }

func compareIDs(a, b uint64) int { return cmp.Compare(a, b) }

func cursor(e Entry) string { return fmt.Sprintf("%x-%x", e.At, e.ID) }

func parseCursor(s string) (e Entry, err error) {
	if s == "" {
		return e, nil
	}
	if _, err := fmt.Sscanf(s, "%x-%x", &e.At, &e.ID); err != nil || cursor(e) != s {
		return e, ErrCursor
	}
	return e, nil
}
