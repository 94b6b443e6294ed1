package fleettest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/faultnet"
	"github.com/farshore/farshore/protocol"
)

// watched is what has passed a device's link.
type watched struct {
	mu    sync.Mutex
	bytes int
	stray []faultnet.Passing
	dials int
}

// watch looks at everything that passes the link of a device from now on, whether it lies within the times of contact.
func watch(d *Device, c *protocol.Contact) *watched {
	w, times := &watched{}, economy.NewContact(c)
	d.Link.Watch(func(p faultnet.Passing) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.bytes += p.Bytes
		if p.Bytes == 0 {
			w.dials++
		}
		sent, open := times.Now(p.Sent)
		if !open || p.Arrives.After(sent.End) {
			w.stray = append(w.stray, p)
		}
	})
	return w
}

func (w *watched) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("%d bytes, %d connections", w.bytes, w.dials)
	for i, p := range w.stray {
		if i == 5 {
			break
		}
		t.Errorf("%d of %d: %d bytes were sent at %s and arrived at %s, outside of the times of contact", i+1, len(w.stray), p.Bytes,
			p.Sent.UTC().Format("15:04:05.000"), p.Arrives.UTC().Format("15:04:05.000"))
	}
}

// everySixHours is ten minutes of contact, four times a day.
func everySixHours() *protocol.Contact {
	return &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600, Zone: "UTC"}}}
}

func windowed(c *protocol.Contact) protocol.Settings {
	return protocol.Settings{
		Ping: 60, Snapshot: 300, Command: 60, KeyExchange: protocol.KeyExchangeClassic, Chunk: 4 << 10,
		Link: &protocol.LinkRules{Contact: c},
	}
}

// profile makes a link profile, and gives its name.
func (f *Fleet) profile(s protocol.Settings) string {
	f.t.Helper()
	if err := f.Hub().Fleet.PutProfile(fleet.Profile{Name: "test", Settings: s}, nil); err != nil {
		f.t.Fatal(err)
	}
	return "test"
}

// untilOpening sleeps until so long before or after the beginning of the next opening.
func untilOpening(c *protocol.Contact, d time.Duration) {
	times := economy.NewContact(c)
	now := time.Now()
	for _, o := range times.Upcoming(now, 3) {
		if wait := time.Until(o.Start.Add(d)); wait > 0 {
			time.Sleep(wait)
			return
		}
	}
}

// A device with windows is in contact within them alone, day after day, whatever it is asked for, and what was asked for
// between two of them is done in the next.
func TestNothingPassesOutsideOfWindows(t *testing.T) { nothingPasses(t) }

func nothingPasses(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		c := everySixHours()
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 30, Profile: f.profile(windowed(c))})
		f.Settle(20 * time.Minute)
		untilOpening(c, -time.Hour)
		d.Link.Set(faultnet.Knobs{Latency: 300 * time.Millisecond, Rate: 20_000})
		w := watch(d, c)
		names := containers(d)
		for cycle := range windowTimes {
			untilOpening(c, -time.Hour)
			id := f.Give(d, restart(names[cycle]), 24*time.Hour)
			if cycle%8 == 3 {
				f.Apply("web", bundle(fmt.Sprint(cycle), fmt.Sprintf("level: %d\n", cycle)))
			}
			if cycle == windowTimes/2 {
				d.Reboot()
			}
			untilOpening(c, -time.Minute)
			if s := f.State(id); s.Final() {
				t.Errorf("cycle %d: the command is %s before the device was in contact", cycle, s)
			}
			next := d.Status().Session
			if wait := time.Until(next.NextTry); next.Connected || next.Waiting == "" || wait < time.Minute || wait > time.Minute+5*time.Second {
				t.Errorf("cycle %d: the agent says of its contact %+v", cycle, next)
			}
			untilOpening(c, 10*time.Minute)
			if s := f.State(id); !s.Final() { // some containers cannot be restarted
				t.Errorf("cycle %d: after its window the command is %s", cycle, s)
			}
		}
		time.Sleep(time.Hour)
		w.check(t)
		untilOpening(c, time.Minute)
		f.Settle(9 * time.Minute)
	})
}

