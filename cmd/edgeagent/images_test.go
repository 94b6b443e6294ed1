package main

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/depot"
)

func TestImagesArePrintedWithTheirCost(t *testing.T) {
	var out strings.Builder
	digest := "sha256:" + strings.Repeat("ab", 32)
	if err := printImages(&out, []edgeagent.ImageReport{
		{Name: "pumps", For: "window", Until: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Listed: depot.Listed{
			Stack: 3, Version: 7, Image: "docker.io/plant/app:7", State: depot.StateWaiting, Size: 3000, Cost: depot.Cost{Fetched: 1100, Spent: 1500, Requests: 4}, Again: 100,
			Layers: []depot.ListedLayer{
				{Digest: digest, Size: 1000, Here: 1000, Had: true},
				{Digest: digest, Size: 2000, Here: 1000, Cost: depot.Cost{Fetched: 1100, Spent: 1400, Requests: 3}, Again: 100},
			},
		}},
		{Listed: depot.Listed{Stack: 4, Version: 1, Image: "docker.io/library/redis:8", State: depot.StateThere}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"docker.io/plant/app:7, of stack pumps version 7: waiting for the window until 2026-03-01 1", "sha256:abababababab ", "the engine had it",
		"in all", "1500", "docker.io/library/redis:8, of stack 4 version 1: there\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if len(line) > 110 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
}
