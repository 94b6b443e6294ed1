package state

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// goldenFormat is what the first release wrote: bucket, key in hex, value in hex.
const goldenFormat = "testdata/format-1.json"

// written does one of everything that is kept.
func written(t *testing.T, dir string) {
	t.Helper()
	s, err := OpenDisk(dir)
	must(t, err)
	s.SetClock(func() time.Time { return time.Unix(1795305600, 0) })
	settings := protocol.DefaultSettings(protocol.ModeAsync)
	set := []protocol.Entry{entry(7, 3, "a")}
	must(t, s.SetEdgeKey("fsk1_x"))
	must(t, s.SetApproved(Approved))
	must(t, s.AcceptOrders(Accept{Mark: mark(9), Settings: &settings, Desired: &set, Commands: []protocol.Command{
		give(1), give(2), {ID: 3, Kind: protocol.CommandUpdate, NotAfter: 1 << 40, Update: &protocol.Update{Release: []byte{1}}},
	}}))
	must(t, s.StartCommand(1))
	must(t, s.FinishCommand(protocol.CommandResult{ID: 1, State: protocol.CommandDone}, []byte("out")))
	must(t, s.StartCommand(3))
	must(t, s.PutStatus(protocol.StackStatus{Stack: 7, Version: 3, State: protocol.StackRunning, At: 5}))
	must(t, s.PutEvent("engine-absent", "It does not answer."))
	must(t, s.PutApplied(Applied{Entry: set[0], Phase: reconciler.PhaseApplied}))
	must(t, s.SetAckedSnapshot([]byte{0xa0}))
	must(t, s.PutSpending(spent()))
	must(t, s.Close())
}

// spent is a record of spending with all of its fields.
func spent() spending.Record {
	return spending.Record{
		Days: []spending.Day{
			{Day: 20778, Told: 900, Counts: []protocol.UsageCount{{Class: protocol.ClassSession, Up: 400, Down: 500}}},
			{Day: 20779, Counts: []protocol.UsageCount{{Class: protocol.ClassPull, Up: 1, Down: 70_000}}},
		},
		Reserved: 9765, Stage: protocol.SpendingSaving, Cycle: 20778, Soft: 4_000_000, Hard: 5_000_000, Pinged: 20777, Day: 20779, First: 20778, Spent: 70_901,
	}
}

// goldenSpending is what the first release that counted wrote: the value in hex.
const goldenSpending = "testdata/spending-1.hex"

func TestSpendingOfTheFirstReleaseIsRead(t *testing.T) {
	raw, err := os.ReadFile(goldenSpending)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = encode(keySpending, spent())
		must(t, err)
		must(t, os.WriteFile(goldenSpending, []byte(hex.EncodeToString(raw)+"\n"), 0o644))
		t.Fatal("the golden file was made: look at it and run the test again")
	}
	must(t, err)
	value, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	must(t, err)
	var got spending.Record
	must(t, decode(keySpending, value, &got))
	if !reflect.DeepEqual(got, spent()) {
		t.Errorf("read as %+v", got)
	}
}

// goldenJobs is what the first release with jobs wrote: bucket, key in hex, value in hex, on lines of their own.
const goldenJobs = "testdata/jobs-1.txt"

// recorded is a journal of jobs with all fields of its records.
func recorded() runner.Change {
	return runner.Change{
		Cursors: []runner.Cursor{{
			Job: 9, Entry: protocol.HashOf([]byte("e")), Until: 1795305600, From: 1795305500, DoneFrom: 1795305300, DoneTo: 1795305400,
			Schedule: protocol.JobSchedule{Cron: "0 2 * * *", Zone: "UTC", Jitter: 600, Start: 1795300000, End: 1895300000, At: 1},
		}},
		Runs: []runner.Run{{
			JobRun: protocol.JobRun{
				ID: 41, Job: 9, Version: 2, Due: 1795305600, State: protocol.JobFailed, Attempt: 3, Code: -1, Signal: "SIGKILL", Started: 1795305600123,
				Took: 4567, Text: "It failed.", Stdout: &protocol.JobStream{Size: 9, Kept: 8, Follow: 7}, Stderr: &protocol.JobStream{Size: 3, Kept: 2, Follow: 1},
				Command: 77, Until: 1795305700, Count: 5, Clock: true,
			},
			Stage: runner.Over,
		}},
		Reports: []protocol.JobRun{{ID: 41, Job: 9, Version: 2, Due: 1795305600, State: protocol.JobRunning}},
		Output:  []protocol.JobOutput{{Run: 41, Stream: protocol.StreamStderr, Offset: 2, Data: []byte("x"), Attempt: 3}},
	}
}

