package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

func devices(n int) string {
	if n == 1 {
		return "1 device"
	}
	return fmt.Sprintf("%d devices", n)
}

// failure says what is wrong with a batch.
func failure(batch uint32, t tally) string {
	if t.open > 0 {
		return fmt.Sprintf("%d of the %s of batch %d failed", t.failed, devices(t.size), batch)
	}
	return fmt.Sprintf("%d of the %s of batch %d succeeded, %d failed", t.succeeded, devices(t.size), batch, t.failed)
}

func (s *step) waitForBatch(t tally) {
	s.wait(fmt.Sprintf("batch %d is under way: %d of %s succeeded, %d failed", s.Batch, t.succeeded, devices(t.size), t.failed), time.Time{})
}

func (s *step) waitForSoak(until time.Time) {
	s.wait(fmt.Sprintf("batch %d has succeeded and is watched until %s", s.Batch, until.UTC().Format(time.RFC3339)), until)
}

func (s *step) waitForOrder(order uint32) {
	why, next := s.deferred(func(v *Seen) bool { return v.Order == order })
	s.wait(fmt.Sprintf("no device of order %d has succeeded yet: %s", order, why), next)
}

func (s *step) waitForRest() {
	going := 0
	for _, d := range s.Devices {
		if d.Status == StatusChosen || d.Status == StatusGoing {
			going++
		}
	}
	why, next := s.deferred(func(*Seen) bool { return true })
	if going > 0 {
		why = devices(going) + " of earlier batches are under way"
	}
	s.wait(why, next)
}

func (s *step) waitForReturn(left int) {
	s.wait(fmt.Sprintf("%s: %s still to be brought back", s.Reason, devices(left)), time.Time{})
}

// deferred says how many of the waiting devices cannot change now, and when the first of them could.
func (s *step) deferred(which func(*Seen) bool) (string, time.Time) {
	n, codes := 0, map[string]int{}
	var next time.Time
	for _, v := range s.seen {
		if v.Standing != Deferred || s.Devices[v.ID].Status != StatusWaiting || !which(v) {
			continue
		}
		n++
		codes[v.Code]++
		if !v.Next.IsZero() && (next.IsZero() || v.Next.Before(next)) {
			next = v.Next
		}
	}
	why := devices(n) + " cannot change now"
	var reasons []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		switch {
		case code == "":
		case len(codes) == 1:
			reasons = append(reasons, code)
		default:
			reasons = append(reasons, fmt.Sprintf("%d %s", codes[code], code))
		}
	}
	if len(reasons) > 0 {
		why += " (" + strings.Join(reasons, ", ") + ")"
	}
	if !next.IsZero() {
		why += ", the first one can at " + next.UTC().Format(time.RFC3339)
	}
	return why, next
}
