package hub

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
)

// backupSource is this hub as a backup sees it.
func (h *Hub) backupSource() backup.Source {
	return backup.Source{
		Dir: h.cfg.Data, Database: store.FileName, Snapshot: h.store.Snapshot,
		Version: h.cfg.Version, Schema: store.SchemaVersion, Fingerprint: h.identity.Fingerprint(),
	}
}

// backupDone tells of a backup that the plan has made, or not.
func (h *Hub) backupDone(r backup.Run) {
	if r.Error != "" {
		h.record("backup.plan", "failed: "+r.Error)
		h.events.Publish(events.Event{Kind: "backup.failed", Text: "The planned backup has failed: " + r.Error})
		return
	}
	h.record("backup.plan", "made "+r.File+" in "+r.Folder)
	h.events.Publish(events.Event{Kind: "backup.made", Text: "A backup was made: " + r.File})
}

// tellRestored says once that the hub was put back to an earlier state, and what is not known since.
func (h *Hub) tellRestored() error {
	r, err := h.store.Restored()
	if err != nil || r.At == 0 || r.Told {
		return err
	}
	if err := h.planner.WordsLost(); err != nil {
		return err
	}
	text := fmt.Sprintf("This hub was restored from the backup of %s: what was done on it after that is not known here. "+
		"Revoke again the devices, tokens and edge keys that were revoked since, and look whether stacks were applied since.",
		time.Unix(r.Backup, 0).UTC().Format(time.RFC3339))
	h.events.Publish(events.Event{Kind: "hub.restored", Text: text})
	h.record("backup.restore", "restored from the backup of "+time.Unix(r.Backup, 0).UTC().Format(time.RFC3339)+", made by version "+r.Version)
	h.log.Warn("the hub was restored from a backup", "backup", time.Unix(r.Backup, 0).UTC(), "epoch", r.Epoch)
	return h.store.RestoredTold()
}

// superseded returns what notices devices that took orders of a later epoch than this hub's: a hub with the same key
// was restored from a backup and runs somewhere else. Each device is told of once.
func (h *Hub) superseded(epoch uint64) func(protocol.DeviceID, uint64) {
	var told sync.Map
	return func(id protocol.DeviceID, theirs uint64) {
		if theirs <= max(epoch, 1) {
			return
		}
		if _, again := told.LoadOrStore(id, true); again {
			return
		}
		h.log.Warn("a device took orders of a later life of this hub: a restored copy of it may be running elsewhere", "device", id, "epoch", theirs)
		h.publishSaid(events.Event{
			Kind: "hub.superseded", Device: id,
			Text: "The device says that it took orders of a hub with this key that was restored later than this one: if two run, stop the older",
		})
	}
}

// RestoreConfig says what is restored where.
type RestoreConfig struct {
	// Data is the data folder to be made: one that is missing or empty.
	Data string
	// From is the backup, and Key what opens it.
	From io.Reader
	Key  backup.Key
	// Version of this build.
	Version string
}

// Restore makes a data folder of a backup of this or an earlier version, whole or not at all. The hub that starts on it
// is known to devices as the one that was backed up, and goes on in its place.
func Restore(ctx context.Context, c RestoreConfig) (backup.Manifest, error) {
	return backup.Restore(ctx, backup.Restoration{
		Data: c.Data, From: c.From, Key: c.Key, First: store.FileName, Last: identity.HubKeyFile,
		Fits:    func(m backup.Manifest) error { return fits(m, c.Version) },
		Prepare: prepare,
	})
}

// fits refuses backups that this build cannot use.
func fits(m backup.Manifest, version string) error {
	if m.Schema > store.SchemaVersion || later(m.Hub, version) {
		return fmt.Errorf("%w: version %q with schema %d, and this is version %q with schema %d: restore it with that version or a later one",
			backup.ErrNewer, m.Hub, m.Schema, version, store.SchemaVersion)
	}
	for _, name := range []string{store.FileName, identity.HubKeyFile, vault.FileName} {
		if !slices.ContainsFunc(m.Files, func(f backup.File) bool { return f.Path == name }) {
			return fmt.Errorf("%w: it lacks %q", backup.ErrNoBackup, name)
		}
	}
	return nil
}

// prepare makes of the copy in dir the hub that goes on.
func prepare(dir string, m backup.Manifest) error {
	s, err := store.Open(dir)
	if err != nil {
		return fmt.Errorf("open the database of the backup: %w", err)
	}
	err = s.MarkRestored(m, time.Now())
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return err
}

// later reports whether release a is later than b. Builds that are no releases are never later.
func later(a, b string) bool {
	x, ok := release(a)
	y, also := release(b)
	return ok && also && slices.Compare(x, y) > 0
}

// release reads 1.2.3, with or without a v, and with whatever behind it.
func release(version string) ([]int, bool) {
	core, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	core, _, _ = strings.Cut(core, "+")
	var out []int
	for part := range strings.SplitSeq(core, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, false
		}
		out = append(out, n)
	}
	return out, len(out) == 3
}
