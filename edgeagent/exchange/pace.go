package exchange

import "time"

const (
	// leastAsk is the least of a transfer that is worth asking for, and firstAsk what is asked for in an opening while it
	// is not known how fast the link is.
	leastAsk = 1 << 10
	firstAsk = 4 << 10
)

// pace is how fast what is asked for comes.
type pace struct {
	since time.Time // of the question
	bytes int       // that came for it
	rate  float64   // bytes a second, waiting for the answer to begin included; 0: not known
}

// asked notes a question; fresh: there is none that waits for its answer.
func (p *pace) asked(fresh bool) {
	if fresh {
		p.since, p.bytes = time.Now(), 0
	}
}

// got notes a part of the answer.
func (p *pace) got(n int) {
	if p.since.IsZero() {
		return
	}
	p.bytes += n
	rate := float64(p.bytes) / max(time.Since(p.since), time.Millisecond).Seconds()
	if p.rate == 0 {
		p.rate = rate
	}
	p.rate = (3*p.rate + rate) / 4
}

// within is how much comes in a time, with something to spare.
func (p *pace) within(d time.Duration) int64 {
	if p.rate == 0 {
		return firstAsk
	}
	return int64(min(p.rate*d.Seconds()*3/4, 1<<40))
}

// room is how much more may be asked for so that it comes within a time. It needs f.mu. Zero: there is no such time.
func (f *fetcher) room(left time.Duration) int64 {
	if left == 0 {
		return askFor
	}
	return f.pace.within(left) - f.outstanding()
}

// outstanding is how much of answers has not come yet. It needs f.mu.
func (f *fetcher) outstanding() (n int64) {
	for _, w := range f.wants {
		if w.asked {
			n += max(w.answer, 0)
		}
	}
	return n
}

// roomFor is room for those who do not hold the lock.
func (f *fetcher) roomFor(left time.Duration) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.room(left)
}