func TestJournalOfJobsOfTheFirstReleaseIsRead(t *testing.T) {
	raw, err := os.ReadFile(goldenJobs)
	if errors.Is(err, fs.ErrNotExist) {
		dir := t.TempDir()
		s, err := OpenDisk(dir)
		must(t, err)
		must(t, s.PutJobs(recorded()))
		must(t, s.Close())
		var text bytes.Buffer
		each(t, dir, func(bucket string, key, v []byte) {
			if bucket == bucketCursors || bucket == bucketRuns || bucket == bucketOutbox {
				fmt.Fprintf(&text, "%s %x %x\n", bucket, key, v)
			}
		})
		must(t, os.WriteFile(goldenJobs, text.Bytes(), 0o644))
		t.Fatal("the golden file was made: look at it and run the test again")
	}
	must(t, err)
	dir := t.TempDir()
	s, err := OpenDisk(dir)
	must(t, err)
	must(t, s.Close())
	db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		for line := range strings.Lines(string(raw)) {
			var bucket string
			var key, value []byte
			if _, err := fmt.Sscanf(line, "%s %x %x", &bucket, &key, &value); err != nil {
				return err
			}
			b, err := tx.CreateBucketIfNotExists([]byte(bucket))
			if err != nil {
				return err
			}
			if err := b.Put(key, value); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, db.Close())
	s, err = OpenDisk(dir)
	must(t, err)
	defer s.Close()
	want, got := recorded(), s.Jobs()
	if !reflect.DeepEqual(got.Cursors, want.Cursors) || !reflect.DeepEqual(got.Runs, want.Runs) {
		t.Errorf("read as %+v", got)
	}
	must(t, s.PutJobs(runner.Change{Reports: []protocol.JobRun{want.Runs[0].JobRun}}))
	if items := s.Outbox(1 << 20); len(items) != 2 || items[0].Kind != protocol.KindJobRun || items[1].Kind != protocol.KindJobOutput {
		t.Errorf("outbox %+v: the later word on a run replaces that of the first release", items)
	}
}

func TestSpendingIsKept(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		must(t, d.open(t).PutSpending(spent()))
		if got := d.open(t).Spending(); !reflect.DeepEqual(got, spent()) {
			t.Errorf("kept is %+v", got)
		}
	})
}

// An update that does not prove itself leaves the data folder to the release before it. So what is written has the
// record versions that the release before can read, and what that one wrote is read. Whoever changes a format lets one
// release read it before another writes it, and then raises the number here.
func TestFormatServesTheReleaseBefore(t *testing.T) {
	const schema, records, standing = 1, 1, 1
	if SchemaVersion != schema || standingVersion != standing {
		t.Errorf("schema %d and standing %d are written; the release before reads %d and %d", SchemaVersion, standingVersion, schema, standing)
	}
	dir := t.TempDir()
	written(t, dir)
	seen := map[string]bool{}
	each(t, dir, func(bucket string, key, value []byte) {
		seen[bucket] = true
		if bucket == bucketMeta && bytes.Equal(key, schemaKey) {
			return
		}
		var r record
		must(t, protocol.Unmarshal(value, &r))
		if r.Version > records {
			t.Errorf("%s is written with version %d; the release before reads %d", bucket, r.Version, records)
		}
	})
	for _, bucket := range []string{bucketMeta, bucketDesired, bucketCommands, bucketOutbox, bucketStatuses, bucketApplied} {
		if !seen[bucket] {
			t.Errorf("nothing was written to %s", bucket)
		}
	}
}

func TestFolderOfTheFirstReleaseIsRead(t *testing.T) {
	type value struct{ Bucket, Key, Value string }
	dir := t.TempDir()
	raw, err := os.ReadFile(goldenFormat)
	if errors.Is(err, fs.ErrNotExist) {
		written(t, dir)
		var all []value
		each(t, dir, func(bucket string, key, v []byte) {
			if bucket != bucketMeta || string(key) != keyDevice.key {
				all = append(all, value{bucket, hex.EncodeToString(key), hex.EncodeToString(v)})
			}
		})
		raw, err = json.MarshalIndent(all, "", " ")
		must(t, err)
		must(t, os.WriteFile(goldenFormat, append(raw, '\n'), 0o644))
		t.Fatal("the golden file was made: look at it and run the test again")
	}
	must(t, err)
	var all []value
	must(t, json.Unmarshal(raw, &all))
	written(t, dir) // for the device key; all else is replaced
	db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		for _, b := range []string{bucketDesired, bucketCommands, bucketOutbox, bucketStatuses, bucketApplied} {
			must(t, tx.DeleteBucket([]byte(b)))
		}
		for _, v := range all {
			b, err := tx.CreateBucketIfNotExists([]byte(v.Bucket))
			must(t, err)
			key, _ := hex.DecodeString(v.Key)
			content, _ := hex.DecodeString(v.Value)
			must(t, b.Put(key, content))
		}
		return nil
	}))
	must(t, db.Close())
	s, err := OpenDisk(dir)
	must(t, err)
	defer s.Close()
	if s.Lost() != "" || s.EdgeKey() != "fsk1_x" || !s.Approved() || len(s.Desired()) != 1 || len(s.Statuses()) != 1 ||
		len(s.Applied()) != 1 || len(s.PendingCommands()) != 1 || len(s.StartedCommands()) != 1 || s.Orders().Settings == nil {
		t.Errorf("the folder of the first release is not read whole: %v", sent(t, s))
	}
	if got := sent(t, s); len(got) < 3 {
		t.Errorf("outbox %v", got)
	}
}

// each shows every value of a closed folder.
func each(t *testing.T, dir string, show func(bucket string, key, value []byte)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	must(t, db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error { show(string(name), k, v); return nil })
		})
	}))
	must(t, db.Close())
}
