package doctor

import (
	"os"
	"strconv"
	"syscall"
)

// Descriptors that a hub needs beside one for each device: people, files, and what is coming and going.
const spareDescriptors = 1000

// OpenFiles judges the limit of this process, for a hub of so many devices.
func OpenFiles(devices int) []Finding {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return Say(Warn, "the limit cannot be asked for: %v", err)
	}
	used := "unknown"
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		used = strconv.Itoa(len(fds))
	}
	need := uint64(devices + spareDescriptors)
	if l.Cur < need {
		return Say(Warn, "at most %d may be open, and %d devices may need %d: raise LimitNOFILE in the unit (or nofile of the container)", l.Cur, devices, need)
	}
	return Say(OK, "%s of at most %d are open, for %d devices", used, l.Cur, devices)
}
