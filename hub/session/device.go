package session

import (
	"sync"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
)

// device is everything that is kept of one device between frames.
//
// Lock order: attaching, mu, p. mu is held while handlers run and frames are written; p never for longer than a few
// assignments, so that Notify, Online and Kick never wait.
type device struct {
	m  *Manager
	id protocol.DeviceID

	attaching sync.Mutex // one Attach at a time; only tried, never waited for

	mu sync.Mutex
	// Guarded by mu.
	win      *window.Window // nil: no session
	boot     protocol.Boot  // of the session, or of the last one that was known
	hello    protocol.Hello
	started  time.Time // of the session: the ticks' grid begins here
	slot     time.Duration
	opening  bool               // the session has just begun: all orders go out, whatever the frequency
	goesBy   protocol.Frequency // of commands, as the device was told last; 0: in this session not yet
	earlier  [][8]byte          // boot ids before the present one, latest last, at most 4
	queue    []item
	pending  int // bytes of messages in queue and in unacknowledged frames
	orders   map[uint64]protocol.OrderMark
	rules    uint64    // the last frame that tells it times of contact and is not acknowledged; 0: none
	polled   time.Time // the last exchange that counted as a command tick
	polling  bool      // the exchange that is being answered counts as one
	repeatAt time.Time // when unacknowledged frames go again; zero: none are under way
	repeated time.Time // when frames last went again because the device asked
	waited   time.Duration
	helloBy  time.Time // when to ask for a hello; zero: not
	tokens   float64
	filled   time.Time
	scolded  time.Time // when the device was last told to slow down

	p sync.Mutex
	// Guarded by p.
	link      *Link
	seen      time.Time
	carrier   protocol.Carrier
	came      time.Time     // when Came was last told of a carrier that stays not connected
	interval  time.Duration // the shortest at which it is expected; 0: not at all
	dirty     time.Time     // since when orders may have changed; zero: not
	poked     bool          // a goroutine is on its way to look at dirty
	timer     *time.Timer
	away      time.Duration // how long it is away without being forgotten, by its times of contact
	heldFrom  time.Time     // from when until when nothing new goes to it
	heldUntil time.Time
	bounds    []*bounded     // its connections
	spent     meter.Counts   // by connections that have ended
	live      []*meter.Tally // of those that have not
}

func newDevice(m *Manager, id protocol.DeviceID) *device {
	return &device{m: m, id: id, boot: m.c.Devices.Boot(id), tokens: float64(m.c.Burst), filled: time.Now()}
}

// current returns the live link, or nil.
func (d *device) current() *Link {
	d.p.Lock()
	defer d.p.Unlock()
	return d.link
}

// contact notes that the device was heard of.
func (d *device) contact(now time.Time, c protocol.Carrier) {
	d.p.Lock()
	back := c == protocol.CarrierHTTPS && (d.carrier != c || now.Sub(d.seen) > d.stays())
	d.seen, d.carrier = now, c
	d.p.Unlock()
	if back {
		d.back(now)
	}
	d.m.c.Devices.Contact(d.id, now, c)
}

// back tells that the device has come over a carrier that stays not connected, once for each moment.
func (d *device) back(now time.Time) {
	d.p.Lock()
	told := d.came.Equal(now)
	d.came = now
	d.p.Unlock()
	if !told {
		d.m.c.Came(d.id, protocol.CarrierHTTPS)
	}
}

// stays is how long after an exchange the device counts as connected. It needs d.p.
func (d *device) stays() time.Duration { return 2*d.interval + 30*time.Second }

// online tells whether there is a link, or an exchange was within twice the interval and 30 s.
func (d *device) online(now time.Time) (protocol.Carrier, bool) {
	d.p.Lock()
	defer d.p.Unlock()
	if d.link != nil {
		return d.link.conn.Carrier(), true
	}
	if d.carrier == protocol.CarrierHTTPS && d.interval > 0 && now.Sub(d.seen) < d.stays() {
		return protocol.CarrierHTTPS, true
	}
	return "", false
}

// forget drops the session of a device that was away for an hour and three intervals.
func (d *device) forget(now time.Time) {
	if !d.mu.TryLock() {
		return // it is at work, so it is not away
	}
	defer d.mu.Unlock()
	d.p.Lock()
	away := d.link == nil && now.Sub(d.seen) > max(forgetAfter, 3*d.interval, d.away)
	d.p.Unlock()
	if away {
		d.drop()
	}
}

// drop ends the session; the device will be asked for a hello. It needs d.mu.
func (d *device) drop() {
	d.win, d.queue, d.pending, d.orders, d.rules = nil, nil, 0, nil, 0
	d.repeatAt, d.helloBy = time.Time{}, time.Time{}
	d.disarm()
}

// kick ends link and session.
func (d *device) kick(reason error) {
	if l := d.current(); l != nil {
		l.end(reason)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop()
	d.p.Lock()
	d.seen, d.interval = time.Time{}, 0
	d.p.Unlock()
}

// allow takes one token of the device's frame budget. It needs d.mu.
func (d *device) allow(now time.Time) bool {
	rate, burst := float64(d.m.c.Rate), float64(d.m.c.Burst)
	d.tokens = min(burst, d.tokens+now.Sub(d.filled).Seconds()*rate)
	d.filled = now
	if d.tokens < 1 {
		return false
	}
	d.tokens--
	return true
}

// settings of the device, and what follows from them.
func (d *device) settings() protocol.Settings {
	s := d.m.c.Orders.Settings(d.id)
	d.p.Lock()
	d.interval, d.away = shortest(s), 0
	if s.Link != nil && s.Link.Contact != nil {
		d.away = forgetWindowed
	}
	d.p.Unlock()
	return s
}

// shortest is the shortest interval at which the device is expected; 0: it is not.
func shortest(s protocol.Settings) (least time.Duration) {
	for _, f := range []protocol.Frequency{s.Ping, s.Snapshot, s.Command} {
		if i, ok := f.Duration(); ok && (least == 0 || i < least) {
			least = i
		}
	}
	return least
}

// exchangeTimeout is how long an acknowledgement may take.
func exchangeTimeout(s protocol.Settings) time.Duration {
	if s.ExchangeTimeout > 0 {
		return time.Duration(s.ExchangeTimeout) * time.Second
	}
	return protocol.DefaultExchangeTimeout
}
