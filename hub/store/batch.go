package store

import (
	"sync"

	"go.etcd.io/bbolt"
)

// batchMost is the most writes that share a transaction.
const batchMost = 1000

// batcher lets concurrent writes share transactions: those that come while one is being made durable go together into
// the next. A lone write waits for nobody, unlike with bbolt's own Batch, which waits for company on a timer. It has no
// goroutine: one of the writers commits for all.
type batcher struct {
	mu    sync.Mutex // guards what follows
	queue []*write
	busy  bool // one of the writers commits, or was told to
}

// write is one caller's part of a transaction.
type write struct {
	fn   func(*bbolt.Tx) error
	lead chan struct{} // closed when it is this writer's turn to commit
	done chan error    // buffered
}

// transaction runs a function in a transaction and makes durable what it did.
type transaction func(func(*bbolt.Tx) error) error

// do runs fn in a transaction, alone or with others, and returns when it is durable. When another's part fails, fn is
// run again in a further transaction.
func (b *batcher) do(update transaction, fn func(*bbolt.Tx) error) error {
	w := &write{fn: fn, lead: make(chan struct{}), done: make(chan error, 1)}
	b.mu.Lock()
	b.queue = append(b.queue, w)
	if !b.busy {
		b.busy = true
		close(w.lead)
	}
	b.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-w.lead:
	}
	defer b.handOver()
	commit(update, b.take())
	return <-w.done // it was the first of the queue
}

// take takes the writes of the next transaction.
func (b *batcher) take() []*write {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.queue), batchMost)
	writes := b.queue[:n:n]
	b.queue = b.queue[n:]
	return writes
}

// handOver tells the next in the queue to commit.
func (b *batcher) handOver() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		b.busy, b.queue = false, nil
		return
	}
	close(b.queue[0].lead)
}

// commit makes writes durable. One that fails is taken out and tells its caller; the others are tried without it.
func commit(update transaction, writes []*write) {
	for len(writes) > 0 {
		failed := -1
		err := update(func(tx *bbolt.Tx) error {
			for i, w := range writes {
				if err := w.fn(tx); err != nil {
					failed = i
					return err
				}
			}
			return nil
		})
		if failed < 0 {
			for _, w := range writes {
				w.done <- err
			}
			return
		}
		writes[failed].done <- err
		writes = append(writes[:failed:failed], writes[failed+1:]...)
	}
}
