package estimate

import (
	"testing"

	"github.com/farshore/farshore/protocol"
)

// TestALayerIsAskedForInSlices: by the agent as its rules have it, by an engine at once.
func TestALayerIsAskedForInSlices(t *testing.T) {
	capped := &protocol.LinkRules{Budget: &protocol.Budget{Hard: 5_000_000}}
	for _, x := range []struct {
		rules      *protocol.LinkRules
		size, want uint64
	}{
		{nil, 20 << 20, 1},
		{&protocol.LinkRules{Images: protocol.ImagesByAgent}, 20 << 20, 80},
		{&protocol.LinkRules{Images: protocol.ImagesByAgent}, 20<<20 + 1, 81},
		{capped, 10 << 20, 320},
		{capped, 100, 1},
		{capped, 0, 1},
	} {
		if got := asks(x.rules, x.size); got != x.want {
			t.Errorf("%+v, %d bytes: %d requests, want %d", x.rules, x.size, got, x.want)
		}
	}
}
