//go:build race

package fleettest

// Under the race detector, which is ten times slower, the long tests are shorter.
const (
	seeds      = 1     // storms and restarts for each carrier
	floodSize  = 2_000 // frames
	watchSteps = 60    // of five minutes
)
