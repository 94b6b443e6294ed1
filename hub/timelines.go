package hub

import (
	"fmt"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/stacks/planner"
)

// What operators change is noted by the API, which knows who they are.

// noteChange puts what the fleet itself finds, and approvals, into the device's timeline.
func (h *Hub) noteChange(c fleet.Change) {
	switch c.Kind {
	case fleet.ChangeLiveness:
		if c.Routine() {
			return
		}
		state, was := string(c.Liveness.State), string(c.Was)
		at := c.Liveness.Since
		if now := time.Now(); now.Sub(at) < 2*fleet.WatchEvery { // it is known to the second only, and would come before what led to it
			at = now
		}
		h.timeline.Note(c.Device, timeline.Entry{
			Kind: timeline.KindLiveness, At: at.UnixMilli(), Text: fmt.Sprintf("%s, was %s", words(state), words(was)),
			State: state, Was: was,
		})
	case fleet.ChangeAdded:
		d, ok := h.fleet.Device(c.Device)
		if !ok {
			return
		}
		text := "let in, its identity unconfirmed"
		if d.Confirmed {
			text = "let in, its identity confirmed"
		}
		h.timeline.Note(c.Device, timeline.Entry{Kind: timeline.KindApproval, Text: text, By: d.ApprovedBy})
	}
}

func words(state string) string { return strings.ReplaceAll(state, "-", " ") }

// noteStack puts what became of a stack on a device into its timeline.
func (h *Hub) noteStack(n planner.Notice) {
	state := strings.TrimPrefix(n.Kind, "stack.")
	text := fmt.Sprintf("stack %s, version %d: %s", n.Stack, n.Version, state)
	if n.Version == 0 {
		text = fmt.Sprintf("stack %s: %s", n.Stack, state)
	}
	if n.Text != "" {
		text += ": " + n.Text
	}
	h.timeline.Note(n.Device, timeline.Entry{Kind: timeline.KindStack, Text: text, By: n.By, State: state, Stack: n.Stack, Version: n.Version})
}

// noteCommand puts the beginning and the end of a command into the timeline of its device.
func (h *Hub) noteCommand(n commands.Notice) {
	r := n.Record
	e := timeline.Entry{
		Kind: timeline.KindCommand, State: r.State.String(), Command: r.ID,
		Text: strings.TrimSpace(r.Kind.String()+" "+r.Target) + ": " + r.State.String(),
	}
	if n.Kind == commands.KindGiven {
		e.By = r.By
		if r.Urgent {
			e.Text += ", urgent"
		}
	} else {
		e.By = r.RepealedBy
	}
	if r.Result.Text != "" {
		e.Text += ": " + r.Result.Text
	}
	h.timeline.Note(r.Device, e)
}
