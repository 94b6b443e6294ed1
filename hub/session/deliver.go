package session

import (
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
)

// item is one message that waits to be sent.
type item struct {
	protocol.Message
	mark  protocol.OrderMark // of the orders it carries; zero: none
	rules bool               // they say when there is contact
}

// size is about what a message takes in a frame.
func size(m protocol.Message) int { return len(m.Body) + 8 }

// say queues one message of the manager's own.
func (d *device) say(kind protocol.Kind, body any) {
	msg, err := protocol.NewMessage(kind, body)
	if err != nil {
		panic(err) // the manager's own messages have no field that can fail to encode
	}
	d.push(len(d.queue), item{Message: msg})
}

func (d *device) push(at int, i item) {
	d.queue = slices.Insert(d.queue, at, i)
	d.pending += size(i.Message)
}

// enqueue queues what a handler answered, up to MaxPending. What does not fit is dropped, and the device is told to
// ask again.
func (d *device) enqueue(replies []protocol.Message) *protocol.Error {
	for _, msg := range replies {
		if size(msg) > frameBudget {
			d.m.c.Log.Error("answer is too large for a frame", "device", d.id, "kind", msg.Kind, "bytes", len(msg.Body))
			return refused(protocol.CodeInternal, "the hub's answer does not fit a frame")
		}
		if d.pending+size(msg) > MaxPending {
			e := refused(protocol.CodeBusy, "%d bytes wait to be acknowledged: acknowledge them and ask again", d.pending)
			e.RetryAfter = 1
			return e
		}
		d.push(len(d.queue), item{Message: msg})
	}
	return nil
}

// build takes orders that are due and what is queued into new frames: all that the window admits for a carrier that
// pushes, one for an exchange, and none as long as an earlier one of an exchange is not acknowledged.
func (d *device) build(now time.Time) (frames []*protocol.Frame) {
	if _, held := d.held(now); held {
		return nil
	}
	d.p.Lock()
	pushes := d.link != nil
	d.p.Unlock()
	d.collectOrders(now)
	for len(d.queue) > 0 && d.mayFollow(pushes) {
		n, total := 0, 0
		for n < len(d.queue) && n < protocol.MaxMessages {
			s := size(d.queue[n].Message)
			if n > 0 && total+s > frameTarget {
				break
			}
			n, total = n+1, total+s
		}
		messages, mark, rules := make([]protocol.Message, n), protocol.OrderMark{}, false
		for i, it := range d.queue[:n] {
			messages[i], rules = it.Message, rules || it.rules
			if mark.Before(it.mark) {
				mark = it.mark
			}
		}
		d.queue = slices.Delete(d.queue, 0, n)
		f := d.win.Next(messages)
		if mark != (protocol.OrderMark{}) {
			if d.orders == nil {
				d.orders = map[uint64]protocol.OrderMark{}
			}
			d.orders[f.Seq] = mark
		}
		frames = append(frames, f)
		if rules && d.rulesSent(f.Seq, now) {
			break
		}
	}
	if len(d.queue) == 0 {
		d.queue = nil
	}
	return frames
}

// mayFollow reports whether the first of the queue may go on top of what is under way.
func (d *device) mayFollow(pushes bool) bool {
	if d.win.Full() || !pushes && !d.win.Idle() {
		return false
	}
	under := d.pending
	for _, it := range d.queue {
		under -= size(it.Message)
	}
	return under < maxUnderWay || d.queue[0].Kind.Class() <= protocol.ClassDesired
}

// collectOrders queues orders if some may have changed and the time has come: behind the welcome, before all else.
func (d *device) collectOrders(now time.Time) {
	d.p.Lock()
	since := d.dirty
	d.p.Unlock()
	if since.IsZero() || now.Before(d.ordersDue(since)) {
		return
	}
	d.p.Lock()
	d.dirty = time.Time{} // a Notify from here on counts anew
	d.p.Unlock()
	at := 0
	for at < len(d.queue) && d.queue[at].Kind == protocol.KindWelcome {
		at++
	}
	for d.pending < MaxPending/2 {
		o, err := d.m.c.Orders.Next(d.id)
		if err != nil {
			d.m.c.Log.Error("orders could not be made", "device", d.id, "error", err)
			return
		}
		if o == nil {
			d.opening, d.goesBy = false, d.settings().Command
			return
		}
		msg, err := protocol.NewMessage(protocol.KindOrders, o)
		if err != nil {
			panic(err) // Orders has no field that can fail to encode
		}
		d.push(at, item{
			Message: msg, mark: protocol.OrderMark{Epoch: o.Epoch, Seq: o.Seq},
			rules: d.tellsTimes(o),
		})
		at++
	}
	d.p.Lock()
	if d.dirty.IsZero() {
		d.dirty = since // there is more, when this is acknowledged
	}
	d.p.Unlock()
}

// never is later than anything that is waited for.
var never = time.Unix(1<<40, 0)

// ordersDue is when orders that may have changed at since go out: at once at the beginning of a session and where
// commands are pushed; at the device's next command tick; else not before the next session. On a carrier that pushes
// the ticks are a grid from the session's beginning; else they are the exchanges that poll counts.
func (d *device) ordersDue(since time.Time) time.Time {
	f := d.frequency()
	interval, timed := f.Duration()
	switch {
	case d.opening || f == protocol.FrequencyPush:
		return since
	case !timed:
		return never
	case d.polling:
		return since
	case d.current() != nil:
		return nextTick(d.started.Add(d.slot%interval), since, interval)
	}
	return never
}

