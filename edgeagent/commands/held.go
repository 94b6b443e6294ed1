package commands

import (
	"context"
	"time"

	"github.com/farshore/farshore/protocol"
)

// held is until when commands of a lane wait that are not urgent.
type held struct {
	changed <-chan struct{} // nil: nothing holds commands
	expires time.Duration   // until the first of them does; 0: none waits
}

func (h *held) add(expires time.Duration) {
	if h.expires == 0 || expires < h.expires {
		h.expires = expires
	}
}

// wait returns when the lane should be looked at again, or ctx ends.
func (h *held) wait(ctx context.Context, l lane) {
	var expired <-chan time.Time
	if h.expires > 0 {
		t := time.NewTimer(h.expires)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-ctx.Done():
	case <-l.wake:
	case <-h.changed:
	case <-expired:
	}
}

// delay tells the hub, once, that a command waits for the budget.
func (r *Runner) delay(l lane, c protocol.Command) {
	if l.told[c.ID] {
		return
	}
	log := r.cfg.Log.With("command", c.ID.String(), "kind", c.Kind.String())
	if err := r.cfg.Journal.DelayCommand(c.ID, protocol.WaitsForBudget); err != nil {
		log.Warn("the hub cannot be told that a command waits", "error", err)
		return
	}
	l.told[c.ID] = true
	log.Info("command waits: the hard cap is near, and it is not urgent")
}
