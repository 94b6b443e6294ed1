package orders

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
)

const dev = protocol.DeviceID("aaaaaaaaaaaaaaaa")

type sources struct {
	settings protocol.Settings
	desired  []protocol.Entry
	pending  []protocol.Command
	repealed []protocol.CommandID
	tunnel   *protocol.TunnelAsk
	sent     []protocol.CommandID
	lost     []protocol.CommandID
}

func (s *sources) Settings(protocol.DeviceID) protocol.Settings { return s.settings }

func (s *sources) Desired(protocol.DeviceID) []protocol.Entry { return slices.Clone(s.desired) }

func (s *sources) Pending(protocol.DeviceID, time.Time) []protocol.Command { return s.pending }

func (s *sources) Repealed(protocol.DeviceID) []protocol.CommandID { return s.repealed }

func (s *sources) Tunnel(protocol.DeviceID) *protocol.TunnelAsk { return s.tunnel }

func (s *sources) Sent(_ protocol.DeviceID, ids []protocol.CommandID) error {
	s.sent = append(s.sent, ids...)
	return nil
}

func (s *sources) NotTaken(_ protocol.DeviceID, ids []protocol.CommandID) {
	s.lost = append(s.lost, ids...)
}

type memory map[protocol.DeviceID][]protocol.Entry

func (m memory) AcceptedSet(d protocol.DeviceID) ([]protocol.Entry, error) { return m[d], nil }

func (m memory) PutAcceptedSet(d protocol.DeviceID, s []protocol.Entry) error { m[d] = s; return nil }

// device holds what a device holds, and applies orders as a device does.
type device struct {
	t        *testing.T
	pub      ed25519.PublicKey
	mark     protocol.OrderMark
	settings protocol.ShortHash
	set      []protocol.Entry
	commands map[protocol.CommandID]bool
	bytes    int // of the last order
}

func (d *device) hello() *protocol.Hello {
	return &protocol.Hello{Settings: d.settings, Desired: protocol.DesiredHash(d.set), OrderEpoch: d.mark.Epoch, OrderSeq: d.mark.Seq}
}

func (d *device) apply(o *protocol.Orders) *protocol.OrderBody {
	d.t.Helper()
	body, err := o.Open(d.pub, dev, d.mark)
	if err != nil {
		d.t.Fatalf("the device refuses: %v", err)
	}
	d.mark = protocol.OrderMark{Epoch: o.Epoch, Seq: o.Seq}
	d.bytes = len(o.Body)
	if body.Settings != nil {
		d.settings = body.Settings.Hash()
	}
	if body.Desired != nil {
		set, ok := body.Desired.Apply(d.set)
		if !ok {
			d.t.Fatal("the order is for another set than the device holds")
		}
		d.set = set
	}
	for _, c := range body.Commands {
		d.commands[c.ID] = true
	}
	return body
}

// drain applies everything there is to say.
func (d *device) drain(k *Desk) (bodies []*protocol.OrderBody) {
	d.t.Helper()
	for {
		o, err := k.Next(dev)
		if err != nil {
			d.t.Fatal(err)
		}
		if o == nil {
			return bodies
		}
		bodies = append(bodies, d.apply(o))
		k.Acked(dev, d.mark)
		if len(bodies) > 100 {
			d.t.Fatal("the desk never has enough")
		}
	}
}

func setup(t *testing.T) (*sources, memory, *device, func() *Desk) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	src, store := &sources{settings: protocol.DefaultSettings(protocol.ModeAsync)}, memory{}
	d := &device{t: t, pub: pub, commands: map[protocol.CommandID]bool{}}
	return src, store, d, func() *Desk { return New(Config{Key: key, Sources: src, Store: store}) }
}

func entry(id, version uint64, files int) protocol.Entry {
	e := protocol.Entry{EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: id}, Version: version, Name: fmt.Sprint("s", id)}
	for i := range files {
		e.Files = append(e.Files, protocol.File{Path: fmt.Sprintf("f%06d", i), Hash: protocol.HashOf([]byte(fmt.Sprint(id, version, i)))})
	}
	return e
}

