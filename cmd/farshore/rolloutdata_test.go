package main

import (
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
)

func TestEstimateAgainstActual(t *testing.T) {
	for _, x := range []struct {
		data             resource.RolloutData
		estimate, actual string
	}{
		{resource.RolloutData{}, "not known", "no device has said yet"},
		{resource.RolloutData{Estimate: 200, Estimated: 2, Actual: 90, Reported: 1}, "200 B for 2 devices", "90 B by 1 devices"},
		{resource.RolloutData{Estimate: 200, Estimated: 2, Actual: 194, Reported: 2}, "200 B for 2 devices", "194 B by 2 devices, 97.0 % of the estimate"},
		{resource.RolloutData{Actual: 194, Reported: 2}, "not known", "194 B by 2 devices"},
	} {
		if e, a := estimateOf(x.data), actualOf(x.data); e != x.estimate || a != x.actual {
			t.Errorf("%+v: %q and %q, want %q and %q", x.data, e, a, x.estimate, x.actual)
		}
	}
}
