package exchange

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspended is how long the device has been suspended since it was started: CLOCK_BOOTTIME goes on then, and
// CLOCK_MONOTONIC, which Go's timers go by, stands still. Between reading the two the thread may be held up, so what is
// returned may be a little too small.
func suspended() time.Duration {
	var boot, monotonic unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil {
		return 0 // Linux before 2.6.39
	}
	return time.Duration(boot.Nano() - monotonic.Nano())
}
