package ledger

import (
	"cmp"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// stage is how far a device is through its budget. It cannot tell any more that it has become silent, so what the hub has
// counted since its last word counts too. A device that has never reported keeps to no budget. counted is what the hub
// has counted of the cycle.
func (a *account) stage(f *Figures, b *protocol.Budget, today uint32, counted uint64) protocol.Spending {
	spent, said := f.Spent, protocol.SpendingFree
	if a.Cycle == f.Cycle.First {
		spent, said = a.Spent+counted-min(a.Counted, counted), a.Stage
	}
	if a.At == 0 || f.Caps == (economy.Caps{}) {
		return said
	}
	connect := cmp.Or(f.Link.Connect, economy.ConnectCost+economy.HybridCost)
	contacts := uint64(1)
	if b.DailyPing {
		contacts = uint64(f.Cycle.Next - min(today, f.Cycle.Next))
	}
	kept := f.Caps.Kept(b, contacts, economy.SilentContact(connect))
	stage := max(said, kept.Stage(spent))
	if kept.Hard != 0 && spent+connect > kept.Hard {
		stage = protocol.SpendingSilent // it could not even connect any more
	}
	if !a.heard && a.now.Cycle.First == f.Cycle.First && a.now.Caps == f.Caps { // on the device it never goes back either
		stage = max(stage, a.now.Stage)
	}
	return stage
}
