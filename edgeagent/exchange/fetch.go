package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// ErrBlobUnknown: the hub does not have a blob that the desired set names, or will not give it to this device.
var ErrBlobUnknown = errors.New("the hub does not have this file")

// wantsAtOnce is how many blobs are under way at the same time.
const wantsAtOnce = 4

// askFor is how many bytes of a transfer are asked for at once: a few chunks, so that a long round trip does not
// stall the transfer, and a lost link costs little. All that is asked for at once fits one answer of the hub.
const askFor = 2 * protocol.MaxChunk

// chunksAtOnce bounds the pieces of one answer where the link's profile makes them small.
const chunksAtOnce = 24

// askAgain is after which silence a transfer is asked for again, should the hub have left a part of its answer out.
const askAgain = 5 * time.Minute

// fetcher gets blobs through the session. Transfers are kept by the state as they come, so that they go on where they
// stopped, whatever stopped them.
type fetcher struct {
	store *state.Store
	wake  func()

	mu     sync.Mutex // guards what follows
	wants  []*want    // in the order in which they were asked for
	paused time.Time  // nothing is asked for before
	pace   pace
}

// want is a blob that somebody waits for.
type want struct {
	hash    protocol.Hash
	base    protocol.Hash // zero: none, or it was of no use
	asked   bool
	since   time.Time // of the question, or the last piece of its answer
	answer  int64     // bytes still to come of the present answer
	waiting int
	spent   func(uint64) // of who asked first; nil: nobody wants to know
	done    chan struct{}
	err     error // set before done is closed
}

func newFetcher(store *state.Store, wake func()) *fetcher {
	return &fetcher{store: store, wake: wake}
}

// Fetch blocks until all files are in the state, or ctx ends. It implements reconciler.Fetcher.
func (e *Exchange) Fetch(ctx context.Context, files []reconciler.FetchFile) error {
	var mine []*want
	for _, f := range files {
		if !e.blobs.store.HasBlob(f.File.Hash) {
			mine = append(mine, e.blobs.want(f))
		}
	}
	e.Wake()
	defer e.blobs.release(mine)
	for _, w := range mine {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.done:
			if w.err != nil {
				return w.err
			}
		}
	}
	return nil
}

func (f *fetcher) want(file reconciler.FetchFile) *want {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.wants {
		if w.hash == file.File.Hash {
			w.waiting++
			return w
		}
	}
	w := &want{hash: file.File.Hash, base: file.Base, waiting: 1, spent: file.Spent, done: make(chan struct{})}
	f.wants = append(f.wants, w)
	return w
}

// release forgets wants that nobody waits for any more.
func (f *fetcher) release(mine []*want) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range mine {
		if w.waiting--; w.waiting == 0 {
			f.forget(w)
		}
	}
}

func (f *fetcher) forget(w *want) {
	for i := range f.wants {
		if f.wants[i] == w {
			f.wants = append(f.wants[:i:i], f.wants[i+1:]...)
			return
		}
	}
}

// restart makes everything be asked for again: the session in which it was asked for is gone.
func (f *fetcher) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.wants {
		w.asked = false
	}
}

// reconnected says that answers come by another connection. Where the session goes on they still come.
func (f *fetcher) reconnected() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pace.pause()
	for _, w := range f.wants {
		w.since = time.Now()
	}
}

// postpone makes everything be asked for again, but not at once.
func (f *fetcher) postpone(d time.Duration) {
	f.restart()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused = time.Now().Add(d)
}

// nextAsk is when something is to be asked for; ok is false when nothing is.
func (f *fetcher) nextAsk() (at time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, w := range f.wants {
		if i >= wantsAtOnce {
			break
		}
		due := f.paused
		if w.asked {
			due = w.since.Add(askAgain)
		}
		if !ok || due.Before(at) {
			at, ok = due, true
		}
	}
	return at, ok
}

// asking bounds what is asked for.
type asking struct {
	chunk uint32        // bytes of a piece; 0: as the hub likes
	left  time.Duration // until when answers must have come; 0: there is no such time
	may   func(n uint64) bool
}

