package api_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// planted gives a device that needs no agent.
func planted(n int, group string) fleet.Device {
	key := sha256.Sum256(fmt.Append(nil, "device ", n))
	return fleet.Device{
		ID: protocol.DeviceIDFor(key[:]), Key: key[:], Name: fmt.Sprintf("gw-%05d", n), Group: group,
		Facts:    protocol.Facts{Hostname: fmt.Sprintf("edge-%05d.example", n), Arch: "arm64", OS: "Debian GNU/Linux 12", Engine: "docker 20.10.24", Version: "1.4.2"},
		Approved: time.Now().Unix(),
	}
}

// plant takes devices in that need no agent, with a snapshot where snap gives one.
func (w *world) plant(devices []fleet.Device, snap func(n int) *protocol.Snapshot) {
	w.t.Helper()
	if err := w.Hub().Fleet.AddAll(devices); err != nil {
		w.t.Fatal(err)
	}
	var wait sync.WaitGroup
	next := make(chan int)
	for range 64 { // so that they share transactions
		wait.Go(func() {
			for n := range next {
				if s := snap(n); s != nil {
					w.snapshot(devices[n].ID, s)
				}
			}
		})
	}
	for n := range devices {
		next <- n
	}
	close(next)
	wait.Wait()
}

// snapshot is what a device would send.
func (w *world) snapshot(id protocol.DeviceID, s *protocol.Snapshot) {
	canonical, hash := snapshot.Canonical(*s)
	if _, err := w.Hub().Snapshots.Apply(id, protocol.SnapshotUpdate{Full: canonical, Hash: hash}, time.Now()); err != nil {
		w.t.Error(err)
	}
}

// serve serves the API with other parts.
func (w *world) serve(c api.Config) {
	handler, err := api.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server = httptest.NewTLSServer(handler)
	w.t.Cleanup(w.server.Close)
}

// machine is a snapshot with containers as a real device has them.
func machine(n, containers int) *protocol.Snapshot {
	s := &protocol.Snapshot{}
	images := min(containers, 12)
	for i := range images {
		s.Images = append(s.Images, protocol.Image{
			ID:   sha256.Sum256(fmt.Append(nil, "image ", (n+i)%40)),
			Tags: []string{fmt.Sprintf("registry.example.com/plant/service-%02d:2.%d.0", (n+i)%40, n%5)}, Size: 80 << 20,
		})
	}
	for i := range containers {
		image := i % images
		c := protocol.Container{
			Name: fmt.Sprintf("plant-service-%02d-%d", (n+image)%40, 1+i/images), Image: uint32(image + 1), ImageRef: s.Images[image].Tags[0],
			Created: 1_700_000_000, Started: 1_700_000_100, Project: "plant", Service: fmt.Sprintf("service-%02d", (n+image)%40),
			Ports: []protocol.Port{{Private: 8080, Public: uint16(8000 + i)}}, Labels: map[string]string{"org.opencontainers.image.revision": fmt.Sprintf("%08x", n*i)},
		}
		id := sha256.Sum256(fmt.Append(nil, n, i))
		copy(c.ID[:], id[:])
		s.Containers = append(s.Containers, c)
	}
	return s
}

// cpu is how long the process has worked so far, which other processes on the machine do not change much.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkListDevices asks a hub with 10,000 devices of 25 containers each for what the console shows, from the
// request to the last byte of the answer.
func BenchmarkListDevices(b *testing.B) {
	w := newWorld(b)
	const fleetSize = 10_000
	devices := make([]fleet.Device, fleetSize)
	for n := range devices {
		devices[n] = planted(n, fmt.Sprintf("country-%d/site-%d", n%20, n%400))
		devices[n].Labels = map[string]string{"line": fmt.Sprint(n % 7), "site": fmt.Sprintf("site-%d", n%400)}
		if n%10 > 0 {
			devices[n].Labels[fleet.LabelLat] = fmt.Sprintf("%.4f", float64(n%120)-60+float64(n)/1e5)
			devices[n].Labels[fleet.LabelLon] = fmt.Sprintf("%.4f", float64(n%340)-170+float64(n)/1e5)
		}
	}
	w.plant(devices, func(n int) *protocol.Snapshot { return machine(n, 25) })
	for n := range devices {
		if n%4 > 0 {
			w.Hub().Fleet.Contact(devices[n].ID, time.Now().Add(-time.Duration(n%3000)*time.Second), protocol.CarrierMQTT)
		}
	}
	files := map[string][]byte{"compose.yml": []byte(compose)}
	for _, name := range []string{"a", "b", "c"} {
		w.ask(http.MethodPut, "/stacks/"+name, resource.Apply{Files: files}, nil)
	}
	handler, err := api.New(w.config)
	if err != nil {
		b.Fatal(err)
	}
	get := func(b *testing.B, path string) {
		r := httptest.NewRequest(http.MethodGet, api.Base+path, nil)
		r.Header.Set("Authorization", "Bearer "+w.token)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusOK || rec.Body.Len() < 10 {
			b.Fatalf("%s: %d %.200s", path, rec.Code, rec.Body)
		}
	}
	digest := protocol.Hash(sha256.Sum256([]byte("image 7"))).String()
	for _, c := range []struct{ name, path string }{
		{"first page", "/devices"},
		{"state filter", "/devices?state=overdue&sort=state"},
		{"selector", "/devices?selector=site%3Dsite-17"},
		{"q container", "/devices?q=plant-service-07-2"},
		{"q nothing", "/devices?q=not-there"},
		{"q digest", "/devices?q=sha256:" + digest[:12]},
		{"q short", "/devices?q=z7"},
		{"q two words", "/devices?q=service-07+country-3"},
		{"last page", "/devices?offset=9900&sort=-last_contact"},
		{"sort containers", "/devices?sort=-containers"},
		{"sort stacks", "/devices?sort=stacks"},
		{"stack", "/devices?stack=b"},
		{"trouble", "/devices?trouble=true"},
		{"positions", "/devices/positions"},
		{"export", "/devices/export"},
	} {
		b.Run(c.name, func(b *testing.B) {
			before := cpu(b)
			for b.Loop() {
				get(b, c.path)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N), "ms")
			b.ReportMetric((cpu(b)-before).Seconds()*1e3/float64(b.N), "cpu-ms") // of one core, collecting garbage included
		})
	}
	// The first search after the hub was started reads the snapshot of each device from the disk.
	b.Run("first search", func(b *testing.B) {
		var spent time.Duration
		for range b.N {
			w.RestartHub()
			c := w.config
			h := w.Hub()
			c.Devices, c.Stacks, c.Snapshots = h.Fleet, h.Planner, h.Snapshots
			if handler, err = api.New(c); err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			get(b, "/devices?q=plant-service-07")
			spent += time.Since(began)
		}
		b.ReportMetric(spent.Seconds()*1e3/float64(b.N), "ms")
	})
}
