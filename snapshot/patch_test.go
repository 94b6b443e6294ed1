package snapshot

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/farshore/farshore/protocol"
)

func TestPatchBetweenRandomStates(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	p := NewPatcher()
	var base []byte
	for i := range 60 {
		size := rnd.IntN(40)
		if i%20 == 19 {
			size = 1500 // beyond the small window
		}
		next, _ := Canonical(sample(rnd, size))
		got, err := p.Apply(base, p.Patch(base, next))
		if err != nil || string(got) != string(next) {
			t.Fatalf("state %d (%d containers, base of %d bytes): %v", i, size, len(base), err)
		}
		base = next
	}
}

func TestPatchIsSmall(t *testing.T) {
	p := NewPatcher()
	for n, most := range map[int]int{25: 45, 400: 60, 3000: 250} {
		s := sample(rand.New(rand.NewPCG(5, 6)), n)
		base, _ := Canonical(s)
		s.Containers[n/2].Started += 86461
		next, _ := Canonical(s)
		if size := len(p.Patch(base, next)); size > most {
			t.Errorf("one restart among %d containers (%d bytes): a patch of %d bytes, want at most %d", n, len(base), size, most)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	p := NewPatcher()
	base, _ := Canonical(sample(rnd, 10))
	other, _ := Canonical(sample(rnd, 10))
	next, hash := Canonical(sample(rnd, 12))
	patch := p.Patch(base, next)
	if _, err := p.Apply(other, patch); !errors.Is(err, ErrWrongBase) {
		t.Errorf("another base: got %v", err)
	}
	if _, err := p.Apply(nil, patch); !errors.Is(err, ErrWrongBase) {
		t.Errorf("no base: got %v", err)
	}
	if BaseOf(patch, hash) || !BaseOf(patch, protocol.HashOf(base).Short()) {
		t.Error("the patch does not name its base")
	}
	for i := range patch { // each byte matters: nothing decodes to silent rubbish
		damaged := append([]byte(nil), patch...)
		damaged[i] ^= 0x10
		if got, err := p.Apply(base, damaged); err == nil && string(got) != string(next) {
			t.Errorf("byte %d damaged: decoded to something else", i)
		}
	}
	bomb, err := zstd.NewWriter(nil, zstd.WithEncoderDictRaw(dictionaryID(protocol.HashOf(base).Short()), base))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(base, bomb.EncodeAll(make([]byte, protocol.MaxSnapshot+1), nil)); !errors.Is(err, protocol.ErrTooLarge) {
		t.Errorf("zip bomb: got %v", err)
	}
}

func FuzzApply(f *testing.F) {
	rnd := rand.New(rand.NewPCG(9, 10))
	p := NewPatcher()
	base, _ := Canonical(sample(rnd, 6))
	next, _ := Canonical(sample(rnd, 7))
	f.Add(base, p.Patch(base, next))
	f.Add([]byte(nil), p.Patch(nil, next))
	f.Add(base, []byte("rubbish"))
	f.Fuzz(func(t *testing.T, base, patch []byte) {
		got, err := p.Apply(base, patch)
		if err == nil && len(got) > protocol.MaxSnapshot {
			t.Fatalf("%d bytes came out", len(got))
		}
	})
}

func FuzzDecode(f *testing.F) {
	rnd := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{0, 1, 8} {
		b, _ := Canonical(sample(rnd, n))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		again, _ := Canonical(s) // must take whatever Decode lets in
		if _, err := Decode(again); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkPatch(b *testing.B) {
	s := sample(rand.New(rand.NewPCG(5, 6)), 25)
	base, _ := Canonical(s)
	s.Containers[12].Started += 60
	next, _ := Canonical(s)
	p := NewPatcher()
	patch := p.Patch(base, next)
	b.Run("make", func(b *testing.B) {
		b.ReportMetric(float64(len(patch)), "B/patch")
		for b.Loop() {
			p.Patch(base, next)
		}
	})
	b.Run("apply", func(b *testing.B) {
		for b.Loop() {
			if _, err := p.Apply(base, patch); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := Decode(next); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("canonical", func(b *testing.B) {
		for b.Loop() {
			Canonical(s)
		}
	})
}
