package edge

import (
	"container/list"
	"net/http"
	"sync"
)

// lobby bounds the connections of those who are not agents: browsers, the operator's CLI, and strangers, who have left
// the door as soon as they have sent a request, and could otherwise keep any number of connections open. When there are
// too many, the one that has rested longest makes room, which honest clients do not notice. When all are at work, the
// one that has been longest does: that is a stream of events, which its client opens again, or one that does not read its
// answer. It is safe for concurrent use.
type lobby struct {
	max int

	mu         sync.Mutex
	conns      map[*visit]place
	idle, busy list.List // of *visit, the longest so in front
}

// place of a connection.
type place struct {
	in *list.List
	at *list.Element
}

func newLobby(most int) *lobby { return &lobby{max: most, conns: map[*visit]place{}} }

// note takes over the state of a connection.
func (l *lobby) note(v *visit, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.forget(v)
	switch state {
	case http.StateNew:
		if len(l.conns) >= l.max {
			l.makeRoom()
		}
		l.put(v, &l.busy)
	case http.StateActive:
		if known {
			l.put(v, &l.busy)
		}
	case http.StateIdle:
		if known {
			l.put(v, &l.idle)
		}
	case http.StateClosed, http.StateHijacked:
	}
}

// put needs l.mu.
func (l *lobby) put(v *visit, in *list.List) { l.conns[v] = place{in, in.PushBack(v)} }

// forget needs l.mu.
func (l *lobby) forget(v *visit) (known bool) {
	p, known := l.conns[v]
	if known {
		p.in.Remove(p.at)
		delete(l.conns, v)
	}
	return known
}

// makeRoom needs l.mu.
func (l *lobby) makeRoom() {
	front := l.idle.Front()
	if front == nil {
		front = l.busy.Front()
	}
	leaving := front.Value.(*visit)
	l.forget(leaving)
	_ = leaving.raw.Close() // nobody is left to tell
}
