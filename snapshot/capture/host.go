package capture

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

// HostFacts returns a function that reads the facts of the machine, from /proc and the file system that holds dataDir.
// What cannot be read is left out. The function is safe for concurrent use; what would change all the time is held
// still: the time of boot until it moves by more than a minute (the clock was set), disk use until it moves by a
// whole percent.
func HostFacts(dataDir string) func() protocol.Host {
	h := &hostReader{dataDir: dataDir, fixed: protocol.Host{
		OS: osName(), Kernel: kernelVersion(), Arch: arch(), CPUs: uint32(runtime.NumCPU()), Memory: memoryTotal(),
	}}
	return h.read
}

type hostReader struct {
	dataDir string
	fixed   protocol.Host // immutable: what needs a reboot, or a restart of the agent, to change

	// mu guards what is held still.
	mu     sync.Mutex
	booted int64
	used   float64 // percent; the last value told
}

func (h *hostReader) read() protocol.Host {
	out := h.fixed
	out.Name, _ = os.Hostname()
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := bootTime(); now > 0 && (h.booted == 0 || max(now-h.booted, h.booted-now) > 60) {
		h.booted = now
	}
	out.Booted = h.booted
	if total, used, ok := diskUse(h.dataDir); ok {
		out.DiskTotal = total
		if math.Abs(used-h.used) >= 1 {
			h.used = math.Round(used)
		}
		out.DiskUsed = uint8(min(max(h.used, 0), 100))
	}
	return out
}

// osName is PRETTY_NAME of os-release(5).
func osName() string {
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				if plain, err := strconv.Unquote(value); err == nil {
					return plain
				}
				return strings.Trim(value, `'"`)
			}
		}
	}
	return runtime.GOOS
}

func kernelVersion() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// arch is GOARCH, arm with the version that this program was built for.
func arch() string {
	if runtime.GOARCH != "arm" {
		return runtime.GOARCH
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return runtime.GOARCH
	}
	for _, s := range info.Settings {
		if version, _, _ := strings.Cut(s.Value, ","); s.Key == "GOARM" && version != "" {
			return "arm/v" + version
		}
	}
	return runtime.GOARCH
}

// memoryTotal is MemTotal of proc_meminfo(5), in bytes.
func memoryTotal() uint64 {
	n, _ := strconv.ParseUint(strings.TrimSuffix(procField("/proc/meminfo", "MemTotal:"), " kB"), 10, 64)
	return n << 10
}

// bootTime is btime of proc_stat(5), or for machines without one now less the time since boot.
func bootTime() int64 {
	if n, err := strconv.ParseInt(procField("/proc/stat", "btime"), 10, 64); err == nil {
		return n
	}
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	up, err := strconv.ParseFloat(strings.SplitN(string(text), " ", 2)[0], 64)
	if err != nil {
		return 0
	}
	return time.Now().Unix() - int64(up)
}

// procField returns what follows name on its line.
func procField(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20) // the line "intr" of /proc/stat is long on large machines
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
