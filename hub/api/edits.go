package api

import (
	"fmt"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/access"
)

// maxEdits bounds what is remembered of edits.
const maxEdits = 10_000

// edits remembers who last edited what, since the hub started, for those who come second. It is safe for concurrent
// use.
type edits struct {
	mu    sync.Mutex
	known map[access.Resource]edit // guarded by mu; at most maxEdits
}

type edit struct {
	by string
	at time.Time
}

func newEdits() *edits { return &edits{known: map[access.Resource]edit{}} }

func (e *edits) note(on access.Resource, by string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.known) >= maxEdits {
		clear(e.known)
	}
	e.known[thing(on)] = edit{by, time.Now()}
}

// last says who edited the resource, and when, to stand behind a verb; "": it is not known.
func (e *edits) last(on access.Resource) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	last, ok := e.known[thing(on)]
	if !ok {
		return ""
	}
	return fmt.Sprintf(" by %s at %s", last.by, last.at.UTC().Format("15:04:05 UTC on 2 January"))
}

// thing leaves out where a thing is, which an edit can change.
func thing(on access.Resource) access.Resource { return access.Resource{Kind: on.Kind, ID: on.ID} }
