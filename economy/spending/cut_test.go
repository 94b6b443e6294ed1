package spending

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// cutting is a disk whose power fails at one of the next writes: before it is kept, or after.
type cutting struct {
	*disk
	left int
	kept bool // the write in which it fails is kept
}

var errCut = errors.New("no power")

func (c *cutting) PutSpending(r Record) error {
	if c.left--; c.left > 0 {
		return c.disk.PutSpending(r)
	}
	if c.left == 0 && c.kept {
		_ = c.disk.PutSpending(r)
	}
	return errCut
}

// Whenever the power goes, the count is not below what was spent, and above by a slice for each time at the most.
func TestPowerCutsNeverUnderCount(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			budget := &protocol.Budget{Hard: []uint64{200_000, 5_000_000, 40_000_000}[seed%3]}
			b := newBox(t, capped(budget.Hard))
			b.stop()
			truth, cuts := uint64(0), uint64(0)
			for range 12 {
				b.boot(capped(budget.Hard))
				b.stop()
				if spent := b.Report().Spent; spent < truth || spent > truth+cuts*economy.Slice(budget) {
					t.Fatalf("seed %d, after %d cuts: %d were spent, %d are counted", seed, cuts, truth, spent)
				}
				b.cfg.Store = &cutting{disk: b.disk, left: 1 + r.IntN(8), kept: r.IntN(2) == 0}
				for range 1 + r.IntN(6) {
					if r.IntN(2) == 0 {
						_ = b.send(r.IntN(5000))
					} else {
						_, _ = b.fetch(r.IntN(20_000))
					}
					time.Sleep(time.Duration(r.IntN(7200)) * time.Second)
				}
				truth += sum(b.counted())
				cuts++
				if b.Stage() == protocol.SpendingSilent {
					break
				}
			}
		})
	}
}

// A stop in order counts what was spent, and not what was reserved.
func TestStopInOrderCountsTheTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, capped(5_000_000))
		if err := b.send(3000); err != nil {
			t.Fatal(err)
		}
		b.stop()
		truth := sum(b.counted())
		if err := errors.Join(b.Close(), b.Close()); err != nil {
			t.Fatal(err)
		}
		if err := b.send(1); !errors.Is(err, ErrNotNow) {
			t.Errorf("closed, and yet: %v", err)
		}
		b.boot(capped(5_000_000))
		defer b.stop()
		if spent := b.Report().Spent; spent != truth {
			t.Errorf("%d counted, %d spent", spent, truth)
		}
		writes := b.disk.writes
		if err := b.Close(); err != nil || b.disk.writes != writes {
			t.Errorf("a start without contact has written: %v", err)
		}
	})
}

// An idle device writes when a slice is used up, and slices get as large as it takes for an hour.
func TestIdleDeviceWritesSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, nil)
		defer b.stop()
		near, far := b.hub()
		defer far.Close()
		for range 24 * 60 * 12 { // each 5 s for a day: what a device in a LAN does
			if _, err := near.Write(make([]byte, 24)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		if b.disk.writes > 40 {
			t.Errorf("%d writes for %d bytes in a day", b.disk.writes, b.Report().Spent)
		}
	})
}

// A disk that takes nothing stops spending under a hard cap at what is reserved, and says so; it goes on by itself.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, capped(5_000_000))
		defer b.stop()
		if err := b.send(1000); err != nil {
			t.Fatal(err)
		}
		b.disk.full = errors.New("disk is full")
		covered := b.disk.record.Reserved + 1000
		err := b.send(100_000)
		if !errors.Is(err, ErrNotKept) {
			t.Errorf("it ends with %v", err)
		}
		if spent := b.Report().Spent; spent > covered+2*economy.Slice(b.rules.Budget) {
			t.Errorf("%d spent without a disk, %d were reserved", spent, covered)
		}
		if b.Report().Unkept == "" || !b.disk.said("spending-unkept") {
			t.Error("nobody is told")
		}
		b.disk.full = nil
		time.Sleep(tryAgain)
		if err := b.send(100_000); err != nil {
			t.Errorf("there is room again, and yet: %v", err)
		}
		b.disk.full = errors.New("disk is full")
		b.Rules(nil)
		if err := b.send(3_000_000); err != nil {
			t.Errorf("a device without a cap is out of reach: %v", err)
		}
	})
}
