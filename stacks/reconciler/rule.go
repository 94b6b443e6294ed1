package reconciler

import (
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// ruleAgain is how often a stack that waits is looked at: the device's best time may be corrected at any moment.
const ruleAgain = 15 * time.Minute

// ruling is what a change rule says at a moment.
type ruling struct {
	allowed bool
	early   bool // files and images may be fetched before
	state   protocol.StackState
	code    string
	detail  string
	again   time.Duration // when to look again; 0: another order has to come
}

func (r *Reconciler) rule(e *protocol.Entry) ruling {
	c := e.Change
	if c == nil {
		return ruling{allowed: true, early: true}
	}
	out := ruling{early: !c.FetchLate}
	if c.Hold {
		out.state, out.code = protocol.StackFetched, stacks.CodeApproval
		out.detail = "all is on the device and is applied when the rollout is approved"
		if c.FetchLate {
			out.state, out.detail = protocol.StackWindow, "files and images are fetched and applied when the rollout is approved"
		}
		return out
	}
	now := r.cfg.Now()
	_, next, open := stacks.WindowAt(c.Windows, now)
	if open {
		return ruling{allowed: true, early: true}
	}
	out.state, out.code, out.again = protocol.StackWindow, stacks.CodeWindow, ruleAgain
	if next.IsZero() {
		out.detail = "none of its change windows will ever open, as this agent reads them: correct them in the plan, or update the agent"
		return out
	}
	out.again = min(out.again, next.Sub(now))
	out.detail = "the change window opens " + next.Format("Mon 2 Jan 15:04 ") + next.Location().String()
	return out
}
