package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// crowd is a ledger of 10,000 devices, each with ten days, whose connections cost more at each look.
func crowd(b *testing.B) (l *ledger.Ledger, look func(), size func() int64) {
	dir := b.TempDir()
	s, err := store.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	link := ledger.Link{Rules: &protocol.LinkRules{Budget: &protocol.Budget{Day: 1, Zone: "Europe/Oslo", Soft: 4_000_000, Hard: 5_000_000}}}
	var ids []protocol.DeviceID
	for n := range 10_000 {
		ids = append(ids, protocol.DeviceID(fmt.Sprintf("device%010d", n)))
	}
	var spent meter.Counts
	l, err = ledger.New(ledger.Config{
		Store: s, Link: func(protocol.DeviceID) (ledger.Link, bool) { return link, true },
		Spent: func(fn func(protocol.DeviceID, meter.Counts)) {
			for _, id := range ids {
				fn(id, spent)
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	look = func() {
		spent[protocol.ClassSession].Up += 102
		spent[protocol.ClassSession].Down += 102
		if err := l.Look(now); err != nil {
			b.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	for day := range 10 {
		now = time.Date(2026, 11, 12+day, 10, 0, 0, 0, time.UTC)
		spent[protocol.ClassSnapshot].Up += 10_000
		look()
	}
	size = func() int64 {
		info, err := os.Stat(filepath.Join(dir, store.FileName))
		if err != nil {
			b.Fatal(err)
		}
		return info.Size()
	}
	return l, look, size
}

// BenchmarkLook is what the hub does each minute when 10,000 devices have pinged.
func BenchmarkLook(b *testing.B) {
	_, look, size := crowd(b)
	look()
	for b.Loop() {
		look()
	}
	b.ReportMetric(float64(size())/10_000/10, "B/device-day")
}

// BenchmarkReport is one report of each of 10,000 devices, a thousand at a time.
func BenchmarkReport(b *testing.B) {
	l, look, _ := crowd(b)
	look()
	now := time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	spent := uint64(1000)
	for b.Loop() {
		spent += 1000
		day := protocol.UsageDay{Day: economy.Day(now, time.UTC), Counts: []protocol.UsageCount{{Class: protocol.ClassPull, Down: spent}}}
		done := make(chan error, 1000)
		for first := 0; first < 10_000; first += 1000 {
			for n := range 1000 {
				go func() {
					done <- l.Report(ledger.Report{
						Device: protocol.DeviceID(fmt.Sprintf("device%010d", first+n)), At: now, Usage: protocol.Usage{Days: []protocol.UsageDay{day}},
					})
				}()
			}
			for range 1000 {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkAll reads ten days of 10,000 devices.
func BenchmarkAll(b *testing.B) {
	l, _, _ := crowd(b)
	first := ledger.Slot{Step: ledger.Day, At: economy.Day(time.Date(2026, 11, 12, 0, 0, 0, 0, time.UTC), time.UTC)}
	n := 0
	for b.Loop() {
		if err := l.All(b.Context(), first, ledger.Slot{Step: ledger.Day, At: first.At + 10}, func(ledger.Slot, protocol.DeviceID, meter.Counts) { n++ }); err != nil {
			b.Fatal(err)
		}
	}
}
