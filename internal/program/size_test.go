package program

import (
	"math"
	"testing"
)

func TestSizesForPeople(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 5_000_000: "5.0 MB", 999_949: "999.9 kB", 999_999: "1.0 MB", 20_200_000_000: "20.2 GB",
		math.MaxUint64: "18.4 EB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}
