package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/protocol"
)

const (
	pump  = protocol.DeviceID("qz3x4y5w6v7u2t3s")
	crane = protocol.DeviceID("aaaaaaaaaaaaaaaa")
)

// desk is a timeline that runs on a real store, whose writes are counted.
type desk struct {
	*timeline.Timeline
	t     *testing.T
	store *store.Store
	stop  func()

	mu     sync.Mutex
	gone   map[protocol.DeviceID]bool // guarded by mu
	writes int                        // guarded by mu: transactions
	puts   int                        // guarded by mu: entries in them
	refuse error                      // guarded by mu
}

// cost gives the writes so far.
func (d *desk) cost() (writes, puts int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes, d.puts
}

// refuseWith lets the store fail; nil: it works again.
func (d *desk) refuseWith(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = err
}

func (d *desk) known(id protocol.DeviceID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.gone[id]
}

// SaveTimeline counts.
func (d *desk) SaveTimeline(r []timeline.Record, prune []protocol.DeviceID, l timeline.Limit) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return d.refuse
	}
	d.writes, d.puts = d.writes+1, d.puts+len(r)
	return d.store.SaveTimeline(r, prune, l)
}

func (d *desk) ForgetTimeline(id protocol.DeviceID) error { return d.store.ForgetTimeline(id) }

func (d *desk) PruneTimeline(l timeline.Limit, most int) (bool, error) {
	return d.store.PruneTimeline(l, most)
}

// open starts a timeline in a bubble. Its name is not Timeline's: the Store has a method of it.
func open(t *testing.T) *desk {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, store: s, gone: map[protocol.DeviceID]bool{}}
	d.start()
	t.Cleanup(func() {
		d.stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

type counted struct{ *desk }

// Timeline reads from the store.
func (c counted) Timeline(id protocol.DeviceID) ([]timeline.Entry, error) {
	return c.store.Timeline(id)
}

func (d *desk) start() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	d.Timeline = timeline.New(timeline.Config{Store: counted{d}, Known: d.known})
	line := d.Timeline
	go func() { ended <- line.Run(ctx) }()
	d.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Error(err)
		}
		ended <- nil // for whoever stops again
	}
}

// all are the entries of a device, read page by page.
func (d *desk) all(id protocol.DeviceID, kinds ...timeline.Kind) (out []timeline.Entry) {
	d.t.Helper()
	next := ""
	for {
		page, more, err := d.Page(timeline.Query{Device: id, Before: next, Limit: 7, Kinds: kinds})
		if err != nil {
			d.t.Fatal(err)
		}
		out = append(out, page...)
		if next = more; next == "" {
			return out
		}
	}
}

func (d *desk) command(n int) {
	d.Note(pump, timeline.Entry{Kind: timeline.KindCommand, Text: fmt.Sprint(n), By: "anna"})
}

func TestADeviceThatReconnectsAllTheTimeCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		for range 1000 {
			d.Came(pump, protocol.CarrierMQTT)
			time.Sleep(2 * time.Second)
			d.Went(pump)
			time.Sleep(time.Second)
		}
		got := d.all(pump)
		if len(got) != 1 || !strings.HasPrefix(got[0].Text, "1000 connections by mqtt between") || got[0].Open {
			t.Errorf("%+v", got)
		}
		quiet, puts := d.cost()
		if quiet > 20 || puts > 20 {
			t.Errorf("1000 connections within 50 min cost %d writes of %d entries", quiet, puts)
		}
		d.Came(pump, protocol.CarrierMQTT)
		time.Sleep(24 * time.Hour)
		if writes, _ := d.cost(); writes > quiet+2 {
			t.Errorf("a day of being connected cost %d writes", writes-quiet)
		}
		d.stop()
		d.start()
		if got := d.all(pump); len(got) != 1 || got[0].Count != 1001 {
			t.Errorf("after a restart: %+v", got)
		}
	})
}

func TestADeviceWithTooMuchToSayPushesNothingOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.Note(pump, timeline.Entry{Kind: timeline.KindApproval, Text: "let in", By: "anna"})
		const said = 20_000
		for n := range said {
			d.Note(pump, timeline.Entry{Kind: timeline.KindTold, Text: strings.Repeat("x", 10_000)})
			if n%500 == 0 {
				d.Came(pump, protocol.CarrierHTTPS)
			}
			time.Sleep(time.Second)
		}
		d.Note(crane, timeline.Entry{Kind: timeline.KindTold, Text: "hello"})
		got := d.all(pump)
		if last := got[len(got)-1]; len(got) > 300 || last.By != "anna" {
			t.Errorf("%d entries, the oldest %+v", len(got), last)
		}
		kept, counted := 0, 0
		for _, e := range got {
			switch e.Kind {
			case timeline.KindTold:
				kept++
			case timeline.KindLeftOut:
				counted += int(e.Count)
			}
			if len(e.Text) > protocol.MaxText {
				t.Fatalf("a text of %d bytes is kept", len(e.Text))
			}
		}
		if kept+counted < said || counted == 0 {
			t.Errorf("%d things were said: %d are kept and %d counted", said, kept, counted)
		}
		if _, puts := d.cost(); puts > 1000 {
			t.Errorf("%d entries were written", puts)
		}
		if got := d.all(crane); len(got) != 1 {
			t.Errorf("another device has %+v", got)
		}
	})
}

func TestPagesHaveEachEntryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		for n := range 1200 {
			d.command(n)
			if n%3 == 0 { // many within a millisecond, some not
				time.Sleep(time.Second)
			}
		}
		got := d.all(pump)
		for i, e := range got {
			if e.Text != fmt.Sprint(1199-i) {
				t.Fatalf("entry %d is %q", i, e.Text)
			}
		}
		if len(got) != timeline.Keep {
			t.Errorf("%d entries are kept", len(got))
		}
		d.Came(pump, protocol.CarrierHTTPS)
		if got := d.all(pump, timeline.KindContact, timeline.KindTold); len(got) != 1 || got[0].Text != "contact by https begins" {
			t.Errorf("contacts: %+v", got)
		}
		for _, bad := range []string{"x", "1-2-3", "1", strings.Repeat("1-", 9000)} {
			if _, _, err := d.Page(timeline.Query{Device: pump, Before: bad, Limit: 1}); !errors.Is(err, timeline.ErrCursor) {
				t.Errorf("cursor %.20q: %v", bad, err)
			}
		}
		d.stop()
		if kept, err := d.store.Timeline(pump); err != nil || len(kept) > timeline.Keep+30 {
			t.Errorf("%d entries are stored, %v", len(kept), err)
		}
	})
}

func TestWhatIsOldGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.command(1)
		away := func(days time.Duration) {
			d.stop()
			time.Sleep(days * 24 * time.Hour)
			d.start()
		}
		away(50)
		d.Came(pump, protocol.CarrierMQTT)
		d.Note(crane, timeline.Entry{Kind: timeline.KindChange, Text: "name crane", By: "anna"})
		away(41)
		if got := d.all(pump); len(got) != 1 || got[0].Kind != timeline.KindContact {
			t.Errorf("after 91 days: %+v", got)
		}
		time.Sleep(time.Hour)
		stored, err := d.store.Timeline(pump)
		if err != nil || len(stored) != 1 {
			t.Errorf("%d entries are stored, %v", len(stored), err)
		}
	})
}

func TestAConnectionThatTheHubDidNotSeeEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.Came(pump, protocol.CarrierMQTT)
		time.Sleep(time.Minute)
		if got := d.all(pump); len(got) != 1 || got[0].Text != "connected by mqtt" || !got[0].Open {
			t.Errorf("%+v", got)
		}
		d.stop() // as after a crash: nobody has said that the device went
		time.Sleep(time.Minute)
		d.start()
		if got := d.all(pump); len(got) != 1 || got[0].Open || !strings.Contains(got[0].Text, "started again since") {
			t.Errorf("after a crash of the hub: %+v", got)
		}
		time.Sleep(time.Minute)
		d.Came(pump, protocol.CarrierMQTT)
		time.Sleep(time.Minute)
		d.command(1)
		time.Sleep(time.Minute)
		d.Went(pump)
		texts := []string{}
		for _, e := range d.all(pump) {
			texts = append(texts, string(e.Kind))
		}
		if !slices.Equal(texts, []string{"contact", "command", "contact"}) {
			t.Errorf("%v", texts)
		}
	})
}

func TestWhatCannotBeWrittenIsKeptAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.refuseWith(errors.New("disk full"))
		for n := range 2 * timeline.Keep {
			d.command(n)
		}
		time.Sleep(time.Minute)
		if got := d.all(pump); len(got) != timeline.Keep {
			t.Errorf("%d entries are in memory", len(got))
		}
		d.refuseWith(nil)
		time.Sleep(time.Minute)
		if stored, err := d.store.Timeline(pump); err != nil || len(stored) != timeline.Keep {
			t.Errorf("%d entries are stored, %v", len(stored), err)
		}
	})
}

func TestARemovedDeviceLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.Came(pump, protocol.CarrierMQTT)
		d.command(1)
		d.Note(crane, timeline.Entry{Kind: timeline.KindTold, Text: "hello"})
		time.Sleep(time.Minute)
		synctest.Wait()
		d.mu.Lock()
		d.gone[pump] = true
		d.mu.Unlock()
		if err := d.Forget(pump); err != nil {
			t.Fatal(err)
		}
		d.Went(pump) // its connection ends a little later
		d.Note(pump, timeline.Entry{Kind: timeline.KindLiveness, Text: "late"})
		time.Sleep(time.Minute)
		if stored, err := d.store.Timeline(pump); err != nil || len(stored) != 0 || len(d.all(pump)) != 0 {
			t.Errorf("left: %+v, %v", stored, err)
		}
		if len(d.all(crane)) != 1 {
			t.Error("another device's timeline went too")
		}
	})
}
