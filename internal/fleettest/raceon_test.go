//go:build race

package fleettest

// Under the race detector, which is ten times slower, the long tests are shorter. Those called TestLarge… run them at their
// full length without it.
const (
	seeds       = 1     // storms and restarts for each carrier
	floodSize   = 2_000 // frames
	watchSteps  = 30    // of five minutes
	windowTimes = 8     // of contact
	switchLegs  = 4     // from one carrier to the other
	chunkSizes  = 1     // for which files are sent
)
