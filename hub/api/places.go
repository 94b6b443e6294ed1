package api

import (
	"fmt"
	"sync"
)

// places bound the streams of events that are open, of all and of each account, so that nobody takes them all. They are
// safe for concurrent use.
type places struct {
	mu    sync.Mutex
	taken int            // guarded by mu, as is by
	by    map[string]int // accounts that have some
}

func newPlaces() *places { return &places{by: map[string]int{}} }

// take takes a place for an account until leave is called. The error wraps errBusy.
func (p *places) take(account string) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.by[account] >= maxStreamsEach:
		return nil, fmt.Errorf("%w: account %s has %d streams of events open: close some", errBusy, account, maxStreamsEach)
	case p.taken >= maxStreams:
		return nil, fmt.Errorf("%w: %d streams of events are open: try again later", errBusy, maxStreams)
	}
	p.taken++
	p.by[account]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.by[account]--; p.by[account] == 0 {
			delete(p.by, account)
		}
	}, nil
}
