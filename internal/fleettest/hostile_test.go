package fleettest

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// zeros compresses very well.
func zeros(t *testing.T, n int, opts ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, append(opts, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for range n >> 20 {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// harbour is a hub with an honest device, which nothing that the rogue does may affect, and with things of its own.
type harbour struct {
	*Fleet
	honest *Device
	rogue  *rogue
	blob   protocol.Hash
	stack  uint64
}

func newHarbour(t *testing.T, carrier protocol.Carrier) *harbour {
	h := &harbour{Fleet: New(t)}
	h.honest = h.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard, Containers: 20, Labels: map[string]string{"who": "honest"}})
	h.ApplyTo("web", "who=honest", bundle("1", "level: 1\n"))
	h.Settle(10 * time.Minute)
	desired := h.Hub().Planner.Desired(h.honest.ID)
	h.stack, h.blob = desired[0].ID, desired[0].Files[0].Hash
	h.rogue = newRogue(h.Fleet, 66, carrier)
	return h
}

// unharmed checks that the honest device is served as ever.
func (h *harbour) unharmed(t *testing.T, n int, after string) {
	t.Helper()
	id := h.Give(h.honest, restart(containers(h.honest)[n%20]), 0)
	if n >= 20 {
		h.given = nil
	}
	at := time.Now()
	h.Until("after "+after+", a command of another device is done", 5*time.Second, func() bool { return h.State(id) == protocol.CommandDone })
	if took := time.Since(at); took > time.Second {
		t.Errorf("after %s, a command of another device took %s", after, took)
	}
	if o, err := h.Hub().Planner.Get("web"); err != nil || o.States[protocol.StackRunning] != 1 || o.Devices != 1 {
		t.Errorf("after %s, another's stack is %v on %d devices, error %v", after, o.States, o.Devices, err)
	}
}

// Whatever a device with a valid key sends: it gets the code that says what is wrong, the hub and other devices go on,
// and so does the device itself when it behaves.
func TestHostileFrames(t *testing.T) {
	bomb := append([]byte{1}, zeros(t, 512<<20)...)
	for _, carrier := range []protocol.Carrier{protocol.CarrierMQTT, protocol.CarrierHTTPS} {
		t.Run(string(carrier), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour(t, carrier)
				r := h.rogue
				for i, c := range []struct {
					name string
					do   func()
					want protocol.Code // 0: nothing is refused
				}{
					{"nothing", func() { r.raw([]byte{}) }, map[protocol.Carrier]protocol.Code{protocol.CarrierMQTT: protocol.CodeMalformed}[carrier]},
					{"an unknown codec", func() { r.raw([]byte{99, 1, 2, 3}) }, protocol.CodeMalformed},
					{"noise", func() { r.raw([]byte(strings.Repeat("\x00\xff\xfe noise", 100))) }, protocol.CodeMalformed},
					{"a deep frame", func() { r.raw(append([]byte{0}, bytes.Repeat([]byte{0x81}, 200_000)...)) }, protocol.CodeMalformed},
					{"a zip bomb", func() { r.raw(bomb) }, protocol.CodeTooLarge},
					{"too many messages", func() { r.raw(manyMessages(t)) }, protocol.CodeTooLarge},
					{"an unknown kind", func() { r.say(message(99, "hello")) }, 0},
					{"a wrong session", func() { r.frame(&protocol.Frame{Session: 1 << 40, Seq: 2}) }, protocol.CodeHelloWanted},
					{"an acknowledgement of what was never sent", func() { r.frame(&protocol.Frame{Session: r.win.Session(), Ack: 1 << 40}) }, protocol.CodeHelloWanted},
					{"a hello in the middle", func() { r.say(message(protocol.KindHello, protocol.Hello{Capability: 1})) }, protocol.CodeMalformed},
					{"a hello of another run", func() { r.hello(func(h *protocol.Hello) { h.BootCounter = 99 }) }, protocol.CodeMalformed},
					{"a hello with many wishes", func() { r.hello(func(h *protocol.Hello) { h.Wishes = wishes(1000) }) }, protocol.CodeTooLarge},
					{"messages for the other way", func() {
						r.say(message(protocol.KindWelcome, protocol.Welcome{}), message(protocol.KindOrders, protocol.Orders{}), message(protocol.KindChunk, protocol.BlobChunk{}))
					}, 0},
					{"a snapshot that is none", func() {
						r.say(message(protocol.KindSnapshot, protocol.SnapshotUpdate{Full: []byte("rubbish"), Hash: protocol.HashOf([]byte("rubbish")).Short()}))
					}, protocol.CodeMalformed},
					{"a snapshot with another hash", func() {
						r.say(message(protocol.KindSnapshot, protocol.SnapshotUpdate{Full: r.d.Truth(), Hash: protocol.ShortHash{1}}))
					}, protocol.CodeMalformed},
					{"a message body of another type", func() { r.say(message(protocol.KindSnapshot, "text")) }, protocol.CodeMalformed},
					{"a result that is none", func() {
						r.say(message(protocol.KindResult, protocol.CommandResult{ID: 1, State: protocol.CommandQueued}))
					}, protocol.CodeMalformed},
					{"a status that no device can report", func() { r.say(message(protocol.KindStatus, protocol.StackStatus{Stack: h.stack, State: 99})) }, protocol.CodeMalformed},
				} {
					r.told()
					c.do()
					r.settle()
					codes, _ := r.told()
					if c.want == 0 && len(codes) != 0 || c.want != 0 && !slices.Contains(codes, c.want) {
						t.Errorf("%s: told %v, want %v", c.name, codes, c.want)
					}
					h.unharmed(t, i, c.name)
					r.works(c.name)
				}
			})
		})
	}
}

