package orders

import (
	"fmt"

	"github.com/farshore/farshore/protocol"
)

// desired puts into body what leads from the set the device has to want, or as much of it as fits one order.
func (h *holding) desired(want []protocol.Entry, body *protocol.OrderBody, o *order) error {
	if h.set != nil && protocol.DesiredHash(h.set) == protocol.DesiredHash(want) {
		return nil
	}
	if h.set == nil {
		whole := protocol.DesiredDelta(nil, want)
		if n := bytesOf(whole.Set); n > maxBody {
			return fmt.Errorf("%w: the desired set has %d bytes, at most %d where the device's own set is not known: take stacks from the device and give them back one by one",
				ErrTooLarge, n, maxBody)
		}
		body.Desired, o.desired, o.set = whole, true, append([]protocol.Entry{}, want...) // not nil: it is known then
		return nil
	}
	next, err := towards(h.set, want)
	if err != nil {
		return err
	}
	body.Desired, o.desired, o.set = protocol.DesiredDelta(h.set, next), true, next
	return nil
}

// towards returns the set on the way from have to want that can be reached by one order: everything that goes is
// gone, and as many of the entries that are new or differ are in as fit.
func towards(have, want []protocol.Entry) ([]protocol.Entry, error) {
	old := make(map[protocol.EntryKey]protocol.Entry, len(have))
	for _, e := range have {
		old[e.EntryKey] = e
	}
	next, used, put := make([]protocol.Entry, 0, len(want)), 0, 0
	for _, e := range want {
		before, had := old[e.EntryKey]
		if had && before.Hash() == e.Hash() {
			next = append(next, e)
			continue
		}
		n := bytesOf([]protocol.Entry{e})
		if n > maxBody {
			return nil, fmt.Errorf("%w: stack %q has %d bytes of file names and variables, at most %d: use fewer files", ErrTooLarge, e.Name, n, maxBody)
		}
		if put > 0 && used+n > maxBody {
			if had {
				next = append(next, before) // its turn comes with a later order
			}
			continue
		}
		next, used, put = append(next, e), used+n, put+1
	}
	return next, nil
}

func bytesOf(set []protocol.Entry) int {
	b, err := protocol.Marshal(set)
	if err != nil {
		panic(err) // an Entry has no field that can fail to encode
	}
	return len(b)
}
