package knock

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"unicode"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// machineSalt keeps the machine id from being given away, as its manual page asks for.
const machineSalt = "farshore machine id 1\x00"

// MachineFacts reads what a machine says of itself from the file system at root ("/" for this machine; a container may see its
// host's elsewhere). What cannot be read is left empty. Engine, version and mode are for the caller to fill in.
func MachineFacts(root string) protocol.Facts {
	f := protocol.Facts{Arch: arch(), Capability: protocol.Capability, OS: osName(root), Serial: serial(root)}
	if f.Hostname = firstLine(root, "etc/hostname"); f.Hostname == "" || root == "/" {
		if h, err := os.Hostname(); err == nil {
			f.Hostname = h
		}
	}
	for _, path := range []string{"etc/machine-id", "var/lib/dbus/machine-id"} {
		if id := firstLine(root, path); len(id) >= 16 && waitingroom.Telling(id) {
			sum := sha256.Sum256([]byte(machineSalt + id))
			f.MachineID = hex.EncodeToString(sum[:16])
			break
		}
	}
	return f
}

// arch is GOARCH, for arm with the version that this binary was built for.
func arch() string {
	if runtime.GOARCH != "arm" {
		return runtime.GOARCH
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GOARM" && s.Value != "" {
				return "arm/v" + s.Value[:1]
			}
		}
	}
	return "arm"
}

func osName(root string) string {
	for _, path := range []string{"etc/os-release", "usr/lib/os-release"} {
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				return tidy(strings.Trim(strings.TrimSpace(v), `"'`))
			}
		}
	}
	return runtime.GOOS
}

// serial is the serial number of the machine or its board, from the device tree or DMI.
func serial(root string) string {
	for _, path := range []string{
		"proc/device-tree/serial-number", "sys/firmware/devicetree/base/serial-number",
		"sys/class/dmi/id/product_serial", "sys/class/dmi/id/board_serial", "sys/class/dmi/id/chassis_serial",
	} {
		if s := firstLine(root, path); waitingroom.Telling(s) {
			return s
		}
	}
	return ""
}

func firstLine(root, path string) string {
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return tidy(line)
}

// tidy removes what is not fit to be shown and bounds the length.
func tidy(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
	if len(s) > protocol.MaxName {
		s = strings.ToValidUTF8(s[:protocol.MaxName], "")
	}
	return s
}
