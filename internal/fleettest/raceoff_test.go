//go:build !race

package fleettest

const (
	seeds       = 3      // storms and restarts for each carrier
	floodSize   = 10_000 // frames
	watchSteps  = 200    // of five minutes
	windowTimes = 24     // of contact
	switchLegs  = 8      // from one carrier to the other
	chunkSizes  = 3      // for which files are sent
)
