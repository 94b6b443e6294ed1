package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The variables by which a run's processes are found.
const (
	runVariable    = "FARSHORE_RUN"
	deviceVariable = "FARSHORE_DEVICE"
)

func (x *Executor) marks(run uint64) []string {
	return []string{runVariable + "=" + strconv.FormatUint(run, 10), deviceVariable + "=" + string(x.cfg.Device)}
}

// process is what /proc says of one.
type process struct {
	pid, parent, session int
	start                uint64
	zombie               bool
}

// processes lists all that are there.
func processes() map[int]process {
	out := map[int]process{}
	dir, err := os.Open("/proc")
	if err != nil {
		return out
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if pid, ok := number(name); ok {
			if p, ok := processOf(pid); ok {
				out[pid] = p
			}
		}
	}
	return out
}

func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}

// processOf reads /proc/PID/stat. The name in it may hold anything, so what follows its last bracket is read.
func processOf(pid int) (p process, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, false
	}
	i := bytes.LastIndexByte(b, ')')
	words := strings.Fields(string(b[i+1:]))
	if i < 0 || len(words) < 20 {
		return p, false
	}
	p.pid = pid
	p.parent, _ = strconv.Atoi(words[1])
	p.session, _ = strconv.Atoi(words[3])
	p.start, _ = strconv.ParseUint(words[19], 10, 64)
	p.zombie = words[0] == "Z" || words[0] == "X"
	return p, true
}

// mostEnviron is how much of a process's environment is read.
const mostEnviron = 2 << 20

// marked reports whether a process was started with the variables of the run.
func (x *Executor) marked(pid int, run uint64) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostEnviron))
	if err != nil {
		return false
	}
	b = append(append([]byte{0}, b...), 0)
	for _, mark := range x.marks(run) {
		if !bytes.Contains(b, []byte("\x00"+mark+"\x00")) {
			return false
		}
	}
	return true
}

// tree is all that a run has started.
type tree struct {
	x   *Executor
	run uint64
	// leader is the process that the run was started as, which is not reaped yet. 0: it is not known.
	leader int
	// session of the run, where the leader may be gone. 0: the leader's.
	session int
}

// find returns the living processes of the run: those with its variables, those of its sessions, and all their children.
func (t *tree) find() []int {
	all := processes()
	self := os.Getpid()
	ours, sessions := map[int]bool{}, map[int]bool{}
	if t.leader != 0 {
		ours[t.leader], sessions[t.leader] = true, true
	}
	if t.session != 0 {
		sessions[t.session] = true
	}
	mine := all[self].session
	for pid, p := range all {
		if pid != self && !p.zombie && t.x.marked(pid, t.run) {
			ours[pid] = true
			if p.session != mine && p.session != 0 {
				sessions[p.session] = true
			}
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, p := range all {
			if pid != self && !ours[pid] && (ours[p.parent] || sessions[p.session]) {
				ours[pid], grown = true, true
			}
		}
	}
	var living []int
	for pid := range ours {
		if p, ok := all[pid]; ok && !p.zombie {
			living = append(living, pid)
		}
	}
	return living
}

// end tells all to end, and kills what is left after the given time. It returns what could not be killed.
func (t *tree) end(patience time.Duration) (left []int) {
	until := time.Now().Add(patience)
	told := map[int]bool{}
	pause := time.Millisecond
	for {
		left = t.find()
		if len(left) == 0 {
			return nil
		}
		now := time.Now()
		kill := now.After(until)
		if now.After(until.Add(dying)) {
			return left
		}
		for _, pid := range left {
			switch {
			case kill:
				signal(pid, unix.SIGKILL)
			case !told[pid]:
				told[pid] = true
				signal(pid, unix.SIGTERM)
				signal(pid, unix.SIGCONT) // one that is stopped would not hear it
			}
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// signal goes through a handle of the process, which is never that of another with the same number.
func signal(pid int, s syscall.Signal) {
	before, ok := processOf(pid)
	p, err := os.FindProcess(pid)
	if err != nil || !ok {
		return
	}
	defer func() { _ = p.Release() }()
	if now, ok := processOf(pid); ok && now.start == before.start {
		_ = p.Signal(s)
	}
}

// noteLeader writes down which process a run is, so that it is found by a later agent even if it has no environment.
func (x *Executor) noteLeader(run uint64, pid int) error {
	p, ok := processOf(pid)
	if !ok {
		return nil // over already
	}
	return os.WriteFile(filepath.Join(x.folder(run), leaderFile), fmt.Appendf(nil, "%d %d %s", pid, p.start, bootID()), 0o600)
}

const leaderFile = "process"

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// Clear implements runner.Executor.
func (x *Executor) Clear(_ context.Context, run uint64) error {
	t := tree{x: x, run: run}
	var pid int
	var start uint64
	var boot string
	if b, err := os.ReadFile(filepath.Join(x.folder(run), leaderFile)); err == nil {
		if n, _ := fmt.Sscan(string(b), &pid, &start, &boot); n == 3 && boot == bootID() {
			if p, ok := processOf(pid); !ok || p.start == start { // else the number is another's now
				t.session = pid
			}
		}
	}
	if left := t.end(leftGentle); len(left) > 0 {
		return fmt.Errorf("processes %v of run %d cannot be killed", left, run)
	}
	x.removeFolder(run)
	return nil
}
