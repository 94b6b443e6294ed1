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
	since time.Time // of the first of the questions that are measured; zero: nothing is
	last  time.Time // of the last question, or part of an answer
	bytes int       // that came for them
	rate  float64   // bytes a second, waiting for the answer to begin included; 0: not known
}

// lull is after which silence what follows is measured anew.
const lull = 30 * time.Second

// asked notes a question; waiting is how much of earlier answers is still to come.
func (p *pace) asked(waiting int64) {
	now := time.Now()
	if waiting == 0 || p.since.IsZero() || now.Sub(p.last) > lull {
		p.since, p.bytes = now, 0
	}
	p.last = now
}

// pause ends what is measured: the connection is another.
func (p *pace) pause() { p.since = time.Time{} }

// got notes a part of the answer.
func (p *pace) got(n int) {
	if p.since.IsZero() {
		return
	}
	p.bytes, p.last = p.bytes+n, time.Now()
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
		if w.asked && time.Since(w.since) < askAgain {
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
