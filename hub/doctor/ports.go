package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Port looks whether a hub that does not run could listen at an address; flag is what sets it.
func Port(ctx context.Context, flag, address string) []Finding {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		if err := l.Close(); err != nil {
			return Say(Fail, "%s (%s): %v", address, flag, err)
		}
		return Say(OK, "%s (%s) is free", address, flag)
	case errors.Is(err, syscall.EADDRINUSE):
		return Say(Fail, "%s (%s) is held by %s: stop that, or choose another address", address, flag, holder(address))
	case errors.Is(err, fs.ErrPermission):
		return Say(Fail, "%s (%s) is not for this user, as those below 1024 are not: choose a higher port, or give the unit CAP_NET_BIND_SERVICE", address, flag)
	}
	return Say(Fail, "%s (%s) cannot be used: %v", address, flag, err)
}

// holder says who listens on the port, as far as this user may know.
func holder(address string) string {
	const unknown = "another program"
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return unknown
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return unknown
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, inode := range listeners(table, uint16(port)) {
			if who := owner("socket:[" + inode + "]"); who != "" {
				return who
			}
		}
	}
	return unknown
}

// listeners are the sockets of a table of the kernel that listen on a port.
func listeners(table string, port uint16) (inodes []string) {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close() // only read
	end := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		field := strings.Fields(lines.Text()) // 1 is the local address, 3 the state, 9 the inode
		if len(field) > 9 && strings.HasSuffix(field[1], end) && field[3] == "0A" {
			inodes = append(inodes, field[9])
		}
	}
	return inodes
}

// owner finds a process that has the socket open; "": none that this user may look at.
func owner(socket string) string {
	all, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, fd := range all {
		if to, err := os.Readlink(fd); err != nil || to != socket {
			continue
		}
		process := filepath.Dir(filepath.Dir(fd))
		name, err := os.ReadFile(filepath.Join(process, "comm"))
		if err != nil {
			return ""
		}
		return fmt.Sprintf("%q (process %s)", strings.TrimSpace(string(name)), filepath.Base(process))
	}
	return ""
}
