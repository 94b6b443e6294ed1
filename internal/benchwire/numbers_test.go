//go:build bench && linux

package benchwire

import (
	"flag"
	"testing"
)

var out = flag.String("out", "", "file for the tables; empty: they are only printed")

// TestNumbers measures all rows and writes them down.
func TestNumbers(t *testing.T) {
	r := &report{load: load()}
	complete := true
	for _, part := range []struct {
		name string
		rows func(*testing.T, *report)
	}{
		{"idle", idleRows},
		{"profiles", profileRows},
		{"waiting", waitingRows},
		{"snapshots", snapshotRows},
		{"stacks", stackRows},
		{"fold", foldRows},
		{"pings", pingRows},
		{"commands", commandRows},
		{"memory", memoryRows},
	} {
		ran := false
		t.Run(part.name, func(t *testing.T) {
			ran = true
			part.rows(t, r)
		})
		complete = complete && ran
	}
	if *out == "" || !complete {
		return
	}
	if err := r.write(*out); err != nil {
		t.Fatal(err)
	}
}
