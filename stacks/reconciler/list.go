package reconciler

import (
	"cmp"
	"slices"

	"github.com/farshore/farshore/protocol"
)

// Local is how one stack stands, for somebody at the device.
type Local struct {
	ID   uint64 `json:"id"`
	Name string `json:"name"`
	// Wanted is the version that the hub wants; 0: none. Running is the one that runs; 0: none, or not known.
	Wanted  uint64              `json:"wanted,omitempty"`
	Running uint64              `json:"running,omitempty"`
	State   protocol.StackState `json:"state,omitempty"`
	Code    string              `json:"code,omitempty"`
	Detail  string              `json:"detail,omitempty"`
	// Since is when the state was entered, Unix seconds; 0: not known.
	Since int64 `json:"since,omitempty"`
	// Kept are the good versions that it can be rolled back to, with the one that runs.
	Kept   []uint64      `json:"kept,omitempty"`
	Hold   protocol.Hold `json:"hold,omitempty"`
	HeldBy string        `json:"held_by,omitempty"`
	Reason string        `json:"reason,omitempty"`
	// HeldAt is when, Unix seconds.
	HeldAt int64 `json:"held_at,omitempty"`
}

// List tells how all stacks of a device stand, sorted by name.
func List(s State) []Local {
	byID := map[uint64]*Local{}
	get := func(e *protocol.Entry) *Local {
		l := byID[e.ID]
		if l == nil {
			l = &Local{ID: e.ID, Name: e.Name}
			byID[e.ID] = l
		}
		return l
	}
	for _, e := range s.Desired() {
		if e.Kind == protocol.EntryStack {
			get(&e).Wanted = e.Version
		}
	}
	for _, a := range s.Applied() {
		l := get(&a.Entry)
		l.Kept = a.kept()
		switch {
		case a.intact():
			l.Running = a.Entry.Version
		case a.Phase == PhaseVerifying:
			l.Running = a.Next.Version
		}
		if h := a.Held; h != nil {
			l.Hold, l.HeldBy, l.Reason, l.HeldAt = h.Hold, h.By, h.Reason, h.At
		}
	}
	for _, st := range s.Statuses() {
		if l := byID[st.Stack]; l != nil {
			l.State, l.Code, l.Detail, l.Since = st.State, st.Code, st.Detail, st.At
		}
	}
	out := make([]Local, 0, len(byID))
	for _, l := range byID {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b Local) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}
