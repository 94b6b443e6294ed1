package economy

import (
	"testing"

	"github.com/farshore/farshore/protocol"
)

func TestSlicesOfImages(t *testing.T) {
	capped := func(hard uint64) *protocol.LinkRules {
		return &protocol.LinkRules{Budget: &protocol.Budget{Hard: hard}}
	}
	for _, x := range []struct {
		rules *protocol.LinkRules
		want  int64
		by    bool
	}{
		{nil, 256 << 10, false},
		{&protocol.LinkRules{}, 256 << 10, false},
		{&protocol.LinkRules{Images: protocol.ImagesByAgent}, 256 << 10, true},
		{capped(0), 256 << 10, true},
		{capped(1 << 20), 32 << 10, true},
		{capped(20_000_000), 100_000, true},
		{capped(1 << 63), 256 << 10, true},
	} {
		if got, by := PullSlice(x.rules), ByAgent(x.rules); got != x.want || by != x.by {
			t.Errorf("%+v: slices of %d, by the agent %v; want %d, %v", x.rules, got, by, x.want, x.by)
		}
	}
}
