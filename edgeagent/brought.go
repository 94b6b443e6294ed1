package edgeagent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/protocol"
)

// ImageReport is an image that a stack needs, for a person at the device.
type ImageReport struct {
	depot.Listed
	// Name is the stack's, or the job's.
	Name string `json:"name,omitempty"`
	// Job: it is for a job, and Stack is the job's number.
	Job bool `json:"job,omitempty"`
	// For is what an image waits for: budget or window. "": it does not wait.
	For string `json:"for,omitempty"`
	// Until is when that comes, as far as it is known.
	Until time.Time `json:"until,omitzero"`
}

// brought tells the hub of an image that has come.
func (a *Agent) brought(l depot.Listed) {
	came, had := 0, 0
	for _, one := range l.Layers {
		if one.Fetched > 0 {
			came++
		}
		if one.Had {
			had++
		}
	}
	text := fmt.Sprintf("Image %s has come: %d bytes in %d parts of %d, %d of them on the device before; %d bytes on the link in %d requests, %d bytes fetched more than once.",
		l.Image, l.Fetched, came, len(l.Layers), had, l.Spent, l.Requests, l.Again)
	if err := a.state.PutEvent("image-brought", text); err != nil {
		a.log.Error("an event could not be kept: "+text, "error", err)
	}
}

// imageReports tells of the images of all stacks.
func (a *Agent) imageReports() []ImageReport {
	out := []ImageReport{}
	if a.depot == nil {
		return out
	}
	names := map[uint64]string{}
	for _, e := range a.state.Desired() {
		id := e.ID
		if e.Kind == protocol.EntryJob {
			id |= ofJob
		}
		names[id] = e.Name
	}
	spent := a.spending.Report()
	for _, l := range a.depot.List() {
		r := ImageReport{Listed: l, Name: names[l.Stack], Job: l.Stack&ofJob != 0}
		r.Stack &^= ofJob
		if l.State == depot.StateWaiting {
			r.For, r.Until = waitsFor(spent)
			if r.For == "" { // its turn comes in a moment
				r.State = depot.StateFetching
			}
		}
		out = append(out, r)
	}
	return out
}

// waitsFor says what images wait for.
func waitsFor(r spending.Report) (what string, until time.Time) {
	switch {
	case !r.Open && r.Opening != nil:
		return "window", r.Opening.Start
	case !r.Open:
		return "window", time.Time{}
	case r.Stage >= protocol.SpendingLast, r.Hard != 0 && r.Spent+r.Reserve+depot.DefaultSlice > r.Hard:
		return "budget", r.CycleEnd
	}
	return "", time.Time{}
}

// localImages answers which images came through the agent, and how those stand that are on their way.
func (a *Agent) localImages(w http.ResponseWriter, _ *http.Request) {
	if !a.assembled.Load() {
		http.Error(w, ErrNoEdgeKey.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(a.imageReports()); err != nil {
		a.log.Debug("answer was not read to the end", "error", err)
	}
}

// AskImages asks the agent that runs with the data folder which images came through it. The error wraps ErrNotRunning
// where no agent answers.
func AskImages(ctx context.Context, data string) (list []ImageReport, err error) {
	body, err := askLocal(ctx, data, http.MethodGet, "/images")
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	return list, refusal(err)
}
