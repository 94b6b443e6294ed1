//go:build !linux

package link

import (
	"net"
	"time"
)

// limitUnacknowledged does nothing here: the timeouts above TCP find a dead connection.
func limitUnacknowledged(net.Conn, time.Duration) {}
