package capture

import (
	"context"
	"sync"
	"time"
)

// schedule is the state of a Run. It belongs to Run's goroutine.
type schedule struct {
	c *Capturer
	// due is when the next capture begins if no event asks for an earlier one.
	due time.Time
	// asked is since when events wait, and wanted when they are acted on. Zero: none do.
	asked, wanted time.Time
	// last is when the last capture ended.
	last time.Time
	// retry is how long to wait for an engine that cannot be read.
	retry time.Duration

	// watchEnd gives the end of the event stream. Nil: there is no stream.
	watchEnd   chan struct{}
	watchBegan time.Time
	// watchFrom is when a stream may be tried again; watchWait grows with each one that ends at once.
	watchFrom time.Time
	watchWait time.Duration
	watches   sync.WaitGroup
}

// Run captures until ctx is done, and then returns nil.
func (c *Capturer) Run(ctx context.Context) error {
	s := &schedule{c: c, retry: backoffFirst, watchWait: backoffFirst}
	defer s.watches.Wait()
	s.due = time.Now().Add(settle) // the stream asks for a capture when it is established: one for both
	s.watch(ctx)
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(s.next()))
		select {
		case <-ctx.Done():
			return nil
		case <-c.pokes:
			s.poked()
		case <-s.watchEnd:
			s.watchEnded()
		case done := <-c.requests:
			done <- s.capture(ctx)
		case <-timer.C:
			_ = s.capture(ctx) // the snapshot says why it failed
		}
	}
}

// poked sets when events are acted on: when they pause, but not for ever, and not one capture after the other.
func (s *schedule) poked() {
	now := time.Now()
	if s.asked.IsZero() {
		s.asked = now
	}
	at := now.Add(settle)
	if latest := s.asked.Add(settleMost); at.After(latest) {
		at = latest
	}
	if earliest := s.last.Add(spacing); at.Before(earliest) {
		at = earliest
	}
	s.wanted = at
}

func (s *schedule) next() time.Time {
	if !s.wanted.IsZero() && s.wanted.Before(s.due) {
		return s.wanted
	}
	return s.due
}

func (s *schedule) capture(ctx context.Context) error {
	s.asked, s.wanted = time.Time{}, time.Time{}
	err := s.c.capture(ctx)
	s.last = time.Now()
	if err != nil {
		s.due = s.last.Add(s.retry)
		s.retry = min(2*s.retry, backoffMost)
		return err
	}
	s.retry = backoffFirst
	s.due = s.last.Add(s.c.interval())
	if s.watchEnd != nil {
		return nil
	}
	if s.last.Before(s.watchFrom) { // without a stream nobody says what changes, so look again soon
		if s.due.After(s.watchFrom) {
			s.due = s.watchFrom
		}
		return nil
	}
	s.watch(ctx)
	return nil
}

// watch starts reading the event stream.
func (s *schedule) watch(ctx context.Context) {
	end := make(chan struct{})
	s.watchEnd, s.watchBegan = end, time.Now()
	s.watches.Go(func() {
		defer close(end)
		if err := s.c.cfg.Engine.Watch(ctx, s.c.poke); err != nil && ctx.Err() == nil {
			s.c.cfg.Log.Debug("the engine's event stream ended", "err", err)
		}
	})
}

// watchEnded looks at the engine at once: it may be gone.
func (s *schedule) watchEnded() {
	now := time.Now()
	s.watchEnd = nil
	if now.Sub(s.watchBegan) > backoffMost {
		s.watchWait = backoffFirst
	}
	s.watchFrom = now.Add(s.watchWait)
	s.watchWait = min(2*s.watchWait, backoffMost)
	s.due = now
}
