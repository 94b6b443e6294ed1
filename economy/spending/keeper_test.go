package spending

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
)

// disk is a store in memory that can be full.
type disk struct {
	mu     sync.Mutex
	record Record
	writes int
	events []string
	full   error
}

func (d *disk) Spending() Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.record
}

func (d *disk) PutSpending(r Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full != nil {
		return d.full
	}
	d.record, d.writes = r, d.writes+1
	return nil
}

func (d *disk) PutEvent(kind, _ string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, kind)
	return nil
}

func (d *disk) said(kind string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.events, kind)
}

// watch is a clock that can be set and may be vouched for.
type watch struct {
	mu      sync.Mutex
	ahead   time.Duration
	doubted bool
}

func (w *watch) now() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead), !w.doubted
}

func (w *watch) set(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead = time.Until(t)
}

func (w *watch) doubt(d bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doubted = d
}

// box is a device in the test.
type box struct {
	t     *testing.T
	disk  *disk
	watch *watch
	*Keeper
	stop func()
}

func newBox(t *testing.T, r *protocol.LinkRules) *box {
	b := &box{t: t, disk: &disk{}, watch: &watch{}}
	b.watch.set(time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC))
	b.boot(r)
	return b
}

// boot starts a Keeper on what the disk has, as after a power cut.
func (b *box) boot(r *protocol.LinkRules) {
	b.Keeper = New(Config{Store: b.disk, Clock: b.watch.now, Connect: func() uint64 { return 2000 }, Log: slog.New(slog.DiscardHandler)})
	b.Rules(r)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func(k *Keeper) { done <- k.Run(ctx) }(b.Keeper)
	stopped := false
	b.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
		}
	}
}

// connect connects the Keeper to a hub that answers nothing, and returns both ends.
func (b *box) connect() (near, far net.Conn, err error) {
	here, there := net.Pipe()
	c, err := b.Attempts(func(context.Context, string, string) (net.Conn, error) { return here, nil })(b.t.Context(), "tcp", "127.0.0.1:1")
	if err != nil {
		return nil, nil, errors.Join(err, here.Close())
	}
	go func() { _, _ = io.Copy(io.Discard, there) }()
	return b.Wrap(c), there, nil
}

func (b *box) hub() (near, far net.Conn) {
	b.t.Helper()
	near, far, err := b.connect()
	if err != nil {
		b.t.Fatal(err)
	}
	return near, far
}

// send spends n bytes upwards on a new connection to the hub.
func (b *box) send(n int) error {
	near, far, err := b.connect()
	if err != nil {
		return err
	}
	defer far.Close()
	defer near.Close()
	for n > 0 {
		m := min(n, 1000)
		if _, err := near.Write(make([]byte, m)); err != nil {
			return err
		}
		n -= m
	}
	return nil
}

// fetch takes n bytes of images, as far as it may.
func (b *box) fetch(n int) (got int, err error) {
	here, there := net.Pipe()
	defer there.Close()
	c, err := b.Dial(protocol.ClassPull, func(context.Context, string, string) (net.Conn, error) { return here, nil })(b.t.Context(), "tcp", "127.0.0.1:1")
	if err != nil {
		return 0, err
	}
	defer c.Close()
	go func() {
		for {
			if _, err := there.Write(make([]byte, 1448)); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 16<<10)
	for got < n && err == nil {
		var m int
		m, err = c.Read(buf)
		got += m
	}
	return got, err
}

func capped(hard uint64) *protocol.LinkRules {
	return &protocol.LinkRules{Budget: &protocol.Budget{Hard: hard}}
}

func TestHardCapIsNeverPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, &protocol.LinkRules{Budget: &protocol.Budget{Soft: 3_000_000, Hard: 5_000_000}})
		defer b.stop()
		if err := b.send(2_000_000); err != nil {
			t.Fatal(err)
		}
		if b.Stage() != protocol.SpendingFree || !b.May(protocol.ClassOutput, 1000, false) {
			t.Errorf("below the soft cap: %v", b.Stage())
		}
		if err := b.send(1_000_000); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if b.Stage() != protocol.SpendingSaving || b.May(protocol.ClassOutput, 1, false) || !b.disk.said("spending-saving") {
			t.Errorf("above the soft cap: %v, %v", b.Stage(), b.disk.events)
		}
		if _, err := b.fetch(10_000_000); !errors.Is(err, ErrNotNow) {
			t.Errorf("images end with %v", err)
		}
		if spent := b.Report().Spent; spent > 4_750_000 || spent < 4_700_000 {
			t.Errorf("images have left %d spent", spent)
		}
		if err := b.send(2000); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if b.Stage() != protocol.SpendingLast {
			t.Errorf("near the cap: %v", b.Stage())
		}
		if b.May(protocol.ClassBlob, 100, false) || !b.May(protocol.ClassBlob, 100, true) || !b.May(protocol.ClassResults, 100, false) {
			t.Error("near the cap it is for results and urgent work")
		}
		if err := b.send(10_000_000); !errors.Is(err, ErrNotNow) {
			t.Errorf("the hub's connection ends with %v", err)
		}
		synctest.Wait()
		spent := b.Report().Spent
		if b.Stage() != protocol.SpendingSilent || spent > 5_000_000 || spent < 4_900_000 {
			t.Errorf("at the cap: %v, %d spent", b.Stage(), spent)
		}
		if b.send(1) == nil || b.May(protocol.ClassResults, 1, true) || b.May(protocol.ClassSession, 1, true) {
			t.Error("silent, and yet something may be sent")
		}
		b.watch.set(time.Date(2026, 12, 1, 0, 0, 1, 0, time.UTC))
		if b.Stage() != protocol.SpendingFree || b.send(1000) != nil {
			t.Errorf("in the next cycle: %v", b.Stage())
		}
		synctest.Wait()
		if !b.disk.said("spending-free") || b.Report().Spent > 3000 {
			t.Errorf("in the next cycle: %v, %d spent", b.disk.events, b.Report().Spent)
		}
	})
}

// The sum of the classes is the total, whatever was claimed when.
func TestClassesAddUpThroughDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, nil)
		defer b.stop()
		near, far := b.hub()
		defer far.Close()
		for day := range 5 {
			b.watch.set(time.Date(2026, 11, 10+day, 23, 59, 59, 0, time.UTC))
			if _, err := near.Write(make([]byte, 700)); err != nil {
				t.Fatal(err)
			}
			b.watch.set(time.Date(2026, 11, 11+day, 0, 0, 1, 0, time.UTC))
			b.Sent(protocol.ClassResults) // what gathered before midnight is claimed after it
			if _, err := near.Write(make([]byte, 300)); err != nil {
				t.Fatal(err)
			}
			b.Sent(protocol.ClassSnapshot)
		}
		r := b.Report()
		total := uint64(0)
		for _, c := range r.Cycle {
			total += c.Up + c.Down
			if c.Up > 10_000 || c.Down > 10_000 {
				t.Errorf("a count has wrapped: %+v", c)
			}
		}
		counted := b.counted()
		if total != r.Spent || total != sum(counted) {
			t.Errorf("classes %d, spent %d, counted %d", total, r.Spent, sum(counted))
		}
		u, ok := b.Usage()
		if !ok || len(u.Days) < 5 {
			t.Fatalf("usage %+v", u)
		}
		if err := b.Reported(u); err != nil {
			t.Fatal(err)
		}
		if u, ok := b.Usage(); ok {
			t.Errorf("the hub knows all, and is told %+v", u)
		}
	})
}
