package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

// damagedDir names the folder of the data folders that the process that may die opens.
const damagedDir = "FARSHORE_DAMAGED_DIR"

// opened is what a process saw that opened a data folder, gave a command again that had run, and one that is new.
type opened struct {
	Name, Err  string
	ID         protocol.DeviceID
	Boot       uint64
	EdgeKey    string
	Approved   bool
	Seq        uint64
	Lost       string
	Replayed   bool
	Pending    []protocol.CommandID
	Sent       []string
	Again      string // what the next start has lost
	Rev, Event uint64
}

// TestOpensDamagedFolders is the process of TestDamagedDatabaseDoesNotStopTheDevice.
func TestOpensDamagedFolders(t *testing.T) {
	dir := os.Getenv(damagedDir)
	if dir == "" {
		t.Skip("started by TestDamagedDatabaseDoesNotStopTheDevice only")
	}
	folders, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range folders {
		line, err := json.Marshal(openDamaged(t, filepath.Join(dir, f.Name())))
		must(t, err)
		fmt.Printf("\nopened %s\n", line)
	}
}

func openDamaged(t *testing.T, dir string) (o opened) {
	o.Name = filepath.Base(dir)
	s, err := OpenDisk(dir)
	if err != nil {
		o.Err = err.Error()
		return o
	}
	o.ID, o.Boot, o.EdgeKey, o.Approved = s.Identity().ID, s.Identity().Boot.Counter, s.EdgeKey(), s.Approved()
	o.Seq, o.Lost = s.Orders().Mark.Seq, s.Lost()
	o.Replayed = errors.Is(s.AcceptOrders(Accept{Mark: mark(7), Commands: []protocol.Command{give(50)}}), protocol.ErrReplayed)
	must(t, s.AcceptOrders(Accept{Mark: mark(9), Commands: []protocol.Command{give(40), give(50), give(60)}}))
	for _, c := range s.PendingCommands() {
		o.Pending = append(o.Pending, c.ID)
	}
	o.Sent = sent(t, s)
	must(t, s.PutStatus(protocol.StackStatus{Stack: 1, State: protocol.StackRunning}))
	o.Rev, o.Event = s.data.counters.Rev, s.data.counters.Event
	must(t, s.Close())
	if s, err = OpenDisk(dir); err != nil {
		o.Err = "again: " + err.Error()
		return o
	}
	o.Again = s.Lost()
	must(t, s.Close())
	return o
}

// usedFolder makes the data folder of a device that has done something, and returns its id.
func usedFolder(t *testing.T, dir string) protocol.DeviceID {
	t.Helper()
	s, err := OpenDisk(dir)
	must(t, err)
	must(t, s.SetEdgeKey("fs_edge"))
	must(t, s.SetApproved(Approved))
	set := []protocol.Entry{entry(1, 1, "a"), entry(2, 1, "b")}
	must(t, s.AcceptOrders(Accept{Mark: mark(7), Desired: &set, Commands: []protocol.Command{give(40), give(50)}}))
	must(t, s.FinishCommand(protocol.CommandResult{ID: 40, State: protocol.CommandDone}, nil))
	for _, it := range s.Outbox(1 << 20) {
		must(t, s.AckOutbox([]uint64{it.ID}))
	}
	must(t, s.AcceptOrders(Accept{Mark: mark(8)}))
	must(t, s.StartCommand(50))
	for i := range 40 {
		must(t, s.PutStatus(protocol.StackStatus{Stack: 1, State: protocol.StackDegraded, Detail: strings.Repeat("x", 100*i)}))
		must(t, s.PutEvent("e", strings.Repeat("y", 500)))
	}
	must(t, s.Close())
	return s.Identity().ID
}

func TestDamagedDatabaseDoesNotStopTheDevice(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(t.TempDir(), "made")
	id := usedFolder(t, made)
	total := 0
	folder := func(name string, spoil func(path string, whole []byte) []byte) {
		sub := filepath.Join(dir, name)
		must(t, os.CopyFS(sub, os.DirFS(made)))
		total++
		path := filepath.Join(sub, FileName)
		whole, err := os.ReadFile(path)
		must(t, err)
		if after := spoil(path, whole); after != nil {
			must(t, os.WriteFile(path, after, 0o600))
		}
	}
	page := os.Getpagesize()
	for _, size := range []int{1, page - 1, 2 * page, 3 * page, 5 * page} {
		folder(fmt.Sprintf("cut-%d", size), func(_ string, whole []byte) []byte { return whole[:size] })
	}
	folder("zeros", func(_ string, whole []byte) []byte { return make([]byte, len(whole)) })
	folder("rubbish", func(_ string, whole []byte) []byte { return bytes.Repeat([]byte("x"), len(whole)) })
	folder("pages", func(_ string, whole []byte) []byte {
		r := rand.New(rand.NewPCG(1, 1))
		for i := 2 * page; i < len(whole); i++ {
			whole[i] = byte(r.Uint32())
		}
		return whole
	})
	folder("record", func(path string, _ []byte) []byte {
		db, err := bbolt.Open(path, 0o600, nil)
		must(t, err)
		must(t, db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyMark.key), []byte("rubbish"))
		}))
		must(t, db.Close())
		return nil
	})
	folder("removed", func(path string, _ []byte) []byte { must(t, os.Remove(path)); return nil })
	folder("whole", func(string, []byte) []byte { return nil })
	folder("both", func(path string, whole []byte) []byte {
		must(t, os.WriteFile(filepath.Join(filepath.Dir(path), standingName), []byte("rubbish"), 0o600))
		return whole[:page]
	})

	cmd := exec.Command(os.Args[0], "-test.run=^TestOpensDamagedFolders$")
	cmd.Env = append(os.Environ(), damagedDir+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the process ended: %v\n%s", err, out[max(0, len(out)-3000):])
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		raw, ok := strings.CutPrefix(line, "opened ")
		if !ok {
			continue
		}
		var o opened
		must(t, json.Unmarshal([]byte(raw), &o))
		seen++
		t.Run(o.Name, func(t *testing.T) { checkOpened(t, dir, o, id) })
	}
	if seen != total {
		t.Errorf("%d of %d folders were opened:\n%s", seen, total, out)
	}
}

