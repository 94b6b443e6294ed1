//go:build !race

package fleettest

import (
	"testing"
	"testing/synctest"
	"time"
)

// Two hundred devices, the same way, and the hub restarts under all of them.
func TestLargeFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { regatta(t, 200, 5*time.Minute) })
}

// After a restart of the hub a large fleet is back within a minute, and nobody is called late.
func TestLargeFleetComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		for i := range uint64(200) {
			f.Device(DeviceSpec{Seed: i + 1, Carrier: carriers[i%2], Containers: 2})
		}
		f.Settle(20 * time.Minute)
		f.RestartHub()
		f.Until("all are back", 3*time.Minute, func() bool { return f.Hub().Sessions.Connected() == 200 })
		f.CrashHub()
		f.StartHub()
		f.Until("all are back", 3*time.Minute, func() bool { return f.Hub().Sessions.Connected() == 200 })
		f.Settle(20 * time.Minute)
	})
}

// The same with a thousand devices as with twenty.
func TestLargeBadVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { badVersion(t, 1000) })
}

// The long tests at their full length.
func TestLargeNothingPassesOutsideOfWindows(t *testing.T) { nothingPasses(t) }

func TestLargeOnTimeWithinItsOwnInterval(t *testing.T) { onTime(t) }

func TestLargeCarrierSwitched(t *testing.T) { carrierSwitched(t) }

func TestLargeFilesCostWhatWasEstimated(t *testing.T) { filesCost(t) }
