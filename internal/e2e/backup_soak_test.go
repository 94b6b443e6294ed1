//go:build soak

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// crowd is how many simulated devices the hub has.
const crowd = 1000

// envFigures names the file that the figures are written into, beside being printed.
const envFigures = "FARSHORE_E2E_FIGURES"

// TestSoakBackupUnderLoad: a hub of 1,000 devices that write all the time is backed up, killed, and goes on from the
// backup elsewhere. No device joins anew, none is touched, and all are heard of in time again.
func TestSoakBackupUnderLoad(t *testing.T) {
	h := newHub(t, hubConfig{})
	h.cli("groups", "set", "/", "--ping", "20s")
	sim := h.simulate(crowd, 40*time.Second)
	all := h.allOnTime()
	page := filepath.Join(h.dir, "web")
	write(t, filepath.Join(page, "compose.yml"), "services:\n  web:\n    image: acme/web:1\n")
	h.cli("stacks", "apply", "--name", "web", "-f", page)
	h.allRun("web")
	applied := strings.Count(sim.log.text(), "stack applied")
	if applied != crowd {
		t.Errorf("the stack was applied %d times to %d devices", applied, crowd)
	}
	stopWriting := h.keepWriting(all)

	idle := h.memory("VmRSS")
	h.resetPeak()
	began := time.Now()
	file := h.backup()
	made := time.Since(began)
	peak := h.memory("VmHWM")
	stopWriting()
	h.sound("the hub that was backed up")
	database := fileSize(t, filepath.Join(h.data, "farshore.db"))
	h.kill()

	elsewhere := filepath.Join(workDir(t), "hub")
	began = time.Now()
	if r := h.onMachine(h.restoreArgs(file, elsewhere)...); r.code != exitOK {
		t.Fatalf("restore: %v", r)
	}
	restored := time.Since(began)
	h.data = elsewhere
	mark := sim.log.mark()
	began = time.Now()
	h.start()
	h.login()
	again := h.allOnTime()
	converged := time.Since(began)
	h.allRun("web")
	h.sound("the restored hub")
	if !slices.Equal(all, again) {
		t.Errorf("there were %d devices and there are %d, or others", len(all), len(again))
	}
	var waiting []struct{ ID string }
	h.get(&waiting, "waiting", "ls")
	if len(waiting) > 0 {
		t.Errorf("%d devices wait to be let in", len(waiting))
	}
	if n := strings.Count(sim.log.since(mark), "stack applied"); n > 0 {
		t.Errorf("stacks were applied %d times since the restore", n)
	}
	if !sim.running() {
		t.Error("the devices have ended")
	}

	mb := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	figures := fmt.Sprintf(`# Backup and restore of a hub at work

Made by `+"`scripts/bench.sh backup`"+` on %s, %d × %s, load %.14s: %d simulated devices in session over MQTT, a ping
each 20 s, containers that crash and come and go, and a person's changes one after another meanwhile. Hub and devices share
the machine. The backup is locked with a passphrase, which is a part of its time and, for a moment, 128 MiB of the hub's memory.
Devices that find no hub, or a busy one, try again after growing times, up to 10 min: the last of them makes the last time.

| figure | is |
|---|---|
| database | %s |
| backup | %s |
| made and taken, with `+"`farshore backup make`"+` | %.1f s |
| memory of the hub before | %s |
| at most meanwhile | %s |
| restored | %.1f s |
| all devices on time again, from the hub's start | %.0f s |
| devices that joined anew, stacks that were applied anew | 0, 0 |
`, time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOARCH, load, crowd, mb(database), mb(fileSize(t, file)), made.Seconds(),
		mb(idle), mb(peak), restored.Seconds(), converged.Seconds())
	t.Log("\n" + figures)
	if to := os.Getenv(envFigures); to != "" && !t.Failed() {
		if err := os.WriteFile(to, []byte(figures), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// allOnTime waits until all devices are in session and on time, and returns their ids in order.
func (h *hub) allOnTime() (ids []string) {
	h.t.Helper()
	wait(h.t, 10*time.Minute, "all devices are on time", func() error {
		var all []struct {
			ID       string `json:"id"`
			Liveness struct {
				State     string `json:"state"`
				Connected bool   `json:"connected"`
			} `json:"liveness"`
		}
		if err := h.ask(&all, "devices", "ls"); err != nil {
			return err
		}
		ids = nil
		for _, d := range all {
			if d.Liveness.State == "on-time" && d.Liveness.Connected {
				ids = append(ids, d.ID)
			}
		}
		slices.Sort(ids)
		return errors.Join(wanted("the devices that are there", len(all), crowd), wanted("the devices that are on time", len(ids), crowd))
	})
	return ids
}

// allRun waits until the stack runs on all devices.
func (h *hub) allRun(stack string) {
	h.t.Helper()
	wait(h.t, 10*time.Minute, "the stack runs everywhere", func() error {
		var all []stackShown
		if err := h.ask(&all, "stacks", "status", stack); err != nil {
			return err
		}
		states := map[string]int{}
		for _, s := range all {
			states[s.State]++
		}
		if states["running"] != crowd {
			return fmt.Errorf("the states are %v", states)
		}
		return nil
	})
}

// keepWriting changes one device after another, as fast as the hub takes it, until what it returns is called.
func (h *hub) keepWriting(devices []string) (stop func()) {
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			if r := runCLI(h.t, h.configEnv(), "devices", "set", devices[n%len(devices)], "--label", fmt.Sprintf("round=%d", n)); r.code != exitOK {
				h.t.Errorf("a change while a backup is made: %v", r)
				return
			}
		}
	})
	return sync.OnceFunc(func() { close(done); writer.Wait() })
}

// memory reads a line of the kernel's about the hub's process, in bytes.
func (h *hub) memory(line string) int64 {
	h.t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", h.proc.pid))
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kB int64
		if rest, ok := strings.CutPrefix(lines.Text(), line+":"); ok {
			if _, err := fmt.Sscanf(rest, "%d kB", &kB); err == nil {
				return kB << 10
			}
		}
	}
	h.t.Fatalf("the kernel says no %s", line)
	return 0
}

// resetPeak makes the kernel forget the most memory that the hub had.
func (h *hub) resetPeak() {
	h.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.proc.pid), []byte("5"), 0); err != nil {
		h.t.Fatal(err)
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
