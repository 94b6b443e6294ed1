package update

import (
	"context"
	"sync"

	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// Gate lets actions on the engine through until an update is about to switch: what has begun ends in good order, and
// nothing new begins. The zero Gate is open. It is safe for concurrent use.
type Gate struct {
	mu     sync.Mutex
	inside int
	closed chan struct{} // nil: open; closed when the gate is closed and nobody is inside
}

// Enter waits until the gate is open and returns how to leave; the error is that of ctx.
func (g *Gate) Enter(ctx context.Context) (leave func(), err error) {
	g.mu.Lock()
	shut := g.closed != nil
	if !shut {
		g.inside++
	}
	g.mu.Unlock()
	if shut { // it does not open again: another process goes on
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.inside--
		if g.inside == 0 && g.closed != nil {
			close(g.closed)
		}
	}, nil
}

// TryEnter is Enter where nobody waits: false, the gate is closed.
func (g *Gate) TryEnter() (leave func(), ok bool) {
	closed, cancel := context.WithCancel(context.Background())
	cancel()
	leave, err := g.Enter(closed)
	return leave, err == nil
}

// close closes the gate for good and waits until nobody is inside, or ctx is done.
func (g *Gate) close(ctx context.Context) {
	g.mu.Lock()
	if g.closed == nil {
		g.closed = make(chan struct{})
		if g.inside == 0 {
			close(g.closed)
		}
	}
	empty := g.closed
	g.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
}

// Composer is a composer behind the gate.
func (g *Gate) Composer(c reconciler.Composer) reconciler.Composer { return gated{g, c} }

type gated struct {
	gate *Gate
	next reconciler.Composer
}

// Run implements reconciler.Composer.
func (c gated) Run(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, error) {
	leave, err := c.gate.Enter(ctx)
	if err != nil {
		return ipc.Event{}, err
	}
	defer leave()
	return c.next.Run(ctx, req, progress)
}
