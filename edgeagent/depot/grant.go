package depot

import (
	"context"
	"time"
)

const (
	// firstRate is how fast the link is thought to be, in bytes a second, until something has come.
	firstRate = 32 << 10
	// least is how few bytes are worth a request, unless no more are wanted.
	least = 8 << 10
)

// grant waits until n bytes may be spent, and returns how many of them, but at least so many, are to be asked for: in half
// of the time that is left they should be here. Where that is too short, idle ends what is open, and the next opening is
// awaited.
func (d *Depot) grant(ctx context.Context, n, atLeast int64, idle func()) (int64, error) {
	for {
		if err := d.cfg.Await(ctx, cost(n)); err != nil {
			return 0, err
		}
		if d.cfg.Left == nil {
			return n, nil
		}
		left := d.cfg.Left()
		d.mu.Lock()
		fits := left.Seconds() / 2 * d.rate / float64(max(d.cfg.Lanes(), 1))
		d.mu.Unlock()
		if fits >= float64(min(n, atLeast)) {
			return int64(min(float64(n), fits)), nil
		}
		idle()
		next := time.NewTimer(max(left, 0) + time.Second)
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return 0, ctx.Err()
		}
	}
}

// came notes how long bytes took to come.
func (d *Depot) came(n int64, took time.Duration) {
	if n < least {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rate = (d.rate + float64(n)/max(took.Seconds(), 0.001)) / 2
}