func wishes(n int) map[string]string {
	out := map[string]string{}
	for i := range n {
		out[fmt.Sprint("wish-", i)] = "x"
	}
	return out
}

// manyMessages is a frame that no Codec encodes.
func manyMessages(t *testing.T) []byte {
	t.Helper()
	b, err := protocol.Marshal(&protocol.Frame{Session: 1, Seq: 1, Messages: slices.Repeat([]protocol.Message{message(99, 1)}, 5000)})
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{0}, b...)
}

// A frame that comes twice is processed once, also when a whole session is played again.
func TestReplayedFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t, protocol.CarrierMQTT)
		r := h.rogue
		event := protocol.DeviceEvent{ID: 7, Kind: "disk-full", Text: "once"}
		said := r.win.Next([]protocol.Message{message(protocol.KindEvent, event)})
		for range 5 {
			r.frame(said)
		}
		r.settle()
		r.works("a replay")
		said.Session = r.win.Session()
		r.frame(said) // the same event in a new session, as after a lost acknowledgement
		r.settle()
		n := 0
		for _, kind := range []string{"disk-full", "device.told.disk-full", "device.disk-full"} {
			n += h.Told(kind)
		}
		if n != 1 {
			t.Errorf("the event is there %d times", n)
		}
	})
}

// A device sees and changes nothing of another's: neither its files, nor its stacks, nor its commands.
func TestOthersAreOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t, protocol.CarrierHTTPS)
		r := h.rogue
		h.honest.Disconnect()
		id := h.Give(h.honest, restart(containers(h.honest)[0]), 0)
		time.Sleep(time.Minute)

		r.told()
		r.say(message(protocol.KindWant, protocol.Want{Items: []protocol.WantItem{{Blob: h.blob.Short(), Max: 1 << 20}}}))
		r.mu.Lock()
		for _, f := range r.frames {
			for _, m := range f.Messages {
				var c protocol.BlobChunk
				if m.Kind == protocol.KindChunk && (m.Decode(&c) != nil || !c.Unknown || len(c.Data) > 0) {
					t.Errorf("got a piece of another's file: %+v", c)
				}
			}
		}
		r.mu.Unlock()
		r.say(
			message(protocol.KindStatus, protocol.StackStatus{Stack: h.stack, Version: 1, State: protocol.StackFailed, Rev: 1 << 40}),
			message(protocol.KindStatus, protocol.StackStatus{Stack: h.stack, Version: 1, State: protocol.StackRemoved, Rev: 1 << 41}),
			message(protocol.KindResult, protocol.CommandResult{ID: id, State: protocol.CommandDone}),
			message(protocol.KindOutput, protocol.Output{Command: id, Data: []byte("lies")}),
		)
		if s := h.State(id); s.Final() {
			t.Errorf("another's command is %s", s)
		}
		if out, err := h.Hub().Commands.ReadOutput(id); err == nil && len(out) > 0 {
			t.Errorf("another's command has the output %q", out)
		}
		if o, err := h.Hub().Planner.Get("web"); err != nil || o.Devices != 1 || o.States[protocol.StackFailed] != 0 {
			t.Errorf("another's stack is %v on %d devices, error %v", o.States, o.Devices, err)
		}
		h.honest.Reconnect()
		h.Settle(20 * time.Minute)
		r.works("reaching for others")
	})
}

