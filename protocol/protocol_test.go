package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestFrameRoundTrip(t *testing.T) {
	c := NewCodec()
	hello, err := NewMessage(KindHello, Hello{Capability: 1, BootID: []byte("12345678"), BootCounter: 3, Snapshot: ShortHash{1}})
	if err != nil {
		t.Fatal(err)
	}
	in := &Frame{Session: 5, Seq: 1, Ack: 7, Messages: []Message{hello}}
	b, err := c.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	var h Hello
	if err := out.Messages[0].Decode(&h); err != nil {
		t.Fatal(err)
	}
	if out.Session != 5 || out.Seq != 1 || out.Ack != 7 || h.BootCounter != 3 || h.Snapshot != (ShortHash{1}) || !h.Desired.IsZero() {
		t.Fatalf("got %+v, %+v", out, h)
	}
	t.Logf("hello frame: %d bytes", len(b))
}

func TestFrameRefused(t *testing.T) {
	c := NewCodec()
	bomb := c.plain().EncodeAll(make([]byte, MaxFrameDecoded+1), []byte{codecZstd})
	deep := append([]byte{codecRaw, 0xa1, 4}, bytes.Repeat([]byte{0x81}, MaxNesting+1)...)
	cases := map[string]struct {
		frame []byte
		want  error
	}{
		"empty":          {nil, ErrMalformed},
		"unknown codec":  {[]byte{9, 0xa0}, ErrMalformed},
		"not cbor":       {[]byte{0, 0xff, 0xff}, ErrMalformed},
		"trailing bytes": {[]byte{0, 0xa0, 0xa0}, ErrMalformed},
		"too large":      {make([]byte, MaxFrame+1), ErrTooLarge},
		"zip bomb":       {bomb, ErrTooLarge},
		"too deep":       {append(deep, 0), ErrMalformed},
		"indefinite":     {[]byte{0, 0xbf, 0xff}, ErrMalformed},
		"twice a key":    {[]byte{0, 0xa2, 1, 1, 1, 2}, ErrMalformed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := c.Decode(tc.frame); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestOrders(t *testing.T) {
	hub, hubKey, _ := ed25519.GenerateKey(nil)
	dev, _, _ := ed25519.GenerateKey(nil)
	id := DeviceIDFor(dev)
	body := &OrderBody{Commands: []Command{{ID: NewCommandID(time.Now()), Kind: CommandSnapshot, NotAfter: 9}}}
	o, err := SignOrders(hubKey, id, OrderMark{1, 10}, body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := o.Open(hub, id, OrderMark{1, 9})
	if err != nil || got.Commands[0].ID != body.Commands[0].ID {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, mark := range map[string]OrderMark{"same": {1, 10}, "older": {1, 11}, "older epoch": {2, 0}} {
		if _, err := o.Open(hub, id, mark); !errors.Is(err, ErrReplayed) {
			t.Errorf("%s: got %v, want replayed", name, err)
		}
	}
	if _, err := o.Open(hub, "aaaaaaaaaaaaaaaa", OrderMark{}); !errors.Is(err, ErrBadSignature) {
		t.Errorf("another device: got %v", err)
	}
	o.Seq++
	if _, err := o.Open(hub, id, OrderMark{}); !errors.Is(err, ErrBadSignature) {
		t.Errorf("altered: got %v", err)
	}
}

func TestDesiredDelta(t *testing.T) {
	e := func(id, version uint64) Entry {
		return Entry{EntryKey: EntryKey{EntryStack, id}, Version: version, Name: "s"}
	}
	sets := [][]Entry{nil, {}, {e(1, 1)}, {e(1, 2)}, {e(1, 1), e(2, 1)}, {e(2, 1), e(3, 1)}, {e(3, 2), e(2, 1), e(1, 1)}}
	for _, have := range sets {
		for _, want := range sets {
			d := DesiredDelta(have, want)
			b, err := Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			var back Desired
			if err := Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			got, ok := back.Apply(have)
			if !ok || DesiredHash(got) != DesiredHash(want) || len(got) != len(want) {
				t.Errorf("from %v to %v: got %v, %v", have, want, got, ok)
			}
		}
	}
	d := DesiredDelta(sets[2], sets[4])
	if _, ok := d.Apply(sets[3]); ok {
		t.Error("a delta for another set was applied")
	}
	if len(d.Set) != 1 || d.Set[0].ID != 2 {
		t.Errorf("only what differs travels: %+v", d)
	}
}

func TestValidPath(t *testing.T) {
	for _, good := range []string{"compose.yml", "conf/a.b", "..hidden", "a b"} {
		if err := ValidPath(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "..", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "a\\b", "a\nb", strings.Repeat("a", 256)} {
		if ValidPath(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestTextForms(t *testing.T) {
	in := struct {
		C CommandID
		K CommandKind
		S StackState
		F Frequency
		H Hash
		M Mode
	}{NewCommandID(time.Now()), CommandImageRemove, StackVerify, Every(90 * time.Second), HashOf(nil), ModeStandard}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	out := in
	out.C, out.K, out.S, out.F, out.M, out.H = 0, 0, 0, 0, 0, Hash{}
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Fatalf("%s: got %+v, %v", b, out, err)
	}
	raw, err := Marshal(in.C)
	if err != nil || raw[0]>>5 != 0 {
		t.Fatalf("command id in CBOR: %x, %v: want an unsigned integer", raw, err)
	}
}

func TestConnectionSignature(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(nil)
	boot := Boot{ID: [8]byte{1, 2}, Counter: 77}
	exporter := bytes.Repeat([]byte{7}, 32)
	sig := SignConnection(key, PurposeHTTPS, boot.String(), exporter)
	id, gotBoot, gotSig, err := ParseAuthorization(Authorization(DeviceIDFor(pub), boot, sig))
	if err != nil || id != DeviceIDFor(pub) || gotBoot != boot {
		t.Fatalf("got %v %v %v", id, gotBoot, err)
	}
	good := ConnectionSignature{Purpose: PurposeHTTPS, Detail: gotBoot.String(), Exporter: exporter, Sig: gotSig}
	if err := VerifyConnection(pub, good); err != nil {
		t.Fatal(err)
	}
	other, _, _ := ed25519.GenerateKey(nil)
	if VerifyConnection(other, good) == nil {
		t.Error("a signature of another device was accepted")
	}
	for what, spoil := range map[string]func(*ConnectionSignature){
		"for another carrier":   func(s *ConnectionSignature) { s.Purpose = PurposeMQTT },
		"of another run":        func(s *ConnectionSignature) { s.Detail = Boot{ID: boot.ID, Counter: 78}.String() },
		"of another connection": func(s *ConnectionSignature) { s.Exporter = bytes.Repeat([]byte{8}, 32) },
		"that is too short":     func(s *ConnectionSignature) { s.Sig = s.Sig[:63] },
	} {
		bad := good
		spoil(&bad)
		if VerifyConnection(pub, bad) == nil {
			t.Errorf("a signature %s was accepted", what)
		}
	}
}
