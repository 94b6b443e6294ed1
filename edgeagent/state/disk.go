package state

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/farshore/farshore/internal/boltfile"
	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

// SchemaVersion is the version of the data folder's layout that this build reads and writes.
const SchemaVersion = 1

// Names in the data folder.
const (
	FileName    = "agent.db"
	blobsName   = "blobs"
	reserveName = "reserve"
)

// reserveSize is kept free for the journal and the outbox for when others have filled the disk.
const reserveSize = 1 << 20

var schemaKey = []byte("schema")

// disk is the data folder's side of a Store.
type disk struct {
	dir   string
	db    *bbolt.DB
	kept  standing // as in its file
	aside string   // the name of the damaged database that was set aside by this process, or ""
}

// OpenDisk opens or creates the data folder dir. It waits up to 1 s for another agent to let go of it and then fails
// with ErrLocked; a newer folder fails with ErrNewer and stays as it is. Opening counts one boot, and gives the result
// "interrupted" to commands that were running when the agent ended. A full disk does not keep a folder that exists
// from being opened, nor does a damaged database: it is set aside, and the device goes on as itself with empty
// journals, says so in an event, and runs no command again that it may have run.
func OpenDisk(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder %q: %w", dir, diskError(err))
	}
	d := &disk{dir: dir}
	s := &Store{disk: d, data: &data{}, clock: time.Now}
	device, err := d.open(s.data)
	cause := err
	if d.aside != "" {
		s.data = &data{}
		device, err = d.open(s.data)
	}
	if err != nil {
		return nil, err
	}
	if err := s.begin(device, cause); err != nil {
		return nil, errors.Join(fmt.Errorf("open data folder %q: %w", dir, err), d.db.Close())
	}
	return s, nil
}

// open opens the database and fills the mirror from it. It returns the device id that the folder belongs to, "" for a
// fresh one. A damaged database is set aside.
func (d *disk) open(into *data) (device string, err error) {
	path := filepath.Join(d.dir, FileName)
	d.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:        time.Second,
		FreelistType:   bbolt.FreelistMapType,
		NoFreelistSync: true,
		OpenFile:       d.openFile,
	})
	switch {
	case errors.Is(err, boltfile.ErrLocked), errors.Is(err, berrors.ErrTimeout):
		return "", fmt.Errorf("%w: %q: stop the other farshore-agent, or give this one another --data", ErrLocked, d.dir)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("open %q: no permission: run as the folder's owner, or give another --data: %w", path, err)
	case errors.Is(err, ErrDamaged):
		return "", err
	case errors.Is(err, berrors.ErrVersionMismatch):
		return "", fmt.Errorf("open %q: %w: start the newer farshore-agent again, or give this one another --data: %w", path, ErrNewer, err)
	case err != nil:
		return "", fmt.Errorf("open %q: %w", path, diskError(err))
	}
	device, err = d.read(into)
	switch {
	case errors.Is(err, ErrDamaged):
		return "", errors.Join(err, d.setAside(), d.db.Close())
	case err != nil:
		return "", errors.Join(fmt.Errorf("open data folder %q: %w", d.dir, err), d.db.Close())
	}
	return device, nil
}

// begin makes the store of an open database ready for use. device is as in the database; lost is why there was none
// that could be read, or nil.
func (s *Store) begin(device string, lost error) error {
	d := s.disk
	last, ok, err := readStanding(d.dir)
	if err != nil {
		return err
	}
	first := device == ""
	if ok && !first {
		d.kept, s.data.taken = last.Standing, max(s.data.taken, last.Standing.Taken)
	}
	if first && (ok || lost != nil) {
		s.lost = d.lost(lost)
	}
	var lostCommands []protocol.CommandID
	if first && ok {
		device, d.kept = last.Standing.Device, last.Standing
		s.data.takeOver(last.Standing)
		lostCommands = last.Open
	}
	if s.id.Key, err = loadKey(d.dir, device); err != nil {
		return err
	}
	s.id.ID = protocol.DeviceIDFor(s.id.Key.Public().(ed25519.PublicKey))
	if s.blobs, err = openBlobs(filepath.Join(d.dir, blobsName)); err != nil {
		return err
	}
	if err := s.boot(first, lostCommands); err != nil {
		return err
	}
	d.makeReserve()
	return nil
}

