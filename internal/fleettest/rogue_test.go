package fleettest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
	"github.com/farshore/farshore/waitingroom"
)

// rogue is a device with a valid key and no manners: what it sends is made by hand. It belongs to one test.
type rogue struct {
	f   *Fleet
	d   *Device
	tr  link.Transport
	win *window.Window
	n   uint64 // sessions opened

	mu     sync.Mutex
	frames []*protocol.Frame // received, guarded by mu
}

// newRogue makes a device that the hub knows, and connects it.
func newRogue(f *Fleet, seed uint64, carrier protocol.Carrier) *rogue {
	f.t.Helper()
	d := f.newDevice(DeviceSpec{Seed: seed})
	d.gone = true
	r := &rogue{f: f, d: d}
	key, err := waitingroom.Parse(d.Spec.EdgeKey)
	if err != nil {
		f.t.Fatal(err)
	}
	cfg := link.Config{
		EdgeKey: key, Key: d.State.Identity().Key, Boot: d.State.Identity().Boot, KeepAlive: time.Minute, DialContext: d.Link.DialContext,
		OnFrame: func(b []byte) {
			frame, err := f.codec.Decode(b)
			if err != nil {
				f.t.Errorf("the hub sent what cannot be read: %v", err)
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.frames = append(r.frames, frame)
		},
		OnDown: func(error) {}, Log: f.log,
	}
	r.tr = link.NewHTTPS(cfg)
	if carrier == protocol.CarrierMQTT {
		r.tr = link.NewMQTT(cfg)
	}
	r.connect()
	f.t.Cleanup(func() { _ = r.tr.Close() })
	r.hello(nil)
	return r
}

func (r *rogue) connect() {
	r.f.t.Helper()
	if err := r.tr.Connect(context.Background()); err != nil {
		r.f.t.Fatal(err)
	}
}

// raw sends bytes as they are. That the connection breaks over them is one of the answers.
func (r *rogue) raw(b []byte) { _ = r.tr.Send(context.Background(), b) }

func (r *rogue) frame(f *protocol.Frame) {
	r.f.t.Helper()
	b, err := r.f.codec.Encode(f)
	if err != nil {
		r.f.t.Fatal(err)
	}
	r.raw(b)
}

func message(kind protocol.Kind, body any) protocol.Message {
	m, err := protocol.NewMessage(kind, body)
	if err != nil {
		panic(err)
	}
	return m
}

// say sends messages in the next frame, and waits for the hub to say something.
func (r *rogue) say(messages ...protocol.Message) {
	r.f.t.Helper()
	r.frame(r.win.Next(messages))
	r.settle()
}

// settle waits until the hub has said what it has to say, and keeps the books.
func (r *rogue) settle() {
	time.Sleep(3 * time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.frames {
		if verdict, _ := r.win.Receive(f); verdict == window.Deliver {
			r.win.Done(f)
		}
	}
}

// hello opens a session.
func (r *rogue) hello(edit func(*protocol.Hello)) {
	r.f.t.Helper()
	r.n++
	boot := r.d.State.Identity().Boot
	r.win = window.New(boot.Counter<<8 + r.n)
	h := protocol.Hello{Capability: protocol.Capability, BootID: boot.ID[:], BootCounter: boot.Counter}
	if edit != nil {
		edit(&h)
	}
	r.say(message(protocol.KindHello, h))
}

// told takes what the hub has said: the codes of its refusals, and how many messages of each kind.
func (r *rogue) told() (codes []protocol.Code, kinds map[protocol.Kind]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds = map[protocol.Kind]int{}
	for _, f := range r.frames {
		for _, m := range f.Messages {
			kinds[m.Kind]++
			var e protocol.Error
			if m.Kind == protocol.KindError && m.Decode(&e) == nil {
				codes = append(codes, e.Code)
			}
		}
	}
	r.frames = nil
	return codes, kinds
}

// works fails the test unless the rogue can hold an ordinary session, on a new connection where it has none.
func (r *rogue) works(after string) {
	r.f.t.Helper()
	_ = r.tr.Close()
	time.Sleep(10 * time.Second) // it was told to slow down
	r.connect()
	r.told()
	r.hello(nil)
	if _, kinds := r.told(); kinds[protocol.KindWelcome] != 1 {
		r.f.t.Errorf("after %s: no welcome, got %s", after, fmt.Sprint(kinds))
	}
}
