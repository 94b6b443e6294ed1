package depot

import (
	"context"
	"slices"
	"sync"
)

// lanes lets as many requests be under way at once as the link is to carry. Who has a lane stays in it slice by slice until
// somebody waits who comes before him.
type lanes struct {
	most func() int

	mu      sync.Mutex
	used    int
	waiting []*turn // in the order in which they came
}

// rank says what is needed first.
type rank struct {
	stuck bool  // its last request came to nothing, so that it may hold up others for nothing again
	down  bool  // nothing of the stack runs: it waits to start
	left  int64 // what is still to come for the order, as far as that is known
}

func (r rank) before(other rank) bool {
	if r.stuck != other.stuck {
		return other.stuck
	}
	if r.down != other.down {
		return r.down
	}
	return r.left < other.left
}

type turn struct {
	rank
	come chan struct{} // closed when it has
}

// enter waits for a lane.
func (l *lanes) enter(ctx context.Context, by rank) (leave func(), err error) {
	mine := &turn{by, make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, mine)
	l.next()
	l.mu.Unlock()
	select {
	case <-mine.come:
		return l.leave, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	i := slices.Index(l.waiting, mine)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	l.mu.Unlock()
	if i < 0 { // its turn had come
		l.leave()
	}
	return nil, ctx.Err()
}

// stay reports whether who has a lane may go on in it: nobody waits who comes before, and there still are as many lanes.
func (l *lanes) stay(by rank) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used <= max(l.most(), 1) && !slices.ContainsFunc(l.waiting, func(t *turn) bool { return t.before(by) })
}

func (l *lanes) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used--
	l.next()
}

// next calls those for whom there are lanes. Callers hold mu.
func (l *lanes) next() {
	for l.used < max(l.most(), 1) && len(l.waiting) > 0 {
		first := 0
		for i, t := range l.waiting {
			if t.before(l.waiting[first].rank) {
				first = i
			}
		}
		close(l.waiting[first].come)
		l.waiting = slices.Delete(l.waiting, first, first+1)
		l.used++
	}
}
