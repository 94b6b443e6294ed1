//go:build bench && linux

package benchwire

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/internal/wirelab"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/fold"
)

// foldRows measures how fast the hub takes in patches: with a store in memory, which is decoding and folding, and with
// a real database, which is what a hub does.
func foldRows(t *testing.T, r *report) {
	const target = 20_000
	got := folded(t, &memoryStore{heads: map[protocol.DeviceID]fold.Segment{}}, runtime.NumCPU())
	r.add(t, row{
		what: "frame decode and fold on the hub", where: "2,000 devices", target: "≥ 20,000 patches/s", got: thousands(got.rate()) + " patches/s", verdict: atLeast(got.rate(), target),
		how: "frames of " + fmt.Sprint(got.frame) + " B with a patch for a restart on a host of 25 containers: decoded, applied, verified, kept in memory; " + got.cpu(),
	})
	data := t.TempDir()
	db, err := store.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	file := filepath.Join(data, store.FileName)
	before := lastTransaction(t, file)
	got = folded(t, db, foldDevices)
	r.add(t, row{
		what: "the same, durable in the database", where: "2,000 devices", got: thousands(got.rate()) + " patches/s",
		how: fmt.Sprintf("each device waits until its patch is on disk before it sends the next: %s patches in %s transactions; %s",
			thousands(got.patches), thousands(int(lastTransaction(t, file)-before)), got.cpu()),
	})
}

// folding is what folded has measured.
type folding struct {
	patches, frame int
	took, busy     time.Duration // by the clock, and of all processors together
}

func (f folding) rate() int { return int(float64(f.patches) / f.took.Seconds()) }

func (f folding) cpu() string {
	each := f.busy / time.Duration(f.patches)
	return fmt.Sprintf("%d µs of processor time a patch, so %s patches/s of two processors that do nothing else",
		each.Microseconds(), thousands(int(2*time.Second/each)))
}

// foldDevices is how many devices send patches.
const foldDevices = 2000

