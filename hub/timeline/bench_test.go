package timeline_test

import (
	"fmt"
	"testing"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/protocol"
)

// BenchmarkAllComeBack is a fleet of 10,000 that comes back after the hub was started again.
func BenchmarkAllComeBack(b *testing.B) {
	s, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		t := timeline.New(timeline.Config{Store: s})
		for n := range 10_000 {
			t.Came(protocol.DeviceID(fmt.Sprintf("device%010d", n)), protocol.CarrierMQTT)
		}
		if err := t.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPage is a page of a full timeline.
func BenchmarkPage(b *testing.B) {
	s, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	t := timeline.New(timeline.Config{Store: s})
	for n := range timeline.Keep {
		t.Note(pump, timeline.Entry{Kind: timeline.KindCommand, Text: fmt.Sprint("container.restart web: done ", n), By: "anna", State: "done"})
	}
	if err := t.Flush(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := t.Page(timeline.Query{Device: pump, Limit: 100}); err != nil {
			b.Fatal(err)
		}
	}
}
