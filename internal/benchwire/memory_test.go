//go:build bench && linux

package benchwire

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/internal/wirelab"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// crowd is how many simulated devices the large figure is for, unless FARSHORE_BENCH_CROWD says otherwise.
const crowd = 1000

// memoryRows measures the real programs, built as releases are: size on disk, and memory of hub and agent.
func memoryRows(t *testing.T, r *report) {
	l := newLab(t)
	bin := build(t)
	many := crowd
	if n, err := strconv.Atoi(os.Getenv("FARSHORE_BENCH_CROWD")); err == nil {
		many = n
	}
	engine, containers := "unix:///nonexistent/docker.sock", "no engine to be found, because FARSHORE_TEST_ENGINE is not set"
	if os.Getenv(testengine.EnvHost) != "" {
		engine, containers = newPlant(t).host, fmt.Sprintf("a real engine with %d containers", plantSize)
	}
	data, key := prepareHub(t, l, many)

	hubProcess := startProcess(t, l.Hub, bin("farshore-hub"), "serve", "--data", data, "--log-level", "error",
		"--listen", net.JoinHostPort(wirelab.HubAddress, strconv.Itoa(publicPort)), "--mqtt-listen", net.JoinHostPort(wirelab.HubAddress, strconv.Itoa(mqttPort)))
	waitOpen(t, l)
	time.Sleep(10 * time.Second)
	r.addMemory(t, row{what: "hub, idle", where: "RSS", got: hubProcess.rss(t), how: fmt.Sprintf("real binary, %s devices known, none connected, 10 s after its start", thousands(many))})

	agent := startProcess(t, l.Device, bin("farshore-agent"), "run", "--data", t.TempDir(), "--edge-key", key, "--engine", engine, "--log-level", "error", "--carrier", "mqtt")
	waitConnected(t, l, 1)
	time.Sleep(30 * time.Second)
	mb := agent.megabytes(t)
	r.addMemory(t, row{
		what: "agent", where: "RSS", target: "≤ 20 MB", got: agent.rss(t), verdict: atMost(mb, 20.0),
		how: "real binary, connected over MQTT for 30 s, state on disk, " + containers,
	})
	for _, n := range []int{20, many} {
		stop := joinCrowd(t, l, key, n)
		waitConnected(t, l, n)
		time.Sleep(30 * time.Second)
		r.addMemory(t, row{
			what: fmt.Sprintf("hub, %s devices connected", thousands(n)), where: "RSS", got: hubProcess.rss(t),
			how: "MQTT over TLS, 30 s after the last one had connected; each has sent its first snapshot",
		})
		stop()
	}
	for _, b := range []struct {
		name   string
		target float64
	}{{"farshore-agent", 15}, {"farshore-hub", 0}, {"farshore-composer", 0}} {
		info, err := os.Stat(bin(b.name))
		if err != nil {
			t.Fatal(err)
		}
		size := float64(info.Size()) / 1e6
		x := row{what: b.name, where: "binary", got: fmt.Sprintf("%.1f MB", size), how: "static, stripped"}
		if b.target > 0 {
			x.target, x.verdict = fmt.Sprintf("≤ %.0f MB", b.target), atMost(size, b.target)
		}
		r.addMemory(t, x)
	}
}

// build builds the programs with the flags of releases.
func build(t *testing.T) (path func(name string) string) {
	t.Helper()
	dir := t.TempDir()
	script := `. scripts/lib.sh; for c in hub edgeagent composer; do go_build $c "` + dir + `/$(binary_name $c)"; done`
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return func(name string) string { return filepath.Join(dir, name) }
}

// memoryState is the state of the i-th simulated device.
func memoryState(i int) *state.Store { return state.NewMemory(uint64(10_000 + i)) }

