//go:build !linux

package exchange

import "time"

// suspended is only known on Linux. Elsewhere Go's monotonic clock may stand still while the device is suspended.
func suspended() time.Duration { return 0 }
