package ledger_test

import (
	"sync"
	"testing"

	"github.com/farshore/farshore/protocol"
)

// Whatever comes at the same time, what was acknowledged is what is stored.
func TestReportsAndLooksAtTheSameTime(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	var all sync.WaitGroup
	for n := range uint64(20) {
		all.Go(func() {
			if err := b.report(1, protocol.Usage{Days: []protocol.UsageDay{b.day(0, protocol.ClassPull, 0, 1000+n), b.day(-int(n)-1, protocol.ClassPull, 0, 7)}}); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := b.Look(b.now); err != nil {
				t.Error(err)
			}
			b.Figures(pump)
		})
	}
	all.Wait()
	b.saw(protocol.ClassSession, 5, 0)
	b.die()
	if got := b.kept(0); got[protocol.ClassPull].Down != 1019 || got[protocol.ClassSession].Up != 5 {
		t.Errorf("stored of today: %v", got)
	}
}