// boot runs the transaction of opening. With a full disk it stands in the mirror until it can be written: a device
// that nobody can reach is worse than a boot that is counted late. first is whether the database is empty, open what was
// open in the one that was lost.
func (s *Store) boot(first bool, open []protocol.CommandID) error {
	t := &txn{s: s, d: s.data}
	if first {
		t.put(keyDevice, string(s.id.ID))
		t.ops = append(t.ops, op{bucketMeta, string(schemaKey), binary.BigEndian.AppendUint64(nil, SchemaVersion)})
		t.putStanding()
	}
	t.put(keyBoot, s.data.boot+1)
	s.data.boot++
	s.id.Boot.Counter = s.data.boot
	if _, err := rand.Read(s.id.Boot.ID[:]); err != nil {
		return fmt.Errorf("draw boot id: %w", err)
	}
	t.interruptLost(open)
	t.interruptStarted()
	if s.lost != "" {
		t.setJobsLost(lostJustNow)
		t.putEvent("state-damaged", s.lost)
	}
	if t.err != nil {
		return t.err
	}
	err := s.commit(t)
	if isDiskFull(err) && (!first || s.lost != "") {
		s.unsaved = t.ops
		s.noteDiskFull(err)
		return nil
	}
	return err
}

// write makes ops durable in one transaction.
func (d *disk) write(ops []op) error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		for _, o := range ops {
			b, err := tx.CreateBucketIfNotExists([]byte(o.bucket))
			if err != nil {
				return err
			}
			if o.value == nil {
				err = b.Delete([]byte(o.key))
			} else {
				err = b.Put([]byte(o.key), o.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// checkSchema refuses a newer folder before anything is written.
func (d *disk) checkSchema() error {
	return d.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucketMeta))
		if b == nil {
			return nil
		}
		v := b.Get(schemaKey)
		if len(v) != 8 {
			return fmt.Errorf("%s: %w: no schema version", FileName, ErrDamaged)
		}
		if have := binary.BigEndian.Uint64(v); have > SchemaVersion {
			return fmt.Errorf("%w: schema %d, this build knows %d: start the newer farshore-agent again, or give this one another --data",
				ErrNewer, have, SchemaVersion)
		}
		return nil
	})
}

// load fills the mirror and returns the device id that the folder belongs to, "" for a fresh one.
func (d *disk) load(into *data) (device string, err error) {
	err = d.db.View(func(tx *bbolt.Tx) error {
		var approval uint8
		fields := []struct {
			at   place
			into any
		}{
			{keyDevice, &device},
			{keyBoot, &into.boot},
			{keyEdgeKey, &into.edgeKey},
			{keyApproval, &approval},
			{keyMark, &into.mark},
			{keySettings, &into.settings},
			{keyFloor, &into.floor},
			{keyCounters, &into.counters},
			{keySnapshot, &into.snapshot},
			{keySpending, &into.spending},
			{keyJobsLost, &into.jobsLost},
		}
		for _, f := range fields {
			if err := loadOne(tx, f.at, f.into); err != nil {
				return err
			}
		}
		into.approval = Approval(approval)
		into.taken = into.floor
		return errors.Join(
			loadAll(tx, desiredKey(protocol.EntryKey{}), func(_ []byte, e protocol.Entry) { into.desired = append(into.desired, e) }),
			loadAll(tx, commandKey(0), func(_ []byte, c command) {
				putIn(&into.commands, c.Command.ID, c)
				into.taken = max(into.taken, c.Command.ID)
			}),
			loadAll(tx, outboxKey(0), func(k []byte, it item) { putIn(&into.outbox, binary.BigEndian.Uint64(k), it) }),
			loadAll(tx, statusKey(0), func(_ []byte, st protocol.StackStatus) { putIn(&into.statuses, st.Stack, st) }),
			loadAll(tx, appliedKey(protocol.EntryKey{}), func(_ []byte, a Applied) { putIn(&into.applied, a.Entry.EntryKey, a) }),
			loadAll(tx, cursorKey(0), func(_ []byte, c runner.Cursor) { putIn(&into.cursors, c.Job, c) }),
			loadAll(tx, runKey(0), loadRun(into)),
		)
	})
	return device, err
}

func loadOne(tx *bbolt.Tx, at place, into any) error {
	b := tx.Bucket([]byte(at.bucket))
	if b == nil {
		return nil
	}
	raw := b.Get([]byte(at.key))
	if raw == nil {
		return nil
	}
	return decode(at, raw, into)
}

func loadAll[T any](tx *bbolt.Tx, at place, add func(key []byte, v T)) error {
	b := tx.Bucket([]byte(at.bucket))
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, raw []byte) error {
		var v T
		if err := decode(at, raw, &v); err != nil {
			return err
		}
		add(k, v)
		return nil
	})
}

func putIn[K comparable, V any](m *map[K]V, key K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = v
}

// makeReserve fills the reserve file with bytes that take real space. Without room for it there is none.
func (d *disk) makeReserve() {
	path := filepath.Join(d.dir, reserveName)
	if info, err := os.Stat(path); err == nil && info.Size() == reserveSize {
		return
	}
	if err := durable.Write(path, make([]byte, reserveSize)); err != nil {
		_ = os.Remove(path) // the disk is full or nearly so: what is left is for the journal itself
	}
}

// releaseReserve frees the reserve and reports whether there was one.
func (d *disk) releaseReserve() bool { return os.Remove(filepath.Join(d.dir, reserveName)) == nil }
