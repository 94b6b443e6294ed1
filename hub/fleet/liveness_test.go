package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

// hub is a registry that runs in virtual time, and can be stopped and started again.
type hub struct {
	*fleet.Registry
	t      *testing.T
	store  *store.Store
	told   []string
	online map[protocol.DeviceID]bool
	stop   func()
}

func start(t *testing.T, dir string) *hub {
	t.Helper()
	s, err := store.Open(dir)
	must(t, err)
	h := &hub{t: t, store: s, online: map[protocol.DeviceID]bool{}}
	h.Registry, err = fleet.New(fleet.Config{
		Store: s,
		Changed: func(c fleet.Change) {
			if c.Kind == fleet.ChangeLiveness {
				h.told = append(h.told, fmt.Sprintf("%s→%s", c.Was, c.Liveness.State))
			}
		},
		Online: func(id protocol.DeviceID) (protocol.Carrier, bool) { return protocol.CarrierMQTT, h.online[id] },
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.Run(ctx) }()
	h.stop = func() {
		cancel()
		must(t, <-done)
		must(t, s.Close())
	}
	return h
}

func (h *hub) is(id protocol.DeviceID, want fleet.LivenessState, since time.Time) fleet.Liveness {
	h.t.Helper()
	synctest.Wait()
	l := h.Liveness(id, time.Now())
	if l.State != want || !l.Since.Equal(since) {
		h.t.Errorf("at %s: %s since %s, want %s since %s", time.Now().Format(time.TimeOnly), l.State,
			l.Since.Format(time.TimeOnly), want, since.Format(time.TimeOnly))
	}
	return l
}

func TestLivenessIsMeasuredByTheDevicesOwnInterval(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, dir)
		defer h.stop()
		created := time.Now()
		hourly, minutely := newDevice(1, "hourly"), newDevice(2, "minutely")
		hourly.Settings.Ping = protocol.Every(time.Hour)
		must(t, h.AddAll([]fleet.Device{hourly, minutely}))
		h.is(hourly.ID, fleet.NeverSeen, created)

		time.Sleep(time.Minute)
		seen := time.Now()
		h.Contact(hourly.ID, seen, protocol.CarrierMQTT)
		h.Contact(minutely.ID, seen, protocol.CarrierMQTT)
		if l := h.is(hourly.ID, fleet.OnTime, seen); !l.NextContact.Equal(seen.Add(time.Hour)) || !l.LastContact.Equal(seen) {
			t.Errorf("%+v", l)
		}
		time.Sleep(70 * time.Second) // one interval and the grace of 10 s, to the second
		h.is(minutely.ID, fleet.OnTime, seen)
		time.Sleep(2 * time.Second)
		if l := h.is(minutely.ID, fleet.Late, seen.Add(70*time.Second)); !l.NextContact.Equal(seen.Add(2 * time.Minute)) {
			t.Errorf("next contact of a late device: %+v", l)
		}
		time.Sleep(2 * time.Minute)
		if l := h.is(minutely.ID, fleet.Overdue, seen.Add(190*time.Second)); !l.NextContact.IsZero() {
			t.Errorf("next contact of an overdue device: %+v", l)
		}
		h.is(hourly.ID, fleet.OnTime, seen)
		back := time.Now()
		h.Contact(minutely.ID, back, protocol.CarrierMQTT)
		h.Contact(minutely.ID, back.Add(-time.Hour), protocol.CarrierMQTT) // late news changes nothing
		h.is(minutely.ID, fleet.OnTime, back)
		time.Sleep(time.Minute)
		h.Contact(minutely.ID, time.Now(), protocol.CarrierMQTT)
		h.is(minutely.ID, fleet.OnTime, back)

		time.Sleep(fleet.WatchEvery)
		synctest.Wait()
		want := []string{"on-time→late", "late→overdue", "overdue→on-time"}
		slices.Sort(h.told[:2])
		if got := h.told; len(got) != 5 || got[0] != "never-seen→on-time" || !slices.Equal(got[2:], want) {
			t.Errorf("told %q", got)
		}

		// A shorter interval counts from the first contact on that goes by it.
		_, err := h.Update(hourly.ID, func(d *fleet.Device) error { d.Settings.Ping = 30; return nil })
		must(t, err)
		time.Sleep(10 * time.Minute)
		h.is(hourly.ID, fleet.OnTime, seen)
		h.Contact(hourly.ID, time.Now(), protocol.CarrierMQTT)
		time.Sleep(41 * time.Second)
		h.is(hourly.ID, fleet.Late, time.Now().Add(-time.Second))

		must(t, h.Revoke(hourly.ID))
		h.is(hourly.ID, fleet.Revoked, time.Now())
		if l := h.Liveness("nobody", time.Now()); l != (fleet.Liveness{}) {
			t.Errorf("an unknown device: %+v", l)
		}
	})
}