func checkOpened(t *testing.T, dir string, o opened, id protocol.DeviceID) {
	if o.Err != "" || o.ID != id || o.Again != "" {
		t.Fatalf("%+v, want device %s", o, id)
	}
	aside, err := filepath.Glob(filepath.Join(dir, o.Name, damagedPrefix+"*"))
	must(t, err)
	damaged := o.Name != "removed" && o.Name != "whole"
	if damaged != (len(aside) == 1) || damaged && !strings.Contains(o.Lost, filepath.Base(aside[0])) {
		t.Errorf("set aside: %q; it says %q", aside, o.Lost)
	}
	if told := slices.Contains(o.Sent, "event state-damaged"); told != (o.Name != "whole") {
		t.Errorf("the hub is told: %t: %q", told, o.Sent)
	}
	if o.Name == "both" { // nothing is left but the key: the device joins again
		if o.EdgeKey != "" || o.Approved || o.Boot != 1 {
			t.Errorf("%+v", o)
		}
		return
	}
	if o.EdgeKey != "fs_edge" || !o.Approved || o.Boot != 2 || o.Seq != 8 {
		t.Errorf("the device is not itself any more: %+v", o)
	}
	if !o.Replayed {
		t.Error("an old order is taken again")
	}
	if !slices.Equal(o.Pending, []protocol.CommandID{60}) {
		t.Errorf("pending %v: the command that was started must not run again, the new one must", o.Pending)
	}
	if o.Rev <= 40 || o.Name != "whole" && o.Event <= 40 {
		t.Errorf("status %d, event %d: numbers are given twice", o.Rev, o.Event)
	}
	want := []string{"result 50 interrupted", "result 40 refused"}
	if o.Name == "whole" {
		want[1] = "result 40 done"
	}
	for _, w := range want {
		if !slices.Contains(o.Sent, w) {
			t.Errorf("sent %q, want %q", o.Sent, w)
		}
	}
}

// Losing the database makes nothing unspent, and the copy is not written with each slice.
func TestLostDatabaseMakesNothingUnspent(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenDisk(dir)
	must(t, err)
	writes, last := 0, s.disk.kept.Spent
	const slice, all = 9765, 5_000_000
	for spent := uint64(0); spent < all; spent += slice {
		must(t, s.PutSpending(spending.Record{Day: 20780, First: 20758, Spent: spent, Reserved: slice}))
		if s.disk.kept.Spent != last {
			writes, last = writes+1, s.disk.kept.Spent
		}
	}
	if writes > 60 {
		t.Errorf("the copy was written %d times", writes)
	}
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, FileName)))
	for range 2 {
		s, err = OpenDisk(dir)
		must(t, err)
		got := s.Spending()
		if got.Day != 20780 || got.Reserved < all || got.Reserved > all*17/16+leastAhead {
			t.Errorf("of %d bytes, %+v is left", all, got)
		}
		must(t, s.Close())
	}
}

// Losing the database gives no run a number twice, and what was to run once is known to have been lost with it, from when
// on the device knows the time again.
func TestLostDatabaseRunsNothingOfJobsTwice(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenDisk(dir)
	must(t, err)
	must(t, s.PutJobs(runner.Change{Runs: []runner.Run{{JobRun: protocol.JobRun{ID: 5000, Job: 1}, Stage: runner.Over}}}))
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, FileName)))
	s, err = OpenDisk(dir)
	must(t, err)
	if book := s.Jobs(); book.Last < 5000 || len(book.Runs) > 0 || book.Lost != 0 {
		t.Errorf("of the lost journal there is %+v", book)
	}
	must(t, s.Close())
	s, err = OpenDisk(dir) // a second start before there was contact
	must(t, err)
	s.SetClock(func() time.Time { return time.Unix(1795305600, 0) })
	must(t, s.AcceptOrders(Accept{Mark: mark(1)}))
	if lost := s.Jobs().Lost; lost != 0 {
		t.Errorf("lost at %d before the desired set has come", lost)
	}
	must(t, s.AcceptOrders(Accept{Mark: mark(2), Desired: &[]protocol.Entry{}}))
	must(t, s.Close())
	s, err = OpenDisk(dir)
	must(t, err)
	defer s.Close()
	if lost := s.Jobs().Lost; lost != 1795305600 {
		t.Errorf("lost at %d", lost)
	}
}