// frequency is that of commands. A device for which it was turned off goes by the one before until it is told.
func (d *device) frequency() protocol.Frequency {
	if f := d.settings().Command; f != protocol.FrequencyOff || d.goesBy == 0 {
		return f
	}
	return d.goesBy
}

// poll notes an exchange, and decides whether it counts as a command tick of the device: when the interval has passed
// since the last that did, give or take what the network does. So the hub keeps to whatever grid the device has.
func (d *device) poll(now time.Time) {
	interval, timed := d.frequency().Duration()
	slack := max(protocol.TickJoin, min(interval/10, 5*time.Second))
	d.polling = timed && now.Sub(d.polled) >= interval-slack
	if d.polling {
		d.polled = now
	}
}

// nextTick is the first point after t of the grid that begins at base.
func nextTick(base, t time.Time, interval time.Duration) time.Time {
	if t.Before(base) {
		return base
	}
	return base.Add((t.Sub(base)/interval + 1) * interval)
}

// acknowledged takes over that the device has processed frames.
func (d *device) acknowledged(frames []*protocol.Frame, now time.Time) {
	if len(frames) == 0 {
		return
	}
	for _, f := range frames {
		for _, m := range f.Messages {
			d.pending -= size(m)
		}
		if mark, ok := d.orders[f.Seq]; ok {
			delete(d.orders, f.Seq)
			d.m.c.Orders.Acked(d.id, mark)
		}
		if f.Seq == d.rules {
			d.rulesTaken(now)
		}
	}
	d.repeatAt, d.waited = time.Time{}, 0
	if !d.win.Idle() {
		d.expectAck(now)
	}
}

// expectAck sets when unacknowledged frames go again: after the exchange timeout, then after twice that, up to ten
// minutes.
func (d *device) expectAck(now time.Time) {
	timeout := exchangeTimeout(d.settings())
	d.waited = min(max(timeout, 2*d.waited), max(timeout, 10*time.Minute))
	d.repeatAt = now.Add(d.waited)
}

// transmit writes an answer to a link that pushes. It needs d.mu.
func (d *device) transmit(l *Link, ans answer) {
	frames := ans.fresh
	if ans.repeat && d.win != nil {
		frames = d.win.Repeat() // has the fresh ones that are numbered
		for _, f := range ans.fresh {
			if f.Seq == 0 {
				frames = append(frames, f)
			}
		}
	}
	if ans.refusal != nil {
		frames = append([]*protocol.Frame{ans.refusal}, frames...)
	}
	for _, f := range frames {
		b, err := d.m.c.Codec.Encode(f)
		if err != nil {
			d.m.c.Log.Error("frame could not be encoded, the session is begun anew", "device", d.id, "seq", f.Seq, "error", err)
			d.drop()
			return
		}
		if err := l.conn.Send(b); err != nil {
			d.m.c.Log.Debug("frame could not be sent", "device", d.id, "carrier", l.conn.Carrier(), "seq", f.Seq, "error", err)
			l.conn.Close(err)
			l.detach()
			return
		}
		l.tally().Down(uint8(protocol.ClassOf(f.Messages)))
	}
	now := time.Now()
	if d.win != nil && !d.win.Idle() && (ans.repeat || d.repeatAt.IsZero()) {
		d.expectAck(now)
	}
}

// notify marks the orders as changed and sees to it that a link that pushes is looked after.
func (d *device) notify() {
	d.p.Lock()
	defer d.p.Unlock()
	if d.dirty.IsZero() {
		d.dirty = time.Now()
	}
	if d.link != nil && !d.poked {
		d.poked = true
		d.m.spawn(d.wake)
	}
}

// wake does what is due on a link that pushes.
func (d *device) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p.Lock()
	l := d.link
	d.poked = false
	d.p.Unlock()
	if l != nil && l.ready {
		d.pump(l)
	}
}

// pump sends what is due now and sets the timer for what is due later. It needs d.mu, and l to be ready.
func (d *device) pump(l *Link) {
	now := time.Now()
	switch {
	case d.win != nil && d.boot == l.boot:
		ans := answer{repeat: !d.repeatAt.IsZero() && !now.Before(d.repeatAt)}
		ans.fresh = d.build(now)
		d.transmit(l, ans)
	case !d.helloBy.IsZero() && !now.Before(d.helloBy):
		d.helloBy = time.Time{}
		d.transmit(l, answer{refusal: d.refusal(0, helloWanted())})
	}
	d.arm(now)
}

// arm sets the timer to what is due next on the link. It needs d.mu.
func (d *device) arm(now time.Time) {
	next := never
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	sooner(d.helloBy)
	if d.win != nil {
		sooner(d.repeatAt)
		d.p.Lock()
		since := d.dirty
		d.p.Unlock()
		if !since.IsZero() && !d.win.Full() && d.pending < MaxPending/2 {
			due := d.ordersDue(since)
			if until, held := d.held(now); held && due.Before(until) {
				due = until
			}
			sooner(due)
		}
	}
	d.p.Lock()
	defer d.p.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.link == nil || next.Equal(never) {
		return
	}
	d.timer = time.AfterFunc(max(0, next.Sub(now)), func() { d.m.spawn(d.wake) })
}

// disarm stops the timer.
func (d *device) disarm() {
	d.p.Lock()
	defer d.p.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// single picks the one frame that answers an exchange: a refusal, else the oldest that was not acknowledged, else
// what is fresh.
func (d *device) single(ans answer) *protocol.Frame {
	switch {
	case ans.refusal != nil:
		return ans.refusal
	case d.win == nil:
		return nil
	}
	if open := d.win.Repeat(); len(open) > 0 {
		return open[0]
	}
	if len(ans.fresh) > 0 {
		return ans.fresh[0]
	}
	return nil
}
