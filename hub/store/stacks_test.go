package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

func TestStoredStacksAreReadForEver(t *testing.T) {
	content := []byte("services: {}\n")
	hash := protocol.HashOf(content)
	golden(t, stackAt(7), "stack", stacks.Stack{
		ID: 7, Name: "web", Selector: "site=oslo", Latest: 3, Nonce: 1, RemoveVolumes: true, Removed: 1_760_000_002,
		RemovedBy: "anna", Created: 1_760_000_000, Updated: 1_760_000_001,
	})
	golden(t, versionAt(7, 3), "stack-version", stacks.Version{
		Stack: 7, Number: 3, Files: []protocol.File{{Path: "compose.yml", Hash: hash, Size: int64(len(content))}},
		SealedEnv: []byte{1, 2, 3}, Pull: protocol.PullAlways, Mentions: []string{"FARSHORE_DEVICE_NAME"}, Author: "anna",
		Message: "why", Created: 1_760_000_001,
	})
	golden(t, stackDeviceAt(7, "qz3x4y5w6v7u2t3s"), "stack-device", stacks.DeviceRecord{
		Stack: 7, Device: "qz3x4y5w6v7u2t3s", First: 2, Status: protocol.StackStatus{
			Stack: 7, Version: 3, State: protocol.StackFailed, Rev: 12, Code: "image-unavailable", Detail: "x is not to be had",
			Running: 2, At: 1_760_000_003, Nonce: 1,
		},
	})
	golden(t, blobAt(hash), "blob", content)
}

func TestStoredCommandsAreReadForEver(t *testing.T) {
	golden(t, commandAt(9), "command", commands.Record{
		Command: protocol.Command{
			ID: 9, Kind: protocol.CommandContainerKill, NotAfter: 1_760_086_400, Urgent: true, Target: "web-1", Signal: "HUP",
		},
		Device: "qz3x4y5w6v7u2t3s", By: "anna", Given: 1_760_000_000, State: protocol.CommandDone,
		Result: protocol.CommandResult{
			ID: 9, State: protocol.CommandDone, Text: "ok", Started: 1_760_000_001_000, Ended: 1_760_000_002_000, OutputSize: 5,
		},
		HubsWord: true, SentAt: 1_760_000_001, Repealed: true, RepealedBy: "bert", OutputEnd: 5, OutputLost: true,
		Ended: 1_760_000_002,
	})
	golden(t, commandOutputAt(9, 0), "command-output", []byte("hello"))
}

// A status writes one record of one bucket, whatever the size of the fleet.
func TestStatusTouchesOneRecord(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	stack, err := s.ApplyStack(planner.Change{Stack: stacks.Stack{Name: "web", Latest: 1}})
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		for i := range 5000 {
			r := stacks.DeviceRecord{Stack: stack.ID, Device: protocol.DeviceID(fmt.Sprintf("device%010d", i))}
			if err := put(tx, stackDeviceAt(r.Stack, r.Device), r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before := s.db.Stats().TxStats
	if err := s.PutStackDevice(stacks.DeviceRecord{
		Stack: stack.ID, Device: "device0000002500", Status: protocol.StackStatus{Stack: 1, State: protocol.StackRunning, Rev: 1},
	}); err != nil {
		t.Fatal(err)
	}
	after := s.db.Stats().TxStats
	// A leaf, the branch above it, the bucket's root, and the free list.
	if pages := after.Sub(&before); pages.GetPageCount() > 12 {
		t.Errorf("one status wrote %d pages", pages.GetPageCount())
	}
	if err := s.PutStackDevice(stacks.DeviceRecord{Stack: 99, Device: "device0000002500"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a record of a stack that is not there: %v", err)
	}
}

// A version without the content of its files is refused whole, and a damaged blob is not handed out.
func TestBlobsAreWhatTheirNameSays(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	hash := protocol.HashOf([]byte("right"))
	change := planner.Change{
		Stack:   stacks.Stack{Name: "web", Latest: 1},
		Version: &stacks.Version{Number: 1, Files: []protocol.File{{Path: "compose.yml", Hash: hash, Size: 5}}},
		Blobs:   map[protocol.Hash][]byte{hash: []byte("wrong")},
	}
	if _, err := s.ApplyStack(change); !errors.Is(err, ErrNotFound) {
		t.Errorf("wrong content: %v", err)
	}
	if saved, err := s.LoadStacks(); err != nil || len(saved.Stacks) != 0 {
		t.Errorf("a refused change left %+v, %v", saved, err)
	}
	change.Blobs[hash] = []byte("right")
	if _, err := s.ApplyStack(change); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Blob(hash); err != nil || !bytes.Equal(b, []byte("right")) {
		t.Errorf("%q, %v", b, err)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return put(tx, blobAt(hash), []byte("rotten")) }); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Blob(hash); err == nil {
		t.Errorf("a damaged blob was handed out: %q", b)
	}
}
