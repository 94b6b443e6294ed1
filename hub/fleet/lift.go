package fleet

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// maxLift is the most bytes that are added to a cycle.
const maxLift = 1 << 40

// AddLift adds bytes to the caps of the device's present billing cycle, beside those that were added to it before.
// Extra, Note and By of l are looked at. Errors wrap ErrNotFound, or ErrInvalid where the device has no budget.
func (r *Registry) AddLift(id protocol.DeviceID, l Lift) (Lift, error) {
	group := ""
	err := r.commit(func(t *tx) error {
		d := t.device(id)
		if d == nil {
			return unknown(id)
		}
		now := time.Now()
		cycle, err := t.cycle(d, now)
		if err != nil {
			return err
		}
		l.Cycle, l.At = cycle.First, now.Unix()
		if l.Extra == 0 || l.Extra > maxLift {
			return fmt.Errorf("device %q: %w: %d bytes more: want 1 to %d", d.Name, ErrInvalid, l.Extra, uint64(maxLift))
		}
		if d.Lift != nil && d.Lift.Cycle == l.Cycle {
			l.Extra += d.Lift.Extra
			if l.Extra > maxLift {
				return fmt.Errorf("device %q: %w: with what was added before it is %d bytes: want at most %d", d.Name, ErrInvalid, l.Extra, uint64(maxLift))
			}
		}
		d = d.clone()
		kept := l
		d.Lift, group = &kept, d.Group
		return t.write(d)
	})
	if err == nil {
		r.tell([]Change{{Device: id, Group: group, Kind: ChangeLifted, Text: fmt.Sprintf(
			"budget of the cycle that began on %s lifted by %d bytes in all, by %s", time.Unix(int64(l.Cycle)*86400, 0).UTC().Format("2 January"), l.Extra, l.By)}})
	}
	return l, err
}

// DropLift takes back what was added to the present cycle, and gives it. Nil: nothing was, and nothing happens. Errors wrap
// ErrNotFound.
func (r *Registry) DropLift(id protocol.DeviceID) (was *Lift, err error) {
	err = r.commit(func(t *tx) error {
		was = nil
		d := t.device(id)
		if d == nil {
			return unknown(id)
		}
		if d.Lift == nil {
			return nil
		}
		if cycle, err := t.cycle(d, time.Now()); err == nil && cycle.First == d.Lift.Cycle {
			was = d.Lift
		}
		d = d.clone()
		d.Lift = nil
		return t.write(d)
	})
	return was, err
}

// cycle is the device's billing cycle of now, where it has a budget with a cap.
func (t *tx) cycle(d *Device, now time.Time) (economy.Cycle, error) {
	link := effective(t, d, nil).Settings.Link
	if link == nil || link.Budget == nil || link.Budget.Hard == 0 && link.Budget.Soft == 0 {
		return economy.Cycle{}, fmt.Errorf("device %q: %w: its link profile has no cap, so there is nothing to lift", d.Name, ErrInvalid)
	}
	return economy.CycleAt(link.Budget, now), nil
}