// A patch that would become huge is refused, and costs bounded memory.
func TestPatchBombs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour(t, protocol.CarrierMQTT)
		r := h.rogue
		base := r.d.Truth()
		r.say(message(protocol.KindSnapshot, protocol.SnapshotUpdate{Full: base, Hash: protocol.HashOf(base).Short()}))
		if got, err := h.Hub().Snapshots.Latest(r.d.ID); err != nil || !bytes.Equal(got.Canonical, base) {
			t.Fatalf("the honest snapshot is not there: %v", err)
		}
		plain := snapshot.NewPatcher().Patch(base, append(slices.Clone(base), 1))
		bomb := zeros(t, 512<<20, zstd.WithEncoderDictRaw(dictOf(t, plain), base))
		before := heap()
		for range 20 {
			r.say(message(protocol.KindSnapshot, protocol.SnapshotUpdate{Patch: bomb, Hash: protocol.ShortHash{1}}))
		}
		if grown := heap() - before; grown > 64<<20 {
			t.Errorf("the heap has grown by %d MB", grown>>20)
		}
		if codes, _ := r.told(); !slices.Contains(codes, protocol.CodeTooLarge) && !slices.Contains(codes, protocol.CodeMalformed) {
			t.Errorf("told %v", codes)
		}
		if got, err := h.Hub().Snapshots.Latest(r.d.ID); err != nil || !bytes.Equal(got.Canonical, base) {
			t.Errorf("the last state has changed: %v", err)
		}
		h.unharmed(t, 0, "patch bombs")
		r.works("patch bombs")
	})
}

// dictOf reads the dictionary id of a zstd frame (RFC 8878, section 3.1.1.1).
func dictOf(t *testing.T, frame []byte) uint32 {
	t.Helper()
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		t.Fatal(err)
	}
	return h.DictionaryID
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Ten thousand frames in a second are not processed: the device is told to slow down, others do not notice, and no memory
// is filled.
func TestFlood(t *testing.T) {
	for _, carrier := range []protocol.Carrier{protocol.CarrierMQTT, protocol.CarrierHTTPS} {
		t.Run(string(carrier), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour(t, carrier)
				r := h.rogue
				r.told()
				id := h.Give(h.honest, restart(containers(h.honest)[0]), 0)
				before := heap()
				event := message(protocol.KindEvent, protocol.DeviceEvent{ID: 1, Kind: "disk-full", Text: strings.Repeat("x", 2000)})
				for i := range floodSize {
					if i%3 == 0 {
						r.frame(&protocol.Frame{Session: r.win.Session(), Seq: uint64(i), Messages: []protocol.Message{event}})
					} else {
						r.raw([]byte("rubbish"))
					}
					if i%100 == 0 {
						time.Sleep(10 * time.Millisecond)
					}
				}
				if s := h.State(id); s != protocol.CommandDone {
					t.Errorf("in the flood, another's command is %s", s)
				}
				codes, _ := r.told()
				if !slices.Contains(codes, protocol.CodeBusy) || len(codes) > floodSize/2 {
					t.Errorf("told %d times; to slow down: %v", len(codes), slices.Contains(codes, protocol.CodeBusy))
				}
				if grown := heap() - before; grown > 32<<20 {
					t.Errorf("the heap has grown by %d MB", grown>>20)
				}
				h.unharmed(t, 1, "a flood")
				r.works("a flood")
			})
		})
	}
}