// prepareHub makes a hub's data folder that knows n simulated devices, and an edge key that lets everybody in.
func prepareHub(t *testing.T, l *lab, n int) (data, key string) {
	t.Helper()
	data = t.TempDir()
	h, err := hub.New(hub.Config{
		Data: data, Listen: fmt.Sprintf("%s:%d", wirelab.HubAddress, publicPort), MQTTListen: fmt.Sprintf("%s:%d", wirelab.HubAddress, mqttPort),
		Log: logger(), ListenFunc: l.Hub.Listen,
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, "hub", h.Run)
	defer stop()
	services := h.Services()
	devices := make([]fleet.Device, n)
	for i := range devices {
		identity := memoryState(i).Identity()
		now := time.Now().Unix()
		devices[i] = fleet.Device{
			ID: identity.ID, Key: identity.Key.Public().(ed25519.PublicKey), Name: fmt.Sprintf("device-%d", i), Mode: protocol.ModeAsync,
			Approved: now, Created: now, ApprovedBy: "bench",
		}
	}
	if err := services.Fleet.AddAll(devices); err != nil {
		t.Fatal(err)
	}
	if _, key, err = services.Waiting.CreateKey(admission.KeySpec{Name: "all", AutoApprove: &waitingroom.Rule{}}); err != nil {
		t.Fatal(err)
	}
	return data, key
}

// process is a program that runs until the test ends.
type process struct{ cmd *exec.Cmd }

func startProcess(t *testing.T, in *wirelab.Namespace, path string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Stderr = os.Stderr
	if err := in.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(15*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	})
	return &process{cmd}
}

// megabytes is the resident set, in MB of 10⁶ bytes.
func (p *process) megabytes(t *testing.T) float64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			return kib * 1024 / 1e6
		}
	}
	t.Fatal("the process has no resident set")
	return 0
}

func (p *process) rss(t *testing.T) string { return fmt.Sprintf("%.1f MB", p.megabytes(t)) }

// waitOpen waits until the hub listens.
func waitOpen(t *testing.T, l *lab) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := l.Device.Dial(context.Background(), "tcp", net.JoinHostPort(wirelab.HubAddress, strconv.Itoa(mqttPort)))
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// waitConnected waits until n connections more than before have had an answer to their first ping.
func waitConnected(t *testing.T, l *lab, n int) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		connected := map[wirelab.Flow]bool{}
		for _, p := range l.Wire.Since(l.counted) {
			if !p.Up && p.Flow.Hub == mqttPort && len(p.Records) > 0 && p.Records[len(p.Records)-1] == mqttPing {
				connected[p.Flow] = true
			}
		}
		if len(connected) >= n {
			l.counted = l.Wire.Mark()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d devices are connected", len(connected), n)
		}
	}
}

// joinCrowd starts n of the devices that the hub knows.
func joinCrowd(t *testing.T, l *lab, key string, n int) (stop func()) {
	t.Helper()
	codec, patcher := protocol.NewCodec(), snapshot.NewPatcher()
	var stops []func()
	for i := range n {
		st := memoryState(i)
		if err := st.SetApproved(state.Approved); err != nil {
			t.Fatal(err)
		}
		engine := fakeengine.New(fakeengine.Config{Seed: uint64(i)})
		engine.Populate(5)
		a, err := edgeagent.New(edgeagent.Config{
			EdgeKey: key, Carrier: protocol.CarrierMQTT, Log: logger(), State: st, Engine: engine, DialContext: l.Device.Dial,
			RunComposer: fakeengine.NewComposer(fakeengine.ComposerConfig{Engine: engine}), Data: t.TempDir(),
			Host:  func() protocol.Host { return fleettest.HostOf(uint64(i)) },
			Facts: func() protocol.Facts { return fleettest.FactsOf(uint64(i)) }, Codec: codec, Patcher: patcher,
		})
		if err != nil {
			t.Fatal(err)
		}
		stopAgent := run(t, "agent", a.Run)
		stops = append(stops, func() { stopAgent(); _ = engine.Close() })
	}
	return func() {
		var all sync.WaitGroup
		for _, s := range stops {
			all.Go(s)
		}
		all.Wait()
	}
}
