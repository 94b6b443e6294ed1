package audit_test

import (
	"fmt"
	"testing"

	"github.com/farshore/farshore/hub/audit"
)

// BenchmarkMillion is a trail of a million entries: what a page costs, and what it costs to look through all.
func BenchmarkMillion(b *testing.B) {
	const entries = 1_000_000
	w := newTrail(b)
	w.fill(entries - 1)
	if err := w.log.Record(audit.Entry{Principal: "olga", Operation: "keys.create"}); err != nil {
		b.Fatal(err)
	}
	page := func(b *testing.B, q audit.Query) audit.Page {
		p, err := w.log.Page(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			w.fill(1)
		}
	})
	b.Run("latest-page", func(b *testing.B) {
		for b.Loop() {
			page(b, audit.Query{})
		}
	})
	b.Run("page-from-the-middle", func(b *testing.B) {
		for b.Loop() {
			page(b, audit.Query{Before: fmt.Sprint(entries / 2)})
		}
	})
	b.Run("rare-one-request", func(b *testing.B) {
		for b.Loop() {
			page(b, audit.Query{Filter: audit.Filter{Principal: "nobody else"}})
		}
	})
	b.Run("rare-all-requests", func(b *testing.B) {
		for b.Loop() {
			requests := 1
			for p := page(b, audit.Query{Filter: audit.Filter{Text: "nowhere"}}); p.Next != ""; requests++ {
				p = page(b, audit.Query{Filter: audit.Filter{Text: "nowhere"}, Before: p.Next})
			}
			b.ReportMetric(float64(requests), "requests")
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if r, err := w.log.Verify(b.Context()); err != nil || r.Problem != nil {
				b.Fatal(err, r.String())
			}
		}
	})
}
