package registries

import (
	"context"
	"sync"
)

// How many images are read about at a time by all together, and by one of them: each may take maxManifest of memory and
// more, and as long as its registry likes.
const (
	readsAtOnce = 32
	readsOfOne  = 8
)

// turns lets some read at a time, and of each caller no more than their share, so that nobody waits for what another asks
// of slow registries. It is safe for concurrent use; the zero value is ready.
type turns struct {
	mu  sync.Mutex
	all chan struct{}     // guarded by mu until it is made
	of  map[string]*share // guarded by mu
}

// share is what one caller has under way; it goes with the last who uses it.
type share struct {
	turn  chan struct{}
	users int // guarded by the mu of turns
}

// take waits for a turn of a caller, and gives what ends it. Its error is that of ctx.
func (t *turns) take(ctx context.Context, who string) (done func(), err error) {
	mine, all := t.join(who)
	select {
	case mine.turn <- struct{}{}:
	case <-ctx.Done():
		t.leave(who, mine)
		return nil, ctx.Err()
	}
	end := func() {
		<-mine.turn
		t.leave(who, mine)
	}
	select {
	case all <- struct{}{}:
	case <-ctx.Done():
		end()
		return nil, ctx.Err()
	}
	return func() { <-all; end() }, nil
}

func (t *turns) join(who string) (*share, chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of, t.all = map[string]*share{}, make(chan struct{}, readsAtOnce)
	}
	mine := t.of[who]
	if mine == nil {
		mine = &share{turn: make(chan struct{}, readsOfOne)}
		t.of[who] = mine
	}
	mine.users++
	return mine, t.all
}

func (t *turns) leave(who string, mine *share) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.of, who)
	}
}