func TestWhatIsExpectedDependsOnTheCarrier(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, dir)
		defer h.stop()
		for i, x := range []struct {
			s       protocol.Settings
			carrier protocol.Carrier
			next    time.Duration // 0: none
		}{
			{protocol.Settings{Ping: 600, Snapshot: 20, Command: 60}, protocol.CarrierMQTT, 10 * time.Minute},
			{protocol.Settings{Ping: 600, Snapshot: 20, Command: 60}, protocol.CarrierHTTPS, time.Minute},
			{protocol.Settings{Ping: 60, Command: 600}, protocol.CarrierHTTPS, time.Minute},
			{protocol.Settings{Ping: protocol.FrequencyOff, Command: 60}, protocol.CarrierHTTPS, time.Minute},
			{protocol.Settings{Ping: protocol.FrequencyOff, Command: 60}, protocol.CarrierMQTT, 0},
			{protocol.Settings{Ping: protocol.FrequencyOff, Command: protocol.FrequencyPush}, protocol.CarrierHTTPS, 0},
		} {
			d := newDevice(byte(i+1), fmt.Sprint(i))
			d.Settings = x.s
			must(t, h.Add(d))
			h.Contact(d.ID, time.Now(), x.carrier)
			want := fleet.OnTime
			if x.next == 0 {
				want = fleet.Quiet
			}
			l := h.is(d.ID, want, time.Now())
			if next := l.NextContact; x.next != 0 && !next.Equal(time.Now().Add(x.next)) || x.next == 0 && !next.IsZero() {
				t.Errorf("%d: next contact %v, want in %v", i, next, x.next)
			}
			if x.next == 0 {
				h.online[d.ID] = true
				if l := h.is(d.ID, fleet.OnTime, time.Now()); !l.Connected {
					t.Errorf("%d: %+v", i, l)
				}
			}
		}
	})
}

func TestTheHubsOwnDowntimeCountsForNoDevice(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, dir)
		fine, gone := newDevice(1, "fine"), newDevice(2, "gone")
		must(t, h.AddAll([]fleet.Device{fine, gone}))
		first := time.Now()
		h.Contact(gone.ID, first, protocol.CarrierMQTT)
		h.Contact(fine.ID, first, protocol.CarrierMQTT)
		_, err := h.Update(fine.ID, func(d *fleet.Device) error {
			d.Boot, d.Mark = protocol.Boot{ID: [8]byte{7}, Counter: 3}, protocol.OrderMark{Epoch: 1, Seq: 9}
			d.Version, d.Capability = "1.2", 1
			return nil
		})
		must(t, err)
		for range 10 {
			time.Sleep(time.Minute)
			h.Contact(fine.ID, time.Now(), protocol.CarrierMQTT)
		}
		was := get(t, h.Registry, fine.ID)
		wasGone := h.Liveness(gone.ID, time.Now())
		time.Sleep(20 * time.Second)
		h.stop()

		for range 3 {
			time.Sleep(5 * time.Hour)
			h = start(t, dir)
			if now := get(t, h.Registry, fine.ID); fmt.Sprint(now) != fmt.Sprint(was) {
				t.Errorf("after the restart %+v\nwant %+v", now, was)
			}
			h.is(fine.ID, fleet.OnTime, first)
			if l := h.is(gone.ID, fleet.Overdue, wasGone.Since); l.LastContact != wasGone.LastContact {
				t.Errorf("last contact %v, want %v", l.LastContact, wasGone.LastContact)
			}
			time.Sleep(10 * time.Second)
			h.stop()
		}
		h = start(t, dir)
		time.Sleep(30 * time.Second) // 20 + 3·10 + 30 > 60 + 10
		h.is(fine.ID, fleet.Late, time.Now().Add(-10*time.Second))
		if len(h.told) != 1 || h.told[0] != "on-time→late" {
			t.Errorf("told %q", h.told)
		}
		h.stop()
	})
}
