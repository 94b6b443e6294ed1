package spending

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Times of contact that cannot be read never open the link: those before them stay, and without any there is a little
// contact each hour, in which they can be mended. The hub is told once.
func TestRulesThatCannotBeRead(t *testing.T) {
	window := func(start, zone string) *protocol.LinkRules {
		return &protocol.LinkRules{Contact: &protocol.Contact{Windows: []protocol.ContactWindow{{Start: start, Seconds: 600, Zone: zone}}}}
	}
	for _, bad := range []*protocol.LinkRules{window("rubbish", "UTC"), window("0 * * * *", "Mars/Olympus"), window("0 0 31 2 *", "UTC")} {
		synctest.Test(t, func(t *testing.T) {
			b := newBox(t, bad) // at noon
			defer func() { b.stop() }()
			if o, ok := b.Opening(); !ok || o.End.Sub(o.Start) != 5*time.Minute {
				t.Errorf("without other rules it is open in %v", o)
			}
			time.Sleep(30 * time.Minute)
			if b.May(protocol.ClassSession, 1, false) || !b.disk.said("contact-refused") {
				t.Errorf("half past twelve it is open, or nothing was said: %v", b.disk.events)
			}
			b.Rules(window("0 */6 * * *", "UTC"))
			b.Rules(bad)
			b.Rules(bad)
			if o, ok := b.Opening(); !ok || o.Start.UTC().Hour() != 18 || o.End.Sub(o.Start) != 10*time.Minute {
				t.Errorf("after good rules it is open in %v", o)
			}
			if n := len(b.disk.events); n != 2 {
				t.Errorf("told were %v", b.disk.events)
			}
		})
	}
}
