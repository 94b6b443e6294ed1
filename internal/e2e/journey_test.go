package e2e

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestJourney is a device's life on each carrier, as an operator sees it.
func TestJourney(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"mqtt", "https"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			h := newHub(t, hubConfig{})
			a := newAgent(t, carrier, e)
			j := &journey{h, a, e, newShop(t, h, e), ""}
			j.join()
			h.connected(j.device, carrier)
			j.live(func() {}, func() {})
		})
	}
}

// TestCarrierSwitchesInTheMiddle lets the network take MQTT away while a device is at work, and then MQTT in a
// WebSocket too; and an operator choose another carrier.
func TestCarrierSwitchesInTheMiddle(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	port, mqttPort := freePort(t), freePort(t)
	public, mqtt := newRelay(t, port), newRelay(t, mqttPort)
	h := newHub(t, hubConfig{port: port, mqtt: mqttPort, args: []string{
		"--public-url", "https://" + address(public.port), "--public-mqtt-url", "mqtts://" + address(mqtt.port),
	}})
	a := newAgent(t, "auto", e)
	j := &journey{h, a, e, newShop(t, h, e), ""}
	j.join()
	h.connected(j.device, "mqtt")
	if mqtt.count() == 0 {
		t.Error("MQTT did not pass the relay")
	}

	j.live(func() {
		// While the first version is on its way: to MQTT in a WebSocket.
		before := public.count()
		mqtt.cut()
		until(t, "the device uses the public port", func() error {
			if public.count() == before {
				return fmt.Errorf("%d connections", before)
			}
			return nil
		})
		h.connected(j.device, "mqtt")
	}, func() {
		// While the second one is: the WebSocket fails twice, which leaves HTTPS. The agent backs off meanwhile, up to
		// 2 + 16 + 32 + 64 s, as the link has just failed.
		public.cut()
		public.mend(2)
		h.connectedWithin(3*patience, j.device, "https")
	})
}

// TestCarrierIsChosenAnew starts an agent with the other carrier while a version is on its way.
func TestCarrierIsChosenAnew(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	a := newAgent(t, "https", e)
	j := &journey{h, a, e, newShop(t, h, e), ""}
	j.join()
	change := func(carrier string) func() {
		return func() {
			a.stop()
			a.carrier = carrier
			a.start()
			h.connected(j.device, carrier)
		}
	}
	j.live(change("mqtt"), change("https"))
}

// journey is one device's life.
type journey struct {
	h      *hub
	a      *agent
	e      *engine
	shop   *shop
	device string
}

// join lets the device in: it knocks with a fresh key and is approved by its pairing code.
func (j *journey) join() {
	j.h.t.Helper()
	j.a.join(j.h.key("field", "--label", "site=oslo"))
	j.device = j.h.admit(j.a, "box")
}

// live is what follows: snapshot, stack, update, commands, removal while the device is off. The two functions are
// called while the first and the second version are on their way.
func (j *journey) live(first, second func()) {
	t, h, s := j.h.t, j.h, j.shop
	t.Helper()
	until(t, "the snapshot is what the engine says", func() error { return snapshotIs(h, j.device, j.e) })
	j.hostIsTold()

	s.apply(j.device, "open")
	first()
	h.runs(s.name, j.device, 1)
	s.shows("open")
	until(t, "the snapshot is what the engine says", func() error { return snapshotIs(h, j.device, j.e) })

	before := j.e.mustRuns(s.name)
	s.apply(j.device, "closed")
	second()
	h.runs(s.name, j.device, 2)
	s.shows("closed")
	s.untouched(before, "till", "clock")
	if now := j.e.mustRuns(s.name); now["web"].ID == before["web"].ID {
		t.Error("the service whose file changed was not recreated")
	}
	j.commands()

	before = j.e.mustRuns(s.name)
	j.a.stop()
	s.remove()
	s.untouched(before, allServices...)
	j.a.start()
	until(t, "the containers are gone", func() error { return j.e.gone(s.name) })
	h.hasNo(s.name)
	until(t, "the snapshot is what the engine says", func() error { return snapshotIs(h, j.device, j.e) })
}

// hostIsTold checks what a snapshot says of the machine beside the engine.
func (j *journey) hostIsTold() {
	t := j.h.t
	t.Helper()
	var got struct {
		Snapshot struct {
			Host struct {
				OS        string `json:"os"`
				DiskTotal uint64 `json:"disk_total"`
				DiskUsed  int    `json:"disk_used_percent"`
				Booted    int64  `json:"booted"`
			} `json:"host"`
			Engine struct {
				API string `json:"api"`
			} `json:"engine"`
		} `json:"snapshot"`
	}
	j.h.get(&got, "snapshot", "show", j.device)
	total, err := diskOf(j.a.data)
	if err != nil {
		t.Fatal(err)
	}
	host := got.Snapshot.Host
	if host.OS == "" || host.DiskTotal != total || host.DiskUsed < 0 || host.DiskUsed > 100 || host.Booted == 0 {
		t.Errorf("the snapshot says of the host: %+v; the disk has %d bytes", host, total)
	}
	if got.Snapshot.Engine.API != "1.41" {
		t.Errorf("the negotiated API version is %q", got.Snapshot.Engine.API)
	}
	var show struct {
		Labels map[string]string `json:"labels"`
	}
	j.h.get(&show, "devices", "show", "box")
	for label, want := range map[string]string{"site": "oslo", "farshore.io/id": j.device, "farshore.io/arch": runtime.GOARCH} {
		if show.Labels[label] != want {
			t.Errorf("label %s is %q, want %q", label, show.Labels[label], want)
		}
	}
}

// commands gives one command of each sort that leaves the stack running.
func (j *journey) commands() {
	t, s := j.h.t, j.shop
	t.Helper()
	starts, err := j.e.starts(s.name, "till")
	if err != nil {
		t.Fatal(err)
	}
	till := s.name + "-till-1"
	j.command("done", "command", "container-restart", "box", till)
	if now, err := j.e.starts(s.name, "till"); err != nil || now != starts+1 {
		t.Errorf("one restart made %d starts of %d (%v)", now, starts, err)
	}
	logs := j.command("done", "command", "container-logs", "box", till)
	if strings.Count(logs.Output, "start") != starts+1 {
		t.Errorf("the container's log, with %d starts, came as %+v", starts+1, logs)
	}
	logs = j.command("done", "command", "container-logs", "box", s.name+"-clock-1", "--tail", "5000")
	// With the space: random base64 may contain the word, but nothing in it is followed by a space.
	if n := strings.Count(logs.Output, "tick "); n != ticks {
		t.Errorf("of a log of %d lines %d came, %d bytes", ticks, n, len(logs.Output))
	}
	failed := j.command("failed", "command", "container-restart", "box", "nobody")
	if !strings.Contains(failed.Text, "nobody") {
		t.Errorf("a command that failed says %q", failed.Text)
	}
	j.command("done", "command", "snapshot", "box")
}

// command gives a command and waits for its end, by the CLI's own --wait. A command that does not end in "done" has
// its own exit code.
func (j *journey) command(want string, args ...string) commandShown {
	t := j.h.t
	t.Helper()
	var given commandShown
	r := j.h.try(append(args, "--wait", "-o", "json")...)
	code := exitOK
	if want != "done" {
		code = exitAwaited
	}
	if r.code != code {
		t.Fatalf("farshore %v: %v", args, r)
	}
	decode(t, r.out, &given)
	if given.State != want || !given.Final {
		t.Errorf("farshore %v: the command is %s (%s), want %s", args, given.State, given.Text, want)
	}
	return given
}