// next returns what is to be asked for now.
func (f *fetcher) next(a asking) protocol.Want {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out protocol.Want
	now := time.Now()
	if now.Before(f.paused) {
		return out
	}
	most := int64(askFor)
	if a.chunk > 0 {
		most = min(most, chunksAtOnce*int64(a.chunk))
	}
	for most > leastAsk && !a.may(uint64(most)) {
		most = max(most/2, leastAsk)
	}
	for i, w := range f.wants {
		if i >= wantsAtOnce || w.asked && now.Before(w.since.Add(askAgain)) {
			continue
		}
		most := min(most, f.room(a.left))
		if most < leastAsk {
			break
		}
		f.pace.asked(f.outstanding())
		item := protocol.WantItem{Blob: w.hash.Short(), Max: most}
		if w.base != (protocol.Hash{}) && f.store.HasBlob(w.base) {
			item.Base = w.base.Short()
		}
		if part, ok := f.store.Partial(w.hash); ok {
			item.Stream, item.Offset, item.Base = part.Stream, part.Offset, part.Base
		}
		w.asked, w.answer, w.since = true, most, now
		out.Items = append(out.Items, item)
	}
	return out
}

// take stores a piece of a transfer, and the blob when it is complete. Its error ends the connection: the piece was
// not stored and must come again.
func (f *fetcher) take(chunk protocol.BlobChunk) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var w *want
	for _, x := range f.wants {
		if x.hash.Short() == chunk.Blob {
			w = x
		}
	}
	if w == nil {
		return nil // nobody waits for it any more
	}
	if chunk.Unknown {
		f.finish(w, fmt.Errorf("file %s: %w", w.hash, ErrBlobUnknown))
		return nil
	}
	part, _ := f.store.Partial(w.hash)
	if !chunk.Stream.IsZero() && (chunk.Stream != part.Stream || chunk.Offset == 0) {
		part = state.Partial{Stream: chunk.Stream, Base: chunk.Base, Size: chunk.Size}
	}
	if chunk.Offset != part.Offset {
		return nil // a piece of an earlier answer
	}
	if err := f.store.AppendPartial(w.hash, part, chunk.Data); err != nil {
		if errors.Is(err, state.ErrDiskFull) {
			f.finish(w, err) // the reconciler says so, and tries again later
			return nil
		}
		return err
	}
	w.since = time.Now()
	f.pace.got(len(chunk.Data))
	part.Offset += int64(len(chunk.Data))
	w.answer -= int64(len(chunk.Data))
	switch {
	case part.Offset == part.Size:
		f.complete(w, part)
	case w.answer <= 0:
		w.asked = false
	}
	return nil
}

// complete makes the blob of a complete transfer. One that does not give the blob is dropped, and asked for again
// without a base; when that fails too, the waiters are told.
func (f *fetcher) complete(w *want, part state.Partial) {
	err := f.unpack(w, part)
	if err == nil || errors.Is(err, state.ErrDiskFull) {
		f.finish(w, err)
		return
	}
	if dropErr := f.store.DropPartial(w.hash); dropErr != nil {
		f.finish(w, errors.Join(err, dropErr))
		return
	}
	if part.Base.IsZero() {
		f.finish(w, err)
		return
	}
	w.base, w.asked = protocol.Hash{}, false
}

func (f *fetcher) unpack(w *want, part state.Partial) error {
	data, err := f.store.PartialData(w.hash)
	if err != nil {
		return err
	}
	var base []byte
	if !part.Base.IsZero() {
		if w.base.Short() != part.Base {
			return fmt.Errorf("file %s: was patched against a version this device did not name", w.hash)
		}
		if base, err = f.store.Blob(w.base); err != nil {
			return err
		}
	}
	blob, err := transfer.Unpack(data, base, protocol.MaxBlob)
	if err != nil {
		return fmt.Errorf("file %s: %w", w.hash, err)
	}
	return f.store.PutBlob(w.hash, blob)
}

func (f *fetcher) finish(w *want, err error) {
	w.err = err
	close(w.done)
	f.forget(w)
}
