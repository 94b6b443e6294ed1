package edge

import (
	"container/list"
	"net/http"
	"sync"
)

// lobby bounds the connections of those who are not agents: browsers, the operator's CLI, and strangers, who have left
// the door as soon as they have sent a request, and could otherwise keep any number of connections open at rest. When
// there are too many, the one that has rested longest makes room, which honest clients do not notice; when all are at
// work, the new one is turned away. It is safe for concurrent use.
type lobby struct {
	max int

	mu    sync.Mutex
	conns map[*visit]*list.Element // nil: at work
	idle  list.List                // of *visit, the one that has rested longest in front
}

func newLobby(most int) *lobby { return &lobby{max: most, conns: map[*visit]*list.Element{}} }

// note takes over the state of a connection.
func (l *lobby) note(v *visit, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.conns[v]
	if at != nil {
		l.idle.Remove(at)
	}
	switch state {
	case http.StateNew:
		l.conns[v] = nil
		if len(l.conns) > l.max {
			l.makeRoom(v)
		}
	case http.StateActive:
		if known {
			l.conns[v] = nil
		}
	case http.StateIdle:
		if known {
			l.conns[v] = l.idle.PushBack(v)
		}
	case http.StateClosed, http.StateHijacked:
		delete(l.conns, v)
	}
}

// makeRoom needs l.mu.
func (l *lobby) makeRoom(newcomer *visit) {
	leaving := newcomer
	if front := l.idle.Front(); front != nil {
		leaving = l.idle.Remove(front).(*visit)
	}
	delete(l.conns, leaving)
	_ = leaving.raw.Close() // nobody is left to tell
}
