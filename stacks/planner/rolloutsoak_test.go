//go:build soak

package planner_test

import (
	"flag"
	"fmt"
	"testing"
)

var soakSeeds = flag.Int("seeds", 20_000, "how many fleets TestSoakRandomRollouts makes")

// TestSoakRandomRollouts is TestRandomRollouts with as many seeds as one has time for. One seed again:
//
//	go test -tags soak -run TestSoakRandomRollouts/123$ ./stacks/planner
func TestSoakRandomRollouts(t *testing.T) {
	for seed := range *soakSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomRollouts(t, uint64(seed)) })
	}
}
