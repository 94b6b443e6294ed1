package edgeagent

import (
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/protocol"
)

func TestWhatImagesWaitFor(t *testing.T) {
	opens, ends := time.Unix(1000, 0), time.Unix(9000, 0)
	for name, c := range map[string]struct {
		report spending.Report
		what   string
		until  time.Time
	}{
		"free":             {spending.Report{Open: true}, "", time.Time{}},
		"a window":         {spending.Report{Opening: &economy.Opening{Start: opens}}, "window", opens},
		"no window":        {spending.Report{}, "window", time.Time{}},
		"the reserve":      {spending.Report{Open: true, Stage: protocol.SpendingLast, CycleEnd: ends}, "budget", ends},
		"the cap is near":  {spending.Report{Open: true, Hard: 2 << 20, Reserve: 100 << 10, Spent: 1800 << 10, CycleEnd: ends}, "budget", ends},
		"much of it left":  {spending.Report{Open: true, Hard: 2 << 20, Reserve: 100 << 10, Spent: 1 << 20, CycleEnd: ends}, "", time.Time{}},
		"outside, and cap": {spending.Report{Opening: &economy.Opening{Start: opens}, Stage: protocol.SpendingLast}, "window", opens},
	} {
		if what, until := waitsFor(c.report); what != c.what || !until.Equal(c.until) {
			t.Errorf("%s: waits for the %q until %s", name, what, until)
		}
	}
}
