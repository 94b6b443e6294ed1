package store

import (
	"errors"
	"fmt"
	"io"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/protocol"
)

// Snapshot hands fn a consistent copy of the database: its size, and what writes it. Others go on writing meanwhile,
// but for one that needs a larger map of the file, which waits; so fn must not wait for a slow reader.
func (s *Store) Snapshot(fn func(size int64, copyTo func(io.Writer) error) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		return fn(tx.Size(), func(w io.Writer) error {
			_, err := tx.WriteTo(w)
			return err
		})
	})
}

// Restored says from what the data folder was restored.
type Restored struct {
	// Epoch of the orders that the hub gives since.
	Epoch uint64 `cbor:"1,keyasint"`
	// At is when it was restored, and Backup when the backup was made, both in Unix seconds.
	At     int64 `cbor:"2,keyasint"`
	Backup int64 `cbor:"3,keyasint"`
	// Version of the hub that made the backup.
	Version string `cbor:"4,keyasint"`
	// Told: people were told of it.
	Told bool `cbor:"5,keyasint,omitempty"`
}

func restoredAt() place { return place{bucket: "meta.restored", version: 1, key: []byte("last")} }

// Restored returns what was noted last; the zero value: the folder was never restored.
func (s *Store) Restored() (r Restored, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		r, err = optional[Restored](tx, restoredAt())
		return err
	})
	return r, err
}

// RestoredTold notes that people were told of the restore.
func (s *Store) RestoredTold() error {
	return s.update(func(tx *bbolt.Tx) error {
		r, err := get[Restored](tx, restoredAt())
		if err != nil {
			return err
		}
		r.Told = true
		return put(tx, restoredAt(), r)
	})
}

// MarkRestored makes of the copy of a hub the hub that goes on in its place. Its epoch becomes later than any before.
// Sessions end. Commands that a device had taken are handed out again, since their results may have come after the
// backup: a device runs none twice, and says again what became of it. Those that may not be started any more end as
// interrupted, until the device says otherwise.
func (s *Store) MarkRestored(m backup.Manifest, now time.Time) error {
	return s.update(func(tx *bbolt.Tx) error {
		before, err := optional[Restored](tx, restoredAt())
		if err != nil {
			return err
		}
		err = put(tx, restoredAt(), Restored{
			Epoch: max(before.Epoch+1, uint64(now.Unix())), At: now.Unix(), Backup: m.Created.Unix(), Version: m.Hub,
		})
		if err != nil {
			return err
		}
		if err := tx.DeleteBucket([]byte(sessionAt(access.Hash{}).bucket)); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
			return fmt.Errorf("end sessions: %w", err)
		}
		return reopenCommands(tx, now)
	})
}

// reopenCommands does what MarkRestored says of commands.
func reopenCommands(tx *bbolt.Tx, now time.Time) error {
	var open []commands.Record
	if err := openCommands(tx, &open); err != nil {
		return err
	}
	for _, r := range open {
		switch {
		case r.State != protocol.CommandSent && r.State != protocol.CommandWaiting:
			continue
		case r.NotAfter >= now.Unix():
			r.State, r.SentAt, r.Result = protocol.CommandQueued, 0, protocol.CommandResult{}
		default:
			r.State, r.HubsWord, r.Ended = protocol.CommandInterrupted, true, now.Unix()
			r.Result = protocol.CommandResult{
				ID: r.ID, State: r.State, Text: "the hub was restored from a backup: what became of the command is not known here",
			}
		}
		if err := putCommand(tx, r, commands.DefaultKeep); err != nil {
			return err
		}
	}
	return nil
}

func planAt() place { return place{bucket: "backup", version: 1, key: []byte("plan")} }

// LoadBackups implements backup.Store.
func (s *Store) LoadBackups() (saved backup.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		saved, err = optional[backup.Saved](tx, planAt())
		return err
	})
	return saved, err
}

// PutBackups implements backup.Store.
func (s *Store) PutBackups(saved backup.Saved) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, planAt(), saved) })
}