// folded takes in patches of the devices for some seconds, of so many devices at once.
func folded(t *testing.T, db fold.Store, atOnce int) folding {
	t.Helper()
	const limit = 5 * time.Second
	f := fold.New(fold.Config{Store: db, Log: logger()})
	codec := protocol.NewCodec()
	states, frames := restartFrames(t, codec)
	id := func(i int) protocol.DeviceID { return protocol.DeviceID(fmt.Sprintf("device%010d", i)) }
	now := time.Now()
	var workers sync.WaitGroup
	for i := range foldDevices {
		workers.Go(func() {
			update := protocol.SnapshotUpdate{Full: states[0], Hash: protocol.HashOf(states[0]).Short()}
			if _, err := f.Apply(id(i), update, now); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	var done atomic.Int64
	busy, start := processorTime(t), time.Now()
	for first := range atOnce {
		workers.Go(func() {
			for n := 0; ; n++ {
				for i := first; i < foldDevices; i += atOnce {
					if time.Since(start) > limit {
						return
					}
					frame, err := codec.Decode(frames[n%2])
					var update protocol.SnapshotUpdate
					if err == nil {
						err = frame.Messages[0].Decode(&update)
					}
					var full bool
					if err == nil {
						full, err = f.Apply(id(i), update, now)
					}
					if err != nil || full {
						t.Error(full, err)
						return
					}
					done.Add(1)
				}
			}
		})
	}
	workers.Wait()
	return folding{patches: int(done.Load()), frame: len(frames[0]), took: time.Since(start), busy: processorTime(t) - busy}
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memoryStore keeps the last segment of each device, and forgets earlier ones.
type memoryStore struct {
	mu    sync.Mutex
	heads map[protocol.DeviceID]fold.Segment
}

// SnapshotHead implements fold.Store.
func (m *memoryStore) SnapshotHead(dev protocol.DeviceID) (fold.Segment, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seg, ok := m.heads[dev]
	return seg, ok, nil
}

// SnapshotSegments implements fold.Store.
func (m *memoryStore) SnapshotSegments(dev protocol.DeviceID) ([]fold.Segment, error) {
	seg, ok, err := m.SnapshotHead(dev)
	if !ok {
		return nil, err
	}
	return []fold.Segment{seg}, err
}

// PutSnapshotSegment implements fold.Store.
func (m *memoryStore) PutSnapshotSegment(dev protocol.DeviceID, seg fold.Segment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heads[dev] = seg
	return nil
}

// ReplaceSnapshots implements fold.Store.
func (m *memoryStore) ReplaceSnapshots(dev protocol.DeviceID, segs []fold.Segment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.heads, dev)
	if len(segs) > 0 {
		m.heads[dev] = segs[len(segs)-1]
	}
	return nil
}

// restartFrames makes two states of a host, and the frames that lead from each to the other.
func restartFrames(t *testing.T, codec *protocol.Codec) (states, frames [2][]byte) {
	t.Helper()
	e := fakeengine.New(fakeengine.Config{Seed: 1})
	e.Populate(plantSize)
	defer e.Close()
	for i := range states {
		o, err := e.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			o.Containers[3].Started += 86_400
			o.Containers[3].Restarts++
		}
		states[i], _ = snapshot.Canonical(protocol.Snapshot{
			Host: fleettest.HostOf(1), Engine: o.Engine, Images: o.Images, Containers: o.Containers, Volumes: o.Volumes, Networks: o.Networks,
		})
	}
	p := snapshot.NewPatcher()
	for i := range frames {
		next := states[1-i]
		m, err := protocol.NewMessage(protocol.KindSnapshot, protocol.SnapshotUpdate{Patch: p.Patch(states[i], next), Hash: protocol.HashOf(next).Short()})
		if err != nil {
			t.Fatal(err)
		}
		if frames[i], err = codec.Encode(&protocol.Frame{Session: 300, Seq: 40, Ack: 20, Messages: []protocol.Message{m}}); err != nil {
			t.Fatal(err)
		}
	}
	return states, frames
}

// lastTransaction reads the number of the last transaction from the two meta pages of a bbolt file.
func lastTransaction(t *testing.T, path string) (last uint64) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	page := os.Getpagesize()
	head := make([]byte, 2*page)
	if _, err := io.ReadFull(file, head); err != nil {
		t.Fatal(err)
	}
	for at := range 2 {
		// A page has a header of 16 bytes; a meta has magic, version, page size and flags of 4 bytes each, a root of 16,
		// the free list and the high water mark of 8 each, and then the transaction's number.
		meta := head[at*page+16:]
		last = max(last, binary.NativeEndian.Uint64(meta[16+16+8+8:]))
	}
	return last
}

// pingRows counts the hub's database transactions while devices do nothing but ping.
func pingRows(t *testing.T, r *report) {
	const devices, watched = 20, 65 * time.Second
	s := newSite(t)
	var all []*device
	for i := range devices {
		all = append(all, s.device(t, deviceSpec{seed: uint64(100 + i), carrier: protocol.CarrierMQTT, containers: 3, settings: protocol.Settings{Ping: 1, Snapshot: 5, Command: 1}}))
	}
	for _, d := range all {
		d.settled(t, 3)
	}
	services := s.hub.Services()
	time.Sleep(35 * time.Second) // what joining has left to be written in batches is written
	file := filepath.Join(s.data, store.FileName)
	began := time.Now()
	mark, before := s.Wire.Mark(), lastTransaction(t, file)
	time.Sleep(watched)
	written := int(lastTransaction(t, file) - before)
	pings := 0
	for _, p := range s.Wire.Since(mark) {
		if p.Up && len(p.Records) == 1 && p.Records[0] == mqttPing {
			pings++
		}
	}
	batches := int(watched/fleet.FlushEvery) + 1
	// Events are written within a second. There should be none; those that there are have a reason other than pings.
	told := eventsSince(t, services.Events, began)
	more := max(0, written-batches-len(told))
	r.add(t, row{
		what: "database writes for a ping", where: "hub", target: "0", got: fmt.Sprintf("%d in %s pings", more, thousands(pings)), verdict: atMost(more, 0),
		how: fmt.Sprintf("%d devices, %s: %d transactions, where at most %d are the batches that keep last contacts, one every %s for the whole fleet, and %d are of events %v",
			devices, watched, written, batches, fleet.FlushEvery, len(told), told),
	})
}

// eventsSince lists what was published from then on.
func eventsSince(t *testing.T, bus *events.Bus, then time.Time) (kinds []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for e := range bus.Subscribe(ctx, bus.Since(then)) {
		kinds = append(kinds, e.Kind+" "+e.Text)
	}
	return kinds
}

// commandRows measures a pushed command from the request to the API until its result is stored.
func commandRows(t *testing.T, r *report) {
	const times = 500
	s := newSite(t)
	d := s.device(t, deviceSpec{seed: 50, carrier: protocol.CarrierMQTT, profile: fleet.ProfileLAN, containers: 5, storage: onDisk})
	d.settled(t, 5)
	give := s.api(t, d)
	snap, _ := d.snapshot()
	ended := make(chan time.Time, 1)
	services := s.hub.Services()
	stream := services.Events.Subscribe(t.Context(), events.FromNow)
	go func() {
		for e := range stream {
			if e.Kind == commands.KindEnded {
				ended <- time.Now()
			}
		}
	}()
	took := make([]time.Duration, 0, times)
	mark := s.Wire.Mark()
	for i := range times {
		start := time.Now()
		give(snap.Containers[i%len(snap.Containers)].Name)
		select {
		case at := <-ended:
			took = append(took, at.Sub(start))
		case <-time.After(30 * time.Second):
			t.Fatal("a command got no result")
		}
	}
	s.Wire.Quiet(t, settle)
	wire := s.Wire.Since(mark).On(d.last()).Bytes() / times
	failed, err := services.Commands.List(commands.Filter{State: protocol.CommandFailed})
	if err != nil || len(failed) > 0 {
		t.Fatal(len(failed), err)
	}
	slices.Sort(took)
	p50, p99 := took[times/2], took[times*99/100]
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
	r.add(t, row{
		what: "push command on a LAN, accepted by API → result stored", where: "time", target: "p99 ≤ 250 ms", got: ms(p99), verdict: atMost(int(p99.Microseconds()), 250_000),
		how: fmt.Sprintf("%d restarts of containers of a fake engine, one after another, from sending the request to the API until the event of the stored result; median %s, most %s. Hub and device keep their state on disk. %d B a command on the wire, snapshots of what it changed included",
			times, ms(p50), ms(took[times-1]), wire),
	})
}

// api signs in and returns a function that asks for the restart of a container.
func (s *site) api(t *testing.T, d *device) (give func(container string)) {
	t.Helper()
	services := s.hub.Services()
	if err := services.Access.SetAdmin("bench", "a long enough password"); err != nil {
		t.Fatal(err)
	}
	token, _, err := services.Access.CreateToken(access.Principal{Name: "bench", Owner: "bench", Kind: access.KindUser, Admin: true}, access.NewToken{Name: "bench"})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		DialContext: s.Hub.Dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	url := fmt.Sprintf("https://%s:%d/api/v1/devices/%s/commands", wirelab.HubAddress, publicPort, d.id)
	return func(container string) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"kind": protocol.CommandContainerRestart, "target": container})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %s", resp.Status, text)
		}
	}
}
