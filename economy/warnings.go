package economy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
)

const (
	// BriefOpening is how long an opening should last at least: to find the hub, connect and be let in takes about eight
	// round trips, on a slow link with a packet lost twenty seconds, and nothing is begun shortly before the end.
	BriefOpening = 30 * time.Second
	// openingsLooked is how many openings of each window are looked at for others that overlap.
	openingsLooked = 32
)

// Warnings says what of times of contact is allowed and yet probably not meant, a sentence each, with what to do.
func Warnings(c *protocol.Contact, now time.Time) []string {
	if c == nil {
		return nil
	}
	return append(windowWarnings(c.Windows, now), passWarnings(c, now)...)
}

func windowWarnings(windows []protocol.ContactWindow, now time.Time) (out []string) {
	var all []recurring
	var kept []protocol.ContactWindow
	for _, w := range windows[:min(len(windows), MaxWindows)] {
		one := NewContact(&protocol.Contact{Windows: []protocol.ContactWindow{w}})
		if len(one.windows) == 1 {
			all, kept = append(all, one.windows[0]), append(kept, w)
		}
	}
	for i, w := range all {
		if w.long < BriefOpening {
			out = append(out, fmt.Sprintf("The window %q lasts %d s: on a slow link a connection may take all of it. Let it last %d s or more.",
				kept[i].Start, kept[i].Seconds, int(BriefOpening.Seconds())))
		}
		at, gap := now, false
		other := make([]bool, len(all))
		for range openingsLooked {
			start := w.times.Next(at.In(w.zone))
			if start.IsZero() {
				break
			}
			gap = gap || w.times.Next(start).After(start.Add(w.long))
			for j := range all[:i] {
				other[j] = other[j] || all[j].openIn(start, start.Add(w.long))
			}
			at = start
		}
		if !gap {
			out = append(out, fmt.Sprintf("The window %q lasts %d s, and by then it opens again: it never closes. Make it shorter or rarer, or leave windows out.",
				kept[i].Start, kept[i].Seconds))
		}
		for j, is := range other {
			if is {
				out = append(out, fmt.Sprintf("The windows %q and %q overlap: where they do, they count as one. Let one begin after the other has ended, or leave one out.",
					kept[j].Start, kept[i].Start))
			}
		}
	}
	return out
}

// openIn reports whether the window is open at some moment from one on, and before another.
func (r recurring) openIn(from, to time.Time) bool {
	at := r.times.Next(from.In(r.zone).Add(-r.long))
	return !at.IsZero() && at.Before(to)
}

func passWarnings(c *protocol.Contact, now time.Time) (out []string) {
	passes := slices.Clone(c.Passes)
	slices.SortFunc(passes, func(a, b protocol.Pass) int { return cmp.Compare(a.Start, b.Start) })
	var past, overlap, brief, small []string
	end, last := int64(0), ""
	for _, p := range passes {
		name := time.Unix(p.Start, 0).UTC().Format("2006-01-02 15:04 MST")
		if p.Start+int64(p.Seconds) <= now.Unix() {
			past = append(past, name)
			continue
		}
		if p.Start < end {
			overlap = append(overlap, name+" with "+last)
		}
		if time.Duration(p.Seconds)*time.Second < BriefOpening {
			brief = append(brief, fmt.Sprintf("%s (%d s)", name, p.Seconds))
		}
		if p.Bytes != 0 && p.Bytes < ConnectCost+HybridCost+SessionCost {
			small = append(small, fmt.Sprintf("%s (%d)", name, p.Bytes))
		}
		if p.Start+int64(p.Seconds) > end {
			end, last = p.Start+int64(p.Seconds), name
		}
	}
	say := func(which []string, format string) {
		if len(which) == 0 {
			return
		}
		list := which[0]
		if len(which) > 1 {
			list += fmt.Sprintf(" and %d more", len(which)-1)
		}
		out = append(out, fmt.Sprintf(format, len(which), len(passes), list))
	}
	say(past, "%d of %d passes are over already: %s. Leave them out of the next table.")
	say(overlap, "%d of %d passes overlap with another: %s. They count as one; see whether the times are right.")
	say(brief, fmt.Sprintf("%%d of %%d passes last less than %d s: %%s. On a slow link a connection may take all of it; leave them out, or make them longer.", int(BriefOpening.Seconds())))
	say(small, fmt.Sprintf("%%d of %%d passes are expected to carry fewer bytes than a connection costs (%d): %%s. Leave them out, or correct the bytes.",
		ConnectCost+HybridCost+SessionCost))
	if left := time.Unix(end, 0).Sub(now); end > 0 && len(c.Windows) == 0 && left > 0 && left < TableEndsSoon {
		out = append(out, fmt.Sprintf("The last pass ends at %s: %s Give the next table before.", time.Unix(end, 0).UTC().Format("2006-01-02 15:04 MST"), AfterWords(c.After)))
	}
	return out
}
