//go:build bench && linux

package benchwire

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/internal/wirelab"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
)

// snapshotRows measures the first snapshot of a host of 25 containers, and the one after a restart of one of them.
func snapshotRows(t *testing.T, r *report) {
	s := newSite(t)
	spec := deviceSpec{
		seed: 20, carrier: protocol.CarrierMQTT, profile: fleet.ProfileSatellite, containers: plantSize,
		settings: protocol.Settings{Snapshot: protocol.FrequencyPush},
	}
	engine := "a fake engine: FARSHORE_TEST_ENGINE is not set"
	var restart func(*device, protocol.Container) error
	if os.Getenv(testengine.EnvHost) != "" {
		engine = "a real Docker Engine with " + fmt.Sprint(plantSize) + " containers of eight Compose projects"
		p := newPlant(t)
		spec.engineHost, spec.storage = p.host, onDisk
		restart = func(_ *device, c protocol.Container) error { return p.restart(t, c.Name) }
	} else {
		restart = func(d *device, c protocol.Container) error {
			return d.engine.ContainerRestart(context.Background(), c.Name, time.Second)
		}
	}
	d := s.device(t, spec)
	d.settled(t, plantSize)
	s.Wire.Quiet(t, 3*time.Second)
	snap, _ := d.snapshot()
	session, first := d.snapshotFrame(t)
	most := 1000 + 72*len(snap.Images)
	r.add(t, row{
		what: "first snapshot of a 25-container host", where: "frame", target: fmt.Sprintf("≤ %s B (1.0 kB + 72 B × %d images)", thousands(most), len(snap.Images)),
		got: thousands(first) + " B", verdict: atMost(first, most), how: engine,
	})
	r.detail("First session and snapshot of a 25-container host", session.String())

	// The least of three: containers start by their own clocks, and a restart may be seen in one snapshot or in two.
	var best wirelab.Traffic
	var bestFrame int
	for i := range 3 {
		c := snap.Containers[3+i]
		mark := s.Wire.Mark()
		if err := restart(d, c); err != nil {
			t.Fatal(err)
		}
		s.until(t, "the restart is reported", time.Minute, func() bool {
			now, _ := d.snapshot()
			for _, x := range now.Containers {
				if x.ID == c.ID {
					return x.Started != c.Started && x.State == protocol.ContainerRunning && x.Health == c.Health
				}
			}
			return false
		})
		s.Wire.Quiet(t, 3*time.Second)
		tr := s.Wire.Since(mark).On(d.last())
		if len(tr.Again()) > 0 {
			continue
		}
		if up, _ := frames(tr); best == nil || sum(up) < bestFrame {
			best, bestFrame = tr, sum(up)
		}
	}
	if best == nil {
		t.Fatal("TCP sent something again each time: the machine is too busy to be measured")
	}
	r.add(t, row{
		what: "snapshot after one container restarted", where: "frame", target: "≤ 90 B", got: fmt.Sprintf("%d B", bestFrame), verdict: atMost(bestFrame, 90), how: engine,
	})
	r.add(t, row{
		what: "snapshot after one container restarted", where: "wire", target: "≤ 330 B", got: fmt.Sprintf("%d B", best.Bytes()), verdict: atMost(best.Bytes(), 330),
		how: "the frame, its acknowledgement by the hub, and what TCP adds",
	})
	r.detail("Snapshot after one container restarted", best.String())
}

// snapshotFrame returns the traffic of a session that the hub has no snapshot for, and the size of the frame with it.
func (d *device) snapshotFrame(t *testing.T) (wirelab.Traffic, int) {
	t.Helper()
	tr := d.site.Wire.Since(0).On(d.last())
	ups, _ := frames(after(t, tr))
	largest := 0
	for _, n := range ups {
		largest = max(largest, n)
	}
	return tr, largest
}

