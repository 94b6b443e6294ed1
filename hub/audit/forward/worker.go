package forward

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// purpose of sealed secrets.
const purpose = "audit destination"

const (
	// batchBytes is about how much is read and sent at once.
	batchBytes = 256 << 10
	// maxPause is the longest pause after failures.
	maxPause = 5 * time.Minute
	// lookEvery is how often a sender is asked what has surely arrived meanwhile.
	lookEvery = time.Second
	// sayAfter is how long a destination may fail before that is an event.
	sayAfter = time.Minute
)

// sender is an open way to a receiver. It belongs to one goroutine.
type sender interface {
	// send takes entries; what has surely arrived is told by arrived.
	send(ctx context.Context, lines []line) error
	test(ctx context.Context) error
	// arrived gives the last entry that has surely arrived; 0: none over this way.
	arrived(now time.Time) uint64
	// gone is closed when the receiver has left. Nil: that shows when something is sent.
	gone() <-chan struct{}
	// close ends the way. Where all was sent it waits a moment for the receiver to end it too, and gives whether it did:
	// then all has arrived.
	close(all bool) bool
}

// line is an entry as the trail has it.
type line struct {
	seq  uint64
	text []byte
}

// worker brings the trail to one destination.
type worker struct {
	d    *Desk
	to   Destination        // immutable
	stop context.CancelFunc // guarded by Desk.mu; nil: it does not run
	done chan struct{}      // closed when run has ended

	mu sync.Mutex
	s  State  // guarded by mu
	ok uint64 // the progress that is stored; only run touches it
	// said: the failing is an event already. Only run touches it.
	said bool
}

func newWorker(d *Desk, to Destination, p Progress) *worker {
	return &worker{
		d: d, to: to, done: make(chan struct{}), ok: p.Seq,
		s: State{Destination: to, Progress: p, Sent: p.Seq},
	}
}

func (w *worker) state() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.s
	if last, _ := w.d.Trail.News(); last > s.Sent {
		s.Backlog = last - s.Sent
	}
	return s
}

func (w *worker) change(fn func(*State)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn(&w.s)
}

// run sends until ctx is done, with growing pauses after failures.
func (w *worker) run(ctx context.Context) {
	pause := w.d.Retry
	for ctx.Err() == nil {
		before := w.state().Progress.Seq
		err := w.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if w.state().Progress.Seq > before {
			pause = w.d.Retry
		}
		w.failed(err)
		jittered := pause/2 + time.Duration(rand.Int64N(int64(pause)))
		pause = min(2*pause, maxPause)
		select {
		case <-ctx.Done():
		case <-time.After(jittered):
		}
	}
	w.keep()
}

// session sends over one way until it breaks, or ctx is done.
func (w *worker) session(ctx context.Context) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	sent := w.state().Progress.Seq // what may not have arrived is repeated
	w.change(func(st *State) { st.Sent = sent })
	err = w.feed(ctx, s, &sent)
	if s.close(ctx.Err() != nil && err == nil) {
		w.arrived(sent)
	}
	return err
}

func (w *worker) feed(ctx context.Context, s sender, sent *uint64) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		last, news := w.d.Trail.News()
		if last <= *sent {
			select {
			case <-ctx.Done():
				return nil
			case <-s.gone():
				return errors.New("the receiver has closed the connection")
			case <-news:
			case <-look.C:
				w.arrived(s.arrived(time.Now()))
				if s.gone() != nil { // a connection that stays
					w.works()
				}
			}
			continue
		}
		texts, oldest, err := w.d.Trail.Batch(*sent, batchBytes)
		if err != nil {
			return fmt.Errorf("read the audit trail: %w", err)
		}
		if oldest > *sent+1 {
			w.lost(*sent+1, oldest-1)
			*sent = oldest - 1
		}
		lines, err := w.lines(texts)
		if err != nil {
			return err
		}
		if len(lines) == 0 { // numbers that nobody has: the trail is damaged
			*sent = last
			continue
		}
		if err := s.send(ctx, lines); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		*sent = lines[len(lines)-1].seq
		w.change(func(st *State) { st.Sent, st.SentAt = *sent, time.Now() })
		w.works()
		w.arrived(s.arrived(time.Now()))
	}
}

// arrived notes what has surely arrived, and keeps it.
func (w *worker) arrived(seq uint64) {
	w.change(func(s *State) { s.Progress.Seq = max(s.Progress.Seq, seq) })
	w.keep()
}

// keep stores the progress, if it has changed. One that is not stored is repeated after a restart.
func (w *worker) keep() {
	p := w.state().Progress
	if p.Seq == w.ok {
		return
	}
	if err := w.d.Store.PutProgress(w.to.Name, p); err != nil {
		w.d.Log.Error("the place of a destination of the audit trail could not be stored", "destination", w.to.Name, "error", err)
		return
	}
	w.ok = p.Seq
}

func (w *worker) works() {
	w.change(func(s *State) { s.Problem, s.FailingSince = "", time.Time{} })
	if w.said {
		w.said = false
		w.d.Notice(KindWorks, fmt.Sprintf("the audit trail reaches %s again", w.to.Name))
	}
}

func (w *worker) failed(err error) {
	if err == nil {
		err = errors.New("the connection has ended")
	}
	var since time.Time
	w.change(func(s *State) {
		s.Problem = err.Error()
		if s.FailingSince.IsZero() {
			s.FailingSince = time.Now()
		}
		since = s.FailingSince
	})
	w.d.Log.Warn("the audit trail is not forwarded", "destination", w.to.Name, "error", err)
	if !w.said && time.Since(since) >= sayAfter {
		w.said = true
		w.d.Notice(KindFailing, fmt.Sprintf("the audit trail does not reach %s; it is kept, and will be sent: %v", w.to.Name, err))
	}
}

// lost says loudly that entries were removed as there were too many, before they could be sent.
func (w *worker) lost(from, to uint64) {
	w.change(func(s *State) {
		s.Progress.Lost += to - from + 1
		s.Progress.Seq, s.Sent = to, to
	})
	text := fmt.Sprintf("entries %d to %d of the audit trail were removed before they could be sent to %s: keep more of the trail", from, to, w.to.Name)
	w.d.Log.Error("entries of the audit trail are lost for a destination", "destination", w.to.Name, "from", from, "to", to)
	w.d.Notice(KindLost, text)
	w.keep()
}
