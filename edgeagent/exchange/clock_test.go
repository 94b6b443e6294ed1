package exchange

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClockGoesOnWhileTheDeviceIsSuspended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slept := 5 * time.Hour // before the hub was heard
		c := Clock{suspended: func() time.Duration { return slept }}
		hub := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
		c.set(hub)
		time.Sleep(10 * time.Minute)
		slept += 20 * time.Millisecond // the two clocks are not read at once
		if now, vouched := c.Now(); !now.Equal(hub.Add(10*time.Minute)) || !vouched {
			t.Errorf("awake: %v, %t", now, vouched)
		}
		slept += 3 * time.Hour
		if now, _ := c.Now(); now.Sub(hub).Round(time.Second) != 3*time.Hour+10*time.Minute {
			t.Errorf("after three hours of suspension and ten minutes awake: %v", now.Sub(hub))
		}
		c.set(hub.Add(24 * time.Hour))
		if now, _ := c.Now(); !now.Equal(hub.Add(24 * time.Hour)) {
			t.Errorf("what was slept before is added again: %v", now)
		}
	})
}

func TestClockKeepsVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		hub := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
		c.set(hub)
		time.Sleep(100 * time.Hour)
		if now, _ := c.Now(); !now.Equal(hub.Add(100 * time.Hour)) {
			t.Errorf("%v after 100 h", now.Sub(hub))
		}
	})
}
