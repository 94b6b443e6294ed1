package fold

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

const dev protocol.DeviceID = "aaaaaaaaaaaaaaaa"

// memory is a Store in memory. It is what the benchmark of folding alone runs on; hub/store has its own tests.
type memory struct {
	mu   sync.Mutex
	segs map[protocol.DeviceID][]Segment
	fail error
	puts int
}

func (m *memory) SnapshotHead(dev protocol.DeviceID) (Segment, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.segs[dev]); n > 0 {
		return m.segs[dev][n-1], true, nil
	}
	return Segment{}, false, nil
}

func (m *memory) SnapshotSegments(dev protocol.DeviceID) ([]Segment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.segs[dev]), nil
}

func (m *memory) PutSnapshotSegment(dev protocol.DeviceID, seg Segment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.puts++
	if m.segs == nil {
		m.segs = map[protocol.DeviceID][]Segment{}
	}
	segs := m.segs[dev]
	if n := len(segs); n > 0 && segs[n-1].Number == seg.Number {
		segs[n-1] = seg
		return nil
	}
	m.segs[dev] = append(segs, seg)
	return nil
}

func (m *memory) ReplaceSnapshots(dev protocol.DeviceID, segs []Segment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.puts++
	m.segs[dev] = slices.Clone(segs)
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// host makes a device of n containers in its version-th state.
func host(n, version int) []byte {
	s := protocol.Snapshot{Host: protocol.Host{Name: "gateway", OS: "Debian GNU/Linux 12 (bookworm)", Booted: 1_750_000_000}}
	for i := range n {
		name := fmt.Sprintf("stack-%d-service-1", i)
		s.Containers = append(s.Containers, protocol.Container{
			ID: protocol.HashOf([]byte(name)).Short(), Name: name, Created: 1_750_000_000, Started: 1_750_000_000 + int64(i),
		})
	}
	s.Containers[version%n].Started += int64(version) * 61
	b, _ := snapshot.Canonical(s)
	return b
}

func full(b []byte) protocol.SnapshotUpdate {
	return protocol.SnapshotUpdate{Full: b, Hash: protocol.HashOf(b).Short()}
}

func patch(p *snapshot.Patcher, base, next []byte) protocol.SnapshotUpdate {
	return protocol.SnapshotUpdate{Patch: p.Patch(base, next), Hash: protocol.HashOf(next).Short()}
}

// TestAgainstNaiveModel does random things to a Fold with a tiny cache and to a plain list of states.
func TestAgainstNaiveModel(t *testing.T) {
	type moment struct {
		at    int64
		state []byte
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	p := snapshot.NewPatcher()
	store := &memory{}
	f := New(Config{Store: store, CacheBytes: 5000, DeviceBytes: 1 << 20, Log: quiet()})
	model := map[protocol.DeviceID][]moment{}
	acked := map[protocol.DeviceID][]byte{}
	devices := []protocol.DeviceID{"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc", "dddddddddddddddd"}
	now, caughtUp := int64(1_760_000_000), 0
	for step := range 1200 {
		d := devices[rnd.IntN(len(devices))]
		m := model[d]
		now += int64(rnd.IntN(20))
		next := host(6, rnd.IntN(1000))
		u, foreign, stale := full(next), false, false
		switch what := rnd.IntN(10); {
		case what < 7 && acked[d] != nil:
			u = patch(p, acked[d], next)
			stale = string(acked[d]) != string(m[len(m)-1].state)
		case what < 8: // a patch for something the hub never had
			u, foreign = patch(p, host(7, rnd.IntN(1000)), next), true
		}
		if rnd.IntN(4) == 0 {
			u.At = now - int64(rnd.IntN(100))
		}
		known := len(m) > 0 && protocol.HashOf(m[len(m)-1].state).Short() == u.Hash
		needFull, err := f.Apply(d, u, time.Unix(now, 0))
		if err != nil || needFull != (foreign && !known) && !(needFull && stale) {
			t.Fatalf("step %d: needFull %v, %v", step, needFull, err)
		}
		if stale && needFull {
			acked[d] = nil
		} else if stale {
			caughtUp++
		}
		if !needFull && !known {
			at := now
			if u.At > 0 {
				at = u.At
			}
			if len(m) > 0 {
				at = max(at, m[len(m)-1].at)
			}
			model[d] = append(m, moment{at, next})
			if rnd.IntN(5) > 0 { // else: the acknowledgement is lost
				acked[d] = next
			}
		}
		if len(model[d]) == 0 {
			continue
		}
		m = model[d]
		got, err := f.Latest(d)
		if err != nil || string(got.Canonical) != string(m[len(m)-1].state) || got.At.Unix() != m[len(m)-1].at {
			t.Fatalf("step %d: latest differs, %v", step, err)
		}
		if hash, ok := f.LatestHash(d); !ok || hash != got.Hash {
			t.Fatalf("step %d: the latest has the hash %s, said is %s, %v", step, got.Hash, hash, ok)
		}
		want, at := m[rnd.IntN(len(m))], int64(0)
		at = want.at
		for _, k := range m {
			if k.at <= at {
				want = k
			}
		}
		if got, err = f.AsOf(d, time.Unix(at, 999)); err != nil || string(got.Canonical) != string(want.state) {
			t.Fatalf("step %d: as of %d differs, %v", step, at, err)
		}
	}
	for _, d := range devices {
		times, err := f.History(d)
		if err != nil || len(times) != len(model[d]) {
			t.Fatalf("history of %d states, want %d, %v", len(times), len(model[d]), err)
		}
	}
	if caughtUp < 40 {
		t.Errorf("only %d patches for an earlier state were taken", caughtUp)
	}
	if f.bytes > 5000+3000 {
		t.Errorf("the cache holds %d bytes, bound 5000", f.bytes)
	}
}

func TestBadUpdatesChangeNothing(t *testing.T) {
	p := snapshot.NewPatcher()
	store := &memory{}
	f := New(Config{Store: store, Log: quiet()})
	now := time.Unix(1_760_000_000, 0)
	base := host(5, 0)
	if needFull, err := f.Apply(dev, patch(p, base, host(5, 1)), now); !needFull || err != nil {
		t.Fatalf("a patch for an unknown device: %v, %v", needFull, err)
	}
	if _, err := f.Latest(dev); !errors.Is(err, ErrNone) {
		t.Fatalf("got %v", err)
	}
	if _, err := f.Apply(dev, full(base), now); err != nil {
		t.Fatal(err)
	}
	rubbish := []byte("not a snapshot")
	damaged := patch(p, base, host(5, 1))
	damaged.Patch[len(damaged.Patch)-6] ^= 1
	lying := patch(p, base, host(5, 1))
	lying.Hash[0] ^= 1
	wrongHash := full(host(5, 2))
	wrongHash.Hash[7] ^= 1
	store.puts = 0
	for name, tc := range map[string]struct {
		u        protocol.SnapshotUpdate
		needFull bool
		err      error
	}{
		"damaged patch":          {damaged, true, nil},
		"result of other hash":   {lying, true, nil},
		"neither full nor not":   {protocol.SnapshotUpdate{Hash: protocol.ShortHash{1}}, true, nil},
		"full with wrong hash":   {wrongHash, false, protocol.ErrMalformed},
		"full rubbish":           {full(rubbish), false, protocol.ErrMalformed},
		"patch to rubbish":       {patch(p, base, rubbish), false, protocol.ErrMalformed},
		"larger than a snapshot": {full(make([]byte, protocol.MaxSnapshot+1)), false, protocol.ErrTooLarge},
		"same again":             {full(base), false, nil},
	} {
		needFull, err := f.Apply(dev, tc.u, now)
		if needFull != tc.needFull || !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, %v", name, needFull, err)
		}
	}
	if got, err := f.Latest(dev); err != nil || string(got.Canonical) != string(base) || store.puts != 0 {
		t.Fatalf("something changed: %d writes, %v", store.puts, err)
	}
}

func TestStoreFailureLosesNothing(t *testing.T) {
	p := snapshot.NewPatcher()
	store := &memory{}
	f := New(Config{Store: store, Log: quiet()})
	now := time.Unix(1_760_000_000, 0)
	base, next := host(5, 0), host(5, 1)
	if _, err := f.Apply(dev, full(base), now); err != nil {
		t.Fatal(err)
	}
	store.fail = errors.New("no space left on device")
	if _, err := f.Apply(dev, patch(p, base, next), now); !errors.Is(err, store.fail) {
		t.Fatalf("got %v", err)
	}
	store.fail = nil
	if needFull, err := f.Apply(dev, patch(p, base, next), now); needFull || err != nil {
		t.Fatalf("the same update later: %v, %v", needFull, err)
	}
	if got, _ := f.Latest(dev); string(got.Canonical) != string(next) {
		t.Fatal("the state is not the one sent")
	}
}

func TestDamagedHeadAsksForFull(t *testing.T) {
	p := snapshot.NewPatcher()
	store := &memory{}
	now := time.Unix(1_760_000_000, 0)
	base, next := host(5, 0), host(5, 1)
	if _, err := New(Config{Store: store}).Apply(dev, full(base), now); err != nil {
		t.Fatal(err)
	}
	store.segs[dev][0].States[0].Data[20] ^= 0xff
	f := New(Config{Store: store, Log: quiet()})
	if needFull, err := f.Apply(dev, patch(p, base, next), now); !needFull || err != nil {
		t.Fatalf("%v, %v", needFull, err)
	}
	if _, err := f.Apply(dev, full(next), now); err != nil {
		t.Fatal(err)
	}
	if got, err := New(Config{Store: store}).Latest(dev); err != nil || string(got.Canonical) != string(next) {
		t.Fatalf("after the full one: %v", err)
	}
}

// TestHistoryIsBounded lets a device change each 8 minutes for ten days, and keeps little of it.
func TestHistoryIsBounded(t *testing.T) {
	p := snapshot.NewPatcher()
	store := &memory{}
	const bound = 16 << 10
	f := New(Config{Store: store, DeviceBytes: bound, Log: quiet()})
	start := time.Unix(1_760_000_000, 0)
	prev := host(8, 0)
	if _, err := f.Apply(dev, full(prev), start); err != nil {
		t.Fatal(err)
	}
	now, most := start, 0
	for i := 1; now.Sub(start) < 10*24*time.Hour; i++ {
		now = now.Add(8 * time.Minute)
		next := host(8, i)
		if needFull, err := f.Apply(dev, patch(p, prev, next), now); needFull || err != nil {
			t.Fatal(needFull, err)
		}
		prev = next
		most = max(most, sizeOf(store.segs[dev]))
	}
	times, err := f.History(dev)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("at most %d bytes, %d states at the end, oldest %s back", most, len(times), now.Sub(times[0]))
	if most > bound+maxSegmentBytes/4 {
		t.Errorf("%d bytes were stored, bound %d", most, bound)
	}
	if age := now.Sub(times[0]); age < 6*24*time.Hour || age > 9*24*time.Hour {
		t.Errorf("the oldest state is %s old, want about 7 days", age)
	}
	if !slices.IsSortedFunc(times, time.Time.Compare) {
		t.Error("times go back")
	}
	for back := time.Duration(0); back < 6*24*time.Hour; back += 7 * time.Hour {
		st, err := f.AsOf(dev, now.Add(-back))
		if err != nil {
			t.Fatalf("%s back: %v", back, err)
		}
		if off := now.Add(-back).Sub(st.At); off > 13*time.Hour {
			t.Errorf("%s back the nearest state is %s older", back, off)
		}
	}
}

// TestQuietDeviceKeepsItsStates has a device that changes once a day: nothing within the time kept may be thinned.
func TestQuietDeviceKeepsItsStates(t *testing.T) {
	store := &memory{}
	f := New(Config{Store: store, Log: quiet()})
	start := time.Unix(1_760_000_000, 0)
	const days = 100
	for i := range days {
		if _, err := f.Apply(dev, full(host(8, i)), start.AddDate(0, 0, i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 7 {
		day := days - 1 - i
		st, err := f.AsOf(dev, start.AddDate(0, 0, day).Add(time.Hour))
		if err != nil || string(st.Canonical) != string(host(8, day)) {
			t.Errorf("%d days back: %v", i, err)
		}
	}
	if times, _ := f.History(dev); len(times) > 7+maxSegmentStates+2 {
		t.Errorf("%d states are kept", len(times))
	}
	if err := f.Forget(dev); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Latest(dev); !errors.Is(err, ErrNone) {
		t.Errorf("after Forget: %v", err)
	}
	if hash, ok := f.LatestHash(dev); ok {
		t.Errorf("after Forget there is a state %s", hash)
	}
	if _, err := f.AsOf(dev, start.AddDate(1, 0, 0)); !errors.Is(err, ErrNone) {
		t.Errorf("after Forget: %v", err)
	}
}

func FuzzApply(f *testing.F) {
	base := host(4, 0)
	f.Add(patch(snapshot.NewPatcher(), base, host(4, 1)).Patch, []byte(nil), int64(5))
	f.Add([]byte(nil), host(4, 2), int64(-1))
	now := time.Unix(1_760_000_000, 0)
	f.Fuzz(func(t *testing.T, patch, whole []byte, at int64) {
		fold := New(Config{Store: &memory{}, Log: quiet()})
		if _, err := fold.Apply(dev, full(base), now); err != nil {
			t.Fatal(err)
		}
		u := protocol.SnapshotUpdate{Full: whole, Patch: patch, At: at, Hash: protocol.HashOf(whole).Short()}
		_, _ = fold.Apply(dev, u, now)
		st, err := fold.Latest(dev)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Snapshot(); err != nil || st.At.After(now) {
			t.Fatalf("a bad state was taken: %v, %v", st.At, err)
		}
	})
}

// BenchmarkFold decodes frames with a patch each and folds them in, for 1,000 devices of 25 containers, on all
// processors, with a store in memory.
func BenchmarkFold(b *testing.B) {
	const devices = 1000
	codec, p := protocol.NewCodec(), snapshot.NewPatcher()
	f := New(Config{Store: &memory{}, Log: quiet()})
	a, z := host(25, 1), host(25, 2)
	var frames [2][]byte
	for i, u := range []protocol.SnapshotUpdate{patch(p, a, z), patch(p, z, a)} {
		m, err := protocol.NewMessage(protocol.KindSnapshot, u)
		if err != nil {
			b.Fatal(err)
		}
		if frames[i], err = codec.Encode(&protocol.Frame{Session: 1 << 60, Seq: 1000, Ack: 1000, Messages: []protocol.Message{m}}); err != nil {
			b.Fatal(err)
		}
	}
	now := time.Unix(1_760_000_000, 0)
	var next sync.Mutex
	var turn int
	for i := range devices {
		if _, err := f.Apply(protocol.DeviceID(fmt.Sprintf("device-%09d", i)), full(a), now); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		next.Lock()
		mine := turn
		turn++
		next.Unlock()
		for i := 0; pb.Next(); i++ {
			frame, err := codec.Decode(frames[i/(devices/100)%2])
			if err != nil {
				b.Fatal(err)
			}
			var u protocol.SnapshotUpdate
			if err := frame.Messages[0].Decode(&u); err != nil {
				b.Fatal(err)
			}
			d := protocol.DeviceID(fmt.Sprintf("device-%09d", (mine*devices/100+i%(devices/100))%devices))
			if needFull, err := f.Apply(d, u, now); needFull || err != nil {
				b.Fatal(needFull, err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "patches/s")
}
