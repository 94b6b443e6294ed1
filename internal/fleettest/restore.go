package fleettest

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/hub/backup"
)

// Backup is a backup of a fleet's hub.
type Backup struct {
	raw []byte
	key backup.Key
}

// Backup makes a backup of the running hub.
func (f *Fleet) Backup() Backup {
	f.t.Helper()
	own, err := age.GenerateX25519Identity()
	if err != nil {
		f.t.Fatal(err)
	}
	lock, err := backup.RecipientsLock([]string{own.Recipient().String()})
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := f.Hub().Backups.Make(context.Background(), lock)
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	raw, err := io.ReadAll(c)
	if err != nil {
		f.t.Fatal(err)
	}
	key, err := backup.IdentityKey(strings.NewReader(own.String()))
	if err != nil {
		f.t.Fatal(err)
	}
	return Backup{raw: raw, key: key}
}

// RestoreHub stops the hub, loses its folder, and starts one that was restored from a backup in its place.
func (f *Fleet) RestoreHub(b Backup) {
	f.t.Helper()
	f.StopHub()
	f.data = filepath.Join(folder(f.t), "data")
	_, err := hub.Restore(context.Background(), hub.RestoreConfig{Data: f.data, From: bytes.NewReader(b.raw), Key: b.key})
	if err != nil {
		f.t.Fatal(err)
	}
	f.StartHub()
}