// Whatever is changed, lost or restarted in between: the device ends up with what it shall have, by differences.
func TestRandomHistoryConverges(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		src, _, d, restart := setup(t)
		k := restart()
		k.Begin(dev, d.hello())
		for step := range 120 {
			switch r.IntN(8) {
			case 0, 1:
				src.desired = append(slices.DeleteFunc(src.desired, func(e protocol.Entry) bool { return e.ID == uint64(step) }), entry(uint64(r.IntN(9)), uint64(step), 2))
				slices.SortFunc(src.desired, func(a, b protocol.Entry) int { return protocol.CompareKeys(a.EntryKey, b.EntryKey) })
				src.desired = slices.CompactFunc(src.desired, func(a, b protocol.Entry) bool { return a.ID == b.ID })
			case 2:
				if len(src.desired) > 0 {
					src.desired = slices.Delete(src.desired, 0, 1)
				}
			case 3:
				src.settings.Ping = protocol.Frequency(1 + r.IntN(3))
			case 4:
				src.pending = append(src.pending, protocol.Command{ID: protocol.CommandID(step + 1), Kind: protocol.CommandSnapshot})
			case 5: // an order is under way when the session ends; it may or may not have arrived
				o, err := k.Next(dev)
				if err != nil {
					t.Fatal(err)
				}
				if o != nil && r.IntN(2) == 0 {
					d.apply(o)
				}
				k.Begin(dev, d.hello())
			case 6:
				k = restart()
				k.Begin(dev, d.hello())
			case 7:
				d.drain(k)
			}
		}
		d.drain(k)
		if protocol.DesiredHash(d.set) != protocol.DesiredHash(src.desired) || d.settings != src.settings.Hash() || len(d.commands) != len(src.pending) {
			t.Fatalf("seed %d: the device has %d stacks of %d, %d commands of %d", seed, len(d.set), len(src.desired), len(d.commands), len(src.pending))
		}
		for _, c := range src.pending {
			if !slices.Contains(src.sent, c.ID) {
				t.Fatalf("seed %d: command %v never counted as sent", seed, c.ID)
			}
		}
		if o, err := k.Next(dev); o != nil || err != nil {
			t.Fatalf("seed %d: a device that has everything is told %v, %v", seed, o, err)
		}
	}
}

func TestOnlyTheDifferenceIsToldAfterAHubRestart(t *testing.T) {
	src, _, d, restart := setup(t)
	for i := range uint64(20) {
		src.desired = append(src.desired, entry(i+1, 1, 5))
	}
	k := restart()
	k.Begin(dev, d.hello())
	d.drain(k)
	whole := d.bytes
	src.desired[3] = entry(4, 2, 5)
	k = restart()
	k.Begin(dev, d.hello())
	bodies := d.drain(k)
	if len(bodies) != 1 || len(bodies[0].Desired.Set) != 1 || bodies[0].Settings != nil {
		t.Fatalf("told %d orders", len(bodies))
	}
	if d.bytes*10 > whole {
		t.Errorf("the difference took %d bytes, the whole %d", d.bytes, whole)
	}
}

// An agent that does not know rules of the link leaves them out of the hash of its settings: it is not given them, and is
// not told its settings again and again. When it is updated it is told them.
func TestAnOldAgentIsNotToldOfItsLink(t *testing.T) {
	src, _, d, restart := setup(t)
	src.settings.Link = &protocol.LinkRules{Budget: &protocol.Budget{Hard: 20_000_000}}
	k := restart()
	hello := d.hello()
	hello.Capability = 3
	k.Begin(dev, hello)
	if bodies := d.drain(k); len(bodies) != 1 || bodies[0].Settings == nil || bodies[0].Settings.Link != nil {
		t.Fatalf("an agent of capability 3 is told %+v", bodies)
	}
	hello = d.hello()
	hello.Capability = 3
	k.Begin(dev, hello)
	if bodies := d.drain(k); len(bodies) != 0 {
		t.Errorf("and told again %+v", bodies[0])
	}
	hello = d.hello()
	hello.Capability = 4
	k.Begin(dev, hello)
	if bodies := d.drain(k); len(bodies) != 1 || bodies[0].Settings == nil || bodies[0].Settings.Link.Budget.Hard != 20_000_000 {
		t.Errorf("when it was updated it is told %+v", bodies)
	}
}

func TestUnknownSetIsReplacedWhole(t *testing.T) {
	src, _, d, restart := setup(t)
	src.desired = []protocol.Entry{entry(1, 1, 1)}
	d.set = []protocol.Entry{entry(1, 7, 1), entry(9, 9, 9)} // from another life of the hub
	k := restart()
	k.Begin(dev, d.hello())
	d.drain(k)
	if len(d.set) != 1 || d.set[0].Version != 1 {
		t.Errorf("the device holds %v", d.set)
	}
}

