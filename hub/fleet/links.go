package fleet

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/internal/zones"
	"github.com/farshore/farshore/protocol"
)

// Passes is a table of single times of contact, such as those of a satellite, of a device or of all devices of a group.
// The nearest table counts, and no other. It is immutable.
type Passes struct {
	// Passes sorted by start.
	Passes []protocol.Pass `cbor:"1,keyasint" json:"passes"`
	// After is what holds after the last one where there are no contact windows. Zero: as the profile says, else daily.
	After protocol.AfterPasses `cbor:"2,keyasint,omitempty" json:"after,omitempty"`
	// Told is what people were told of its end.
	Told TableEnd `cbor:"3,keyasint,omitempty" json:"-"`
}

// End is when the last pass ends.
func (p *Passes) End() time.Time {
	var end int64
	for _, x := range p.Passes {
		end = max(end, x.Start+int64(x.Seconds))
	}
	return time.Unix(end, 0)
}

// Lift is what somebody added to the caps of one billing cycle of a device.
type Lift struct {
	// Cycle is the first day of the cycle, as in protocol.UsageDay.
	Cycle uint32 `cbor:"1,keyasint" json:"cycle"`
	// Extra bytes, all that were added.
	Extra uint64 `cbor:"2,keyasint" json:"extra"`
	// Note says why, By who added last, At when (Unix seconds).
	Note string `cbor:"3,keyasint,omitempty" json:"note,omitempty"`
	By   string `cbor:"4,keyasint,omitempty" json:"by,omitempty"`
	At   int64  `cbor:"5,keyasint,omitempty" json:"at,omitempty"`
}

// link puts together what the profile, the nearest table of passes and the device's own lift say of its link. Where
// nothing of it is of the device alone, what the profile holds is shared.
func (e *Effective) link(d *Device, labels map[string]string) {
	link, shared := e.Settings.Link, true
	own := func() *protocol.LinkRules {
		if shared {
			c := protocol.LinkRules{}
			if link != nil {
				c = *link
			}
			link, shared = &c, false
		}
		return link
	}
	if link != nil && link.Contact != nil && slices.ContainsFunc(link.Contact.Windows, func(w protocol.ContactWindow) bool { return w.Zone == "" }) {
		contact := *link.Contact
		contact.Windows = slices.Clone(contact.Windows)
		zone := zones.Of(labels)
		for i := range contact.Windows {
			contact.Windows[i].Zone = first(contact.Windows[i].Zone, zone)
		}
		own().Contact = &contact
	}
	if e.passes != nil {
		contact := protocol.Contact{}
		if link != nil && link.Contact != nil {
			contact = *link.Contact
		}
		contact.Passes = e.passes.Passes
		if e.passes.After != 0 {
			contact.After = e.passes.After
		}
		own().Contact = &contact
	}
	if d.Lift != nil && link != nil && link.Budget != nil {
		budget := *link.Budget
		budget.Lift = &protocol.Lift{Cycle: d.Lift.Cycle, Extra: d.Lift.Extra}
		own().Budget = &budget
	}
	if link != nil && link.Images == 0 && (bound(link.Contact) || capped(link.Budget)) {
		own().Images = protocol.ImagesByAgent
	}
	e.Settings.Link = link
}

// bound reports that a link may not be used at any time.
func bound(c *protocol.Contact) bool { return c != nil && len(c.Windows)+len(c.Passes) > 0 }

func capped(b *protocol.Budget) bool { return b != nil && (b.Soft != 0 || b.Hard != 0) }

// sameSettings compares by content.
func sameSettings(a, b protocol.Settings) bool {
	la, lb := a.Link, b.Link
	a.Link, b.Link = nil, nil
	return a == b && (la == lb || reflect.DeepEqual(la, lb))
}

// CheckProfile holds a link profile to what a device can go by. What it leaves open is taken to be the hub's default.
// Errors wrap ErrInvalid.
func CheckProfile(p Profile) error {
	plain := p.Settings
	plain.Link = nil
	if err := CheckSettings(plain); err != nil {
		return err
	}
	if err := economy.CheckTariff(p.Tariff); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if link := p.Settings.Link; link != nil {
		switch {
		case link.Contact != nil && len(link.Contact.Passes) > 0:
			return fmt.Errorf("%w: passes are given to a device or a group, not to a profile", ErrInvalid)
		case link.Budget != nil && link.Budget.Lift != nil:
			return fmt.Errorf("%w: a budget is lifted for a device, not in a profile", ErrInvalid)
		case link.Images == protocol.ImagesByEngine && (capped(link.Budget) || bound(link.Contact)):
			return fmt.Errorf("%w: images by the engine count for no budget and keep to no window: leave them to the agent, or leave caps and windows out", ErrInvalid)
		case link.Images > protocol.ImagesByAgent || link.Connection > protocol.ConnectionBrief || link.Contact != nil && link.Contact.After > protocol.AfterOpen:
			return fmt.Errorf("%w: link rules that this hub does not know", ErrInvalid)
		}
		if err := economy.CheckContact(link.Contact, time.Now()); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return affordable(p.Explicit())
}

// affordable refuses a budget that the pings of the same settings would eat up. It is asked of a profile, and of a group
// or a device when its own settings or profile change. A device may still come to such settings by a move, or by a
// change further up: it is not kept from where it belongs, and holds to its caps; Unaffordable then says so.
func affordable(s protocol.Settings) error {
	if err := economy.CheckBudget(s); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// Unaffordable says in a sentence that the device's pings cost more than its budget, and why. "": they do not.
func (e Effective) Unaffordable() string {
	if err := economy.CheckBudget(e.Settings); err != nil {
		return capital(err.Error()) + "."
	}
	return ""
}

// Budget gives the budget of the device's link. Nil: it has none.
func (e Effective) Budget() *protocol.Budget {
	if e.Settings.Link == nil {
		return nil
	}
	return e.Settings.Link.Budget
}

// Explicit gives the settings of the profile with the hub's defaults for async devices in place of what it leaves open.
func (p *Profile) Explicit() protocol.Settings {
	e := Effective{From: map[string]string{}}
	e.fill(&p.Settings, "")
	defaults := protocol.DefaultSettings(protocol.ModeAsync)
	e.fill(&defaults, "")
	return e.Settings
}
