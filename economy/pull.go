package economy

import "github.com/farshore/farshore/protocol"

// Of an image so many bytes are asked for at a time.
const (
	mostPull  = 256 << 10
	leastPull = 32 << 10
)

// ByAgent reports whether images come through the agent: where the rules say so, and wherever bytes or times are bounded.
func ByAgent(rules *protocol.LinkRules) bool {
	return rules != nil && (rules.Images == protocol.ImagesByAgent || rules.Budget != nil || rules.Contact != nil)
}

// PullSlice is how many bytes of a layer the agent asks a registry for at a time: less where there are few to spend, so
// that the hard cap is met closely.
func PullSlice(rules *protocol.LinkRules) int64 {
	if rules == nil || rules.Budget == nil || rules.Budget.Hard == 0 {
		return mostPull
	}
	return int64(min(max(rules.Budget.Hard/200, leastPull), mostPull))
}
