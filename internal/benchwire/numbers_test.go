//go:build bench && linux

package benchwire

import (
	"flag"
	"testing"
)

var out = flag.String("out", "", "file for the tables; empty: they are only printed")

// TestNumbers measures all rows and writes them down. Of parts, run alone, only the profiles are written.
func TestNumbers(t *testing.T) {
	r := &report{load: load()}
	complete, measured := true, map[string]bool{}
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
		complete, measured[part.name] = complete && ran, ran
	}
	if *out == "" {
		return
	}
	var err error
	switch {
	case complete:
		err = r.write(*out)
	case measured["profiles"]:
		err = r.replaceProfiles(*out)
	}
	if err != nil {
		t.Fatal(err)
	}
}
