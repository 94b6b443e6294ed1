package gate

import (
	"sync"
	"time"
)

// maxBuckets is how many accounts are remembered. There are not so many that send requests at once.
const maxBuckets = 10_000

// limit of one account: requests a second, and how many may be saved up.
type limit struct{ rate, burst float64 }

// buckets hold what each account may still send.
type buckets struct {
	mu   *sync.Mutex
	left map[string]bucket // guarded by mu; one that is full again is as good as forgotten
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newBuckets() buckets { return buckets{mu: new(sync.Mutex), left: map[string]bucket{}} }

// take counts one request at now, or says how long to wait for the next.
func (b buckets) take(account string, l limit, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, ok := b.left[account]
	if !ok {
		if len(b.left) >= maxBuckets {
			b.forget(l, now)
		}
		x = bucket{l.burst, now}
	}
	x.tokens = min(x.tokens+max(now.Sub(x.at).Seconds(), 0)*l.rate, l.burst)
	x.at = now
	if x.tokens < 1 {
		b.left[account] = x
		return time.Duration((1 - x.tokens) / l.rate * float64(time.Second))
	}
	x.tokens--
	b.left[account] = x
	return 0
}

// forget drops the accounts that have rested long enough; all, where none has: that gives each at most its burst anew.
func (b buckets) forget(l limit, now time.Time) {
	for name, x := range b.left {
		if x.tokens+now.Sub(x.at).Seconds()*l.rate >= l.burst {
			delete(b.left, name)
		}
	}
	if len(b.left) >= maxBuckets {
		clear(b.left)
	}
}
