package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

func open(t *testing.T, dir string, keep int) (*events.Bus, *store.Store) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b, err := events.New(events.Config{Store: s, Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

// take reads n events.
func take(t *testing.T, b *events.Bus, after uint64, n int) (out []events.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for e := range b.Subscribe(ctx, after) {
		if out = append(out, e); len(out) == n {
			return out
		}
	}
	t.Fatalf("%d events, want %d", len(out), n)
	return nil
}

func TestReadersGoOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	b, s := open(t, dir, 0)
	started := time.Now()
	first := b.Publish(events.Event{
		Kind: "device.approved", Device: "aaaaaaaaaaaaaaaa", Group: "no", Text: strings.Repeat("ø", protocol.MaxText),
		Data: map[string]int{"n": 7},
	})
	second := b.Publish(events.Event{Kind: "stack.applied", Stack: "web", At: time.UnixMilli(5000)})
	before := take(t, b, events.FromOldest, 2)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	b, _ = open(t, dir, 0)
	after := take(t, b, events.FromOldest, 2)
	was, _ := json.Marshal(before)
	is, _ := json.Marshal(after)
	if string(was) != string(is) {
		t.Errorf("after a restart\n%.300s\nwant\n%.300s", is, was)
	}
	if e := after[0]; e.ID != first || len(e.Text) != protocol.MaxText || !strings.Contains(string(is), `"data":{"n":7}`) {
		t.Errorf("first event: %.200s", is)
	}
	third := b.Publish(events.Event{Kind: "x"})
	if third <= second {
		t.Errorf("id %d after %d", third, second)
	}
	if got := take(t, b, first, 2); got[0].ID != second || got[1].ID != third {
		t.Errorf("after the first: %+v", got)
	}
	if got := take(t, b, b.Since(started), 1); got[0].ID != first {
		t.Errorf("since the start: %+v", got)
	}
}

func TestASlowReaderIsToldOfTheGap(t *testing.T) {
	const keep = 10
	dir := t.TempDir()
	b, s := open(t, dir, keep)
	var ids []uint64
	for i := range 3*keep + 5 {
		ids = append(ids, b.Publish(events.Event{Kind: "n", Text: fmt.Sprint(i)}))
	}
	check := func(b *events.Bus) {
		t.Helper()
		lost := len(ids) - keep
		got := take(t, b, ids[3], keep+1)
		if got[0].Kind != events.KindGap || got[0].ID != ids[lost]-1 && got[0].ID != ids[lost-1] || got[1].ID != ids[lost] {
			t.Fatalf("from a place that is gone: %+v", got[:2])
		}
		if got := take(t, b, got[0].ID, 1); got[0].ID != ids[lost] {
			t.Errorf("from the gap on: %+v", got)
		}
		if got := take(t, b, ids[lost], 1); got[0].ID != ids[lost+1] {
			t.Errorf("from a place that is kept: %+v", got)
		}
	}
	check(b)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		ids = append(ids, b.Publish(events.Event{Kind: "n", Text: fmt.Sprint(i)}))
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	stored, err := s.LoadEvents(1000)
	if err != nil || len(stored) != keep {
		t.Fatalf("%d events are stored, %v; want %d", len(stored), err, keep)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, _ = open(t, dir, keep)
	check(b)
}

func TestManyReadersSeeAllInOrder(t *testing.T) {
	b, _ := open(t, t.TempDir(), 0)
	const writers, each, readers = 4, 500, 8
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			got := take(t, b, events.FromOldest, writers*each)
			for i := 1; i < len(got); i++ {
				if got[i].ID <= got[i-1].ID {
					t.Errorf("id %d after %d", got[i].ID, got[i-1].ID)
				}
			}
		})
	}
	for range writers {
		wg.Go(func() {
			for range each {
				b.Publish(events.Event{Kind: "n"})
			}
		})
	}
	wg.Wait()
}

// failing is a store whose disk is full for a while.
type failing struct {
	events.Store
	full bool
}

func (f *failing) AppendEvents(added []events.Stored, oldest uint64) error {
	if f.full {
		return errors.New("disk full")
	}
	return f.Store.AppendEvents(added, oldest)
}

func TestEventsAreWrittenEverySecondAndAfterTheDiskWasFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		f := &failing{Store: s, full: true}
		b, err := events.New(events.Config{Store: f})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		stored := func() int {
			synctest.Wait()
			all, err := s.LoadEvents(1000)
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		b.Publish(events.Event{Kind: "a"})
		time.Sleep(3 * time.Second)
		if n := stored(); n != 0 {
			t.Errorf("%d stored on a full disk", n)
		}
		f.full = false
		b.Publish(events.Event{Kind: "b"})
		time.Sleep(events.FlushEvery)
		if n := stored(); n != 2 {
			t.Errorf("%d stored after a second, want 2", n)
		}
		b.Publish(events.Event{Kind: "c", Data: strings.Repeat("x", events.MaxData+1)})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := stored(); n != 3 {
			t.Errorf("%d stored at the end, want 3", n)
		}
		if got := take(t, b, b.Since(time.Now()), 1); got[0].Kind != "c" || got[0].Data != nil {
			t.Errorf("oversized data: %.100v", got)
		}
	})
}

func TestPassingEventsPushNothingOut(t *testing.T) {
	dir := t.TempDir()
	b, st := open(t, dir, 10)
	approved := b.Publish(events.Event{Kind: "device.approved", Device: "a"})
	for range 200 {
		b.Publish(events.Event{Kind: "device.snapshot", Passing: true})
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	got, err := b.Next(t.Context(), events.FromOldest)
	if err != nil || got[0].ID != approved || len(got) < 2 || len(got) > 25 {
		t.Errorf("%d events, the first %+v, %v: want the approval and some of what passed", len(got), got[0], err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	b, _ = open(t, dir, 10)
	again, err := b.Next(t.Context(), events.FromOldest)
	if err != nil || len(again) != 1 || again[0].Kind != "device.approved" {
		t.Errorf("after a restart: %+v, %v", again, err)
	}
}