// after is the traffic after the connection was made: after the answer to its first ping.
func after(t *testing.T, tr wirelab.Traffic) wirelab.Traffic {
	t.Helper()
	for i, p := range tr {
		if !p.Up && len(p.Records) > 0 && p.Records[len(p.Records)-1] == mqttPing {
			return tr[i+1:]
		}
	}
	t.Fatal("no connection was made")
	return nil
}

// composeFile is about 4 kB of a file as people write it; port is what the change is about.
func composeFile(port int) []byte {
	var b strings.Builder
	b.WriteString("# Data collection of one production line.\nservices:\n")
	for i, name := range []string{"modbus", "opcua", "broker", "store", "collect", "view", "alarms", "export"} {
		fmt.Fprintf(&b, "  %s:\n    image: registry.plant.example/line/%s:2.%d.1\n    restart: unless-stopped\n", name, name, i)
		fmt.Fprintf(&b, "    environment:\n      LOG_LEVEL: info\n      BROKER_URL: mqtt://broker:1883\n      LINE_NAME: %q\n      POLL_INTERVAL: %ds\n      RETAIN_DAYS: %d\n",
			fmt.Sprintf("line %d of hall %s", i+3, name), 5+i, 7*(i+1))
		fmt.Fprintf(&b, "    labels:\n      owner: automation\n      contact: line-%d@plant.example\n      docs: https://wiki.plant.example/lines/%d/collection#operating\n", i, i)
		fmt.Fprintf(&b, "    ports:\n      - \"%d:%d\"\n", map[bool]int{true: port, false: 9000 + i}[i == 5], 8000+i)
		fmt.Fprintf(&b, "    volumes:\n      - %s-data:/var/lib/%s\n", name, name)
	}
	b.WriteString("volumes:\n")
	for _, name := range []string{"modbus", "opcua", "broker", "store", "collect", "view", "alarms", "export"} {
		fmt.Fprintf(&b, "  %s-data: {}\n", name)
	}
	return []byte(b.String())
}

// stackRows measures what a small change of a stack costs.
func stackRows(t *testing.T, r *report) {
	s := newSite(t)
	d := s.device(t, deviceSpec{seed: 30, carrier: protocol.CarrierMQTT, profile: fleet.ProfileSatellite, storage: onDisk})
	s.until(t, "the device is connected", 30*time.Second, func() bool { return s.hub.Services().Fleet.Liveness(d.id, time.Now()).Connected })
	apply := func(port int) {
		t.Helper()
		_, v, err := s.hub.Services().Planner.Apply(planner.ApplySpec{Name: "line", Files: map[string][]byte{"compose.yml": composeFile(port)}, Author: "bench"})
		if err != nil {
			t.Fatal(err)
		}
		s.until(t, fmt.Sprintf("version %d runs", v.Number), time.Minute, func() bool {
			st := s.hub.Services().Planner.DeviceStacks(d.id)
			return len(st) == 1 && st[0].State == protocol.StackRunning && st[0].Running == v.Number
		})
		s.Wire.Quiet(t, 3*time.Second)
	}
	apply(3000)
	for port := 3001; port <= 3003; port++ { // the third change is the one that counts: nothing is new any more
		mark := s.Wire.Mark()
		apply(port)
		if port < 3003 {
			continue
		}
		tr := s.Wire.Since(mark).On(d.last())
		up, down := frames(tr)
		n := sum(up) + sum(down)
		r.add(t, row{
			what: "one-line change to a 4 kB compose file", where: "frame", target: "≤ 500 B in all", got: fmt.Sprintf("%d B", n), verdict: atMost(n, 500),
			how: fmt.Sprintf("file of %s B, profile `satellite`; frames up %v, down %v: orders with signature, want, patch, status reports and acknowledgements", thousands(len(composeFile(port))), up, down),
		})
		r.add(t, row{what: "the same", where: "wire", got: fmt.Sprintf("%s B", thousands(tr.Bytes())), how: "all packets of the exchange"})
		r.detail("One-line change to a 4 kB compose file", tr.String())
	}
}
