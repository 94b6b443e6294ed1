//go:build !race

package fleettest

const (
	seeds      = 3      // storms and restarts for each carrier
	floodSize  = 10_000 // frames
	watchSteps = 200    // of five minutes
)