// A stack that is larger than what several windows carry comes in pieces, each of them once.
func TestWorkGoesOnInTheNextWindow(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		c := everySixHours()
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 2, Profile: f.profile(windowed(c))})
		f.Settle(20 * time.Minute)
		untilOpening(c, -time.Hour)
		const rate, size = 4_000, 1 << 20
		d.Link.Set(faultnet.Knobs{Latency: 300 * time.Millisecond, Rate: rate})
		w := watch(d, c)
		files := bundle("1", "level: 1\n")
		random := rand.NewChaCha8([32]byte{1})
		for i := range 5 {
			b := make([]byte, size)
			_, _ = random.Read(b) // never fails
			files[fmt.Sprintf("map-%d.bin", i)] = string(b)
		}
		f.Apply("maps", files)
		windows := 0
		for ; windows < 12 && f.Unsettled() != ""; windows++ {
			untilOpening(c, 10*time.Minute)
		}
		if left := f.Unsettled(); left != "" {
			t.Fatalf("after %d windows: %s", windows, left)
		}
		if least := 5 * size / (rate * 600); windows < least {
			t.Errorf("%d bytes came in %d windows of %d bytes", 5*size, windows, rate*600)
		}
		if windows > 4 {
			t.Errorf("%d windows were needed, for what fits three", windows)
		}
		w.check(t)
		if most := 5 * size * 105 / 100; w.bytes > most {
			t.Errorf("%d bytes passed for files of %d", w.bytes, 5*size)
		}
	})
}

// In windows of a few seconds things fit too.
func TestShortWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		c := &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "*/2 * * * *", Seconds: 20, Zone: "UTC"}}}
		d := f.Device(DeviceSpec{Seed: 1, Carrier: protocol.CarrierMQTT, Containers: 12, Profile: f.profile(windowed(c))})
		f.Settle(20 * time.Minute)
		untilOpening(c, -10*time.Second)
		w := watch(d, c)
		d.Link.Set(faultnet.Knobs{Latency: 300 * time.Millisecond, Rate: 5_000})
		for _, name := range containers(d)[:10] {
			id := f.Give(d, restart(name), time.Hour)
			untilOpening(c, 20*time.Second)
			if s := f.State(id); !s.Final() {
				t.Errorf("after its window the command is %s", s)
			}
		}
		w.check(t)
	})
}

// A device that is given times of contact while it is outside of them hears nothing more from the hub, whatever there is
// for it, until the next.
func TestNothingComesAfterTheTimesWereTold(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		c := everySixHours()
		f.profile(protocol.Settings{Ping: 60, Snapshot: protocol.FrequencyPush, Command: protocol.FrequencyPush})
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 3, Profile: "test"})
		f.Settle(20 * time.Minute)
		d.Link.Set(faultnet.Knobs{Latency: 300 * time.Millisecond})
		untilOpening(c, -time.Hour)
		told := windowed(c)
		told.Snapshot, told.Command = protocol.FrequencyPush, protocol.FrequencyPush
		f.profile(told)
		f.Until("the device knows its times", 2*time.Minute, func() bool { return d.Status().Session.Waiting != "" })
		id := f.Give(d, restart(containers(d)[0]), 24*time.Hour)
		time.Sleep(3 * time.Second)
		if by, ok := f.Hub().Sessions.Online(d.ID); ok && by == protocol.CarrierMQTT {
			t.Error("the hub has kept its end of the connection")
		}
		w := watch(d, c)
		for range 3 {
			f.Give(d, restart(containers(d)[1]), 24*time.Hour)
			time.Sleep(time.Minute)
		}
		untilOpening(c, 10*time.Minute)
		w.check(t)
		if s := f.State(id); !s.Final() {
			t.Errorf("after the first window the command is %s", s)
		}
	})
}
