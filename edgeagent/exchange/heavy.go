package exchange

import (
	"fmt"
	"time"
)

// heavy remembers a snapshot that did not come through before a time of contact was over. Once more it is sent when there is
// more time for it, or less of it, or after some openings more, as the link may have been slow only then: after one, two,
// four … up to mostLeftOut.
type heavy struct {
	size  int           // of the update, in bytes; 0: there was none
	left  time.Duration // for it
	again int           // how many openings are left out after the next failure
	wait  int           // how many are still left out
	end   time.Time     // of the opening that was counted last
}

const (
	// lightest is up to what size a snapshot is sent without much thought.
	lightest = 4 << 10
	// mostLeftOut is how many openings are left out at most.
	mostLeftOut = 16
)

// waits reports whether an update of so many bytes is left out of an opening that ends then and has so much time left.
func (h *heavy) waits(size int, left time.Duration, end time.Time) bool {
	if h.size == 0 || size < h.size*3/4 || left > h.left*5/4 {
		return false
	}
	another := end.Sub(h.end).Abs() > time.Second // the same one is worked out anew for each connection
	if another && h.wait == 0 {
		return false
	}
	if another {
		h.wait, h.end = h.wait-1, end
	}
	return true
}

// failed notes that an update for which there was so much time did not come through in an opening.
func (h *heavy) failed(size int, left time.Duration, end time.Time) {
	h.again = min(max(2*h.again, 1), mostLeftOut)
	h.size, h.left, h.wait, h.end = size, left, h.again, end
}

// unfinished is called when a time of contact is over. A snapshot that was on its way is not repeated as it is, which would
// stand in the way of all else in the next: a new session says first what is more urgent.
func (c *connection) unfinished(was bounds) error {
	if !was.bounded || !c.sending || c.snapSize <= lightest {
		return nil
	}
	first := c.heavy.size == 0
	c.heavy.failed(c.snapSize, c.snapLeft, was.end)
	c.win = nil
	if !first {
		return nil
	}
	return c.cfg.State.PutEvent("snapshot-waits", fmt.Sprintf(
		"The snapshot of %d bytes did not come through in the %s that there was for it. It waits for a longer time of contact, and is tried again now and then: make windows longer, or remove containers and images that are not needed.",
		c.snapSize, c.snapLeft.Round(time.Second)))
}
