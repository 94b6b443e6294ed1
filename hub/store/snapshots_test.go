package store

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/fold"
)

const (
	deviceA protocol.DeviceID = "aaaaaaaaaaaaaaaa"
	deviceB protocol.DeviceID = "bbbbbbbbbbbbbbbb"
)

func TestSnapshotSegments(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, ok, err := s.SnapshotHead(deviceA); ok || err != nil {
		t.Fatalf("an empty store has a head: %v, %v", ok, err)
	}
	seg := func(n uint64) fold.Segment {
		return fold.Segment{Number: n, States: []fold.Stored{{At: int64(n), Data: []byte("x")}}}
	}
	for _, n := range []uint64{2, 1, 300, 3} {
		for _, dev := range []protocol.DeviceID{deviceA, deviceB} {
			if err := s.PutSnapshotSegment(dev, seg(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, dev := range []protocol.DeviceID{deviceA, deviceB} {
		head, ok, err := s.SnapshotHead(dev)
		if err != nil || !ok || head.Number != 300 {
			t.Fatalf("head of %s: %+v, %v, %v", dev, head, ok, err)
		}
	}
	if err := s.ReplaceSnapshots(deviceA, []fold.Segment{seg(1), seg(2)}); err != nil {
		t.Fatal(err)
	}
	got, err := s.SnapshotSegments(deviceA)
	if err != nil || !reflect.DeepEqual(got, []fold.Segment{seg(1), seg(2)}) {
		t.Fatalf("after a rewrite: %+v, %v", got, err)
	}
	if got, err := s.SnapshotSegments(deviceB); err != nil || len(got) != 4 {
		t.Fatalf("the other device's history changed: %+v, %v", got, err)
	}
	if err := s.ReplaceSnapshots(deviceA, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.SnapshotHead(deviceA); ok || err != nil {
		t.Fatalf("a forgotten device has a head: %v, %v", ok, err)
	}
}

// TestFoldSurvivesRestart folds into the real store and reads all back after it was closed and opened again.
func TestFoldSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	base := time.Unix(1_760_000_000, 0)
	p := snapshot.NewPatcher()
	var prev []byte
	for part := range 3 {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		f := fold.New(fold.Config{Store: s})
		for i := range 50 {
			n := part*50 + i
			next, hash := snapshot.Canonical(protocol.Snapshot{Host: protocol.Host{Name: fmt.Sprintf("state-%03d", n)}})
			u := protocol.SnapshotUpdate{Hash: hash, Patch: p.Patch(prev, next)}
			if prev == nil {
				u.Patch, u.Full = nil, next
			}
			if needFull, err := f.Apply(deviceA, u, base.Add(time.Duration(n)*time.Minute)); needFull || err != nil {
				t.Fatalf("state %d: %v, %v", n, needFull, err)
			}
			prev = next
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := fold.New(fold.Config{Store: s})
	times, err := f.History(deviceA)
	if err != nil || len(times) != 150 {
		t.Fatalf("%d states in the history, %v", len(times), err)
	}
	for i, at := range times {
		st, err := f.AsOf(deviceA, at.Add(30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if snap, err := st.Snapshot(); err != nil || snap.Host.Name != fmt.Sprintf("state-%03d", i) {
			t.Fatalf("as of %s: %q, %v", at, snap.Host.Name, err)
		}
	}
}

// TestSnapshotGolden reads a segment as version 1 wrote it. The file is never changed.
func TestSnapshotGolden(t *testing.T) {
	path := filepath.Join("testdata", "v1", "snapshot-segment.cbor")
	p := snapshot.NewPatcher()
	first, firstHash := snapshot.Canonical(protocol.Snapshot{Host: protocol.Host{Name: "gateway-7", Booted: 1_760_000_000}})
	second, secondHash := snapshot.Canonical(protocol.Snapshot{Host: protocol.Host{Name: "gateway-7", Booted: 1_760_086_400}})
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode[fold.Segment](snapshotPlace(deviceA, nil), raw)
	if err != nil {
		t.Fatal(err)
	}
	if got.Number != 7 || got.Before != 4096 || got.Oldest != 1_759_900_000 || len(got.States) != 2 ||
		got.States[0].At != 1_760_000_010 || got.States[1].At != 1_760_086_410 {
		t.Fatalf("got %+v", got)
	}
	whole, err := p.Apply(nil, got.States[0].Data)
	if err != nil || string(whole) != string(first) || got.States[0].Hash != firstHash {
		t.Fatalf("first state: %x, %v", whole, err)
	}
	whole, err = p.Apply(whole, got.States[1].Data)
	if err != nil || string(whole) != string(second) || got.States[1].Hash != secondHash {
		t.Fatalf("second state: %x, %v", whole, err)
	}
}

func TestStrays(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const deviceC protocol.DeviceID = "cccccccccccccccc"
	strays := func(known ...protocol.DeviceID) []protocol.DeviceID {
		t.Helper()
		got, err := s.Strays(func(id protocol.DeviceID) bool { return slices.Contains(known, id) })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := strays(); len(got) != 0 {
		t.Errorf("an empty store has strays: %v", got)
	}
	for _, dev := range []protocol.DeviceID{deviceA, deviceB} {
		for _, n := range []uint64{1, 2, 300, 1<<64 - 1} {
			if err := s.PutSnapshotSegment(dev, fold.Segment{Number: n}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, dev := range []protocol.DeviceID{deviceB, deviceC} {
		if err := s.PutAcceptedSet(dev, []byte("sealed")); err != nil {
			t.Fatal(err)
		}
	}
	if got := strays(); !slices.Equal(got, []protocol.DeviceID{deviceA, deviceB, deviceC}) {
		t.Errorf("strays %v; want each once", got)
	}
	if got := strays(deviceB); !slices.Equal(got, []protocol.DeviceID{deviceA, deviceC}) {
		t.Errorf("strays beside a known device: %v", got)
	}
}