// A device that shall have nothing, and has what is not known here, is told so once.
func TestUnknownSetIsEmptied(t *testing.T) {
	_, _, d, restart := setup(t)
	d.set = []protocol.Entry{entry(1, 7, 1)}
	k := restart()
	k.Begin(dev, d.hello())
	if b := d.drain(k); len(b) != 1 || len(d.set) != 0 {
		t.Errorf("%d orders, the device holds %v", len(b), d.set)
	}
}

// A hub that was restored tells each device once, be it with an empty order, so that it says again what may be lost.
func TestEachDeviceEntersTheEpochOfARestoredHub(t *testing.T) {
	src, store, d, restart := setup(t)
	k := restart()
	k.Begin(dev, d.hello())
	d.drain(k)
	later := func() *Desk { return New(Config{Key: k.c.Key, Epoch: 9, Sources: src, Store: store}) }
	k = later()
	k.Begin(dev, d.hello())
	if o, err := k.Next(dev); err != nil || o == nil {
		t.Fatalf("order %v, %v", o, err)
	}
	k.Begin(dev, d.hello()) // it was lost with the session
	if b := d.drain(k); len(b) != 1 || d.mark.Epoch != 9 {
		t.Errorf("%d orders, the device is at %v", len(b), d.mark)
	}
	k = later()
	k.Begin(dev, d.hello())
	if b := d.drain(k); len(b) != 0 {
		t.Errorf("a device that is there already is told %d orders", len(b))
	}
}

func TestLargeChangesAreSplit(t *testing.T) {
	src, _, d, restart := setup(t)
	k := restart()
	k.Begin(dev, d.hello())
	d.drain(k)
	for i := range uint64(8) {
		src.desired = append(src.desired, entry(i+1, 1, 1024))
	}
	bodies := d.drain(k)
	if len(bodies) < 2 || len(d.set) != 8 {
		t.Errorf("%d orders, the device holds %d stacks", len(bodies), len(d.set))
	}
	for i := range src.desired { // all of them change
		src.desired[i] = entry(uint64(i+1), 2, 1024)
	}
	d.drain(k)
	for _, e := range d.set {
		if e.Version != 2 {
			t.Errorf("stack %d stayed at version %d", e.ID, e.Version)
		}
	}
	src.desired = append(src.desired, entry(99, 1, 5000))
	if _, err := k.Next(dev); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), `"s99"`) {
		t.Errorf("got %v", err)
	}
}

// A device that has seen later orders than this hub remembers still takes orders: the hub was restored, or its clock
// went back.
func TestMarkFollowsTheDevice(t *testing.T) {
	src, _, d, restart := setup(t)
	for _, mark := range []protocol.OrderMark{{Epoch: 1, Seq: uint64(time.Now().Add(time.Hour).UnixMicro())}, {Epoch: 5, Seq: 3}} {
		d.mark = mark
		k := restart()
		k.Begin(dev, d.hello())
		src.settings.Ping++
		d.drain(k)
		if d.settings != src.settings.Hash() {
			t.Errorf("a device at %v takes no orders", mark)
		}
	}
}

func TestWithdrawalIsToldOnceASession(t *testing.T) {
	src, _, d, restart := setup(t)
	k := restart()
	k.Begin(dev, d.hello())
	d.drain(k)
	src.repealed = []protocol.CommandID{5}
	if b := d.drain(k); len(b) != 1 || !slices.Equal(b[0].Repeal, src.repealed) {
		t.Fatalf("told %v", b)
	}
	if b := d.drain(k); len(b) != 0 {
		t.Error("told twice")
	}
	k.Begin(dev, d.hello())
	if b := d.drain(k); len(b) != 1 {
		t.Error("not told again in the next session")
	}
}

// The mark in a hello tells which of the orders under way have arrived, although no acknowledgement came.
func TestHelloTellsWhatArrived(t *testing.T) {
	src, _, d, restart := setup(t)
	k := restart()
	k.Begin(dev, d.hello())
	d.drain(k)
	tell := func(id protocol.CommandID) *protocol.Orders {
		src.pending = append(src.pending, protocol.Command{ID: id, Kind: protocol.CommandSnapshot, NotAfter: 1})
		o, err := k.Next(dev)
		if err != nil || o == nil {
			t.Fatalf("order %v, error %v", o, err)
		}
		return o
	}
	d.apply(tell(1)) // its acknowledgement is lost
	tell(2)          // it is lost itself
	k.Begin(dev, d.hello())
	if !slices.Equal(src.sent, []protocol.CommandID{1}) || !slices.Equal(src.lost, []protocol.CommandID{2}) {
		t.Errorf("arrived: %v, lost: %v", src.sent, src.lost)
	}
}
