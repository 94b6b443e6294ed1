package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/hub/vault"
)

// ErrHubKeyMissing: the data folder has devices or enrolment keys, and not the hub key by which they know this hub.
var ErrHubKeyMissing = errors.New("the hub key is missing")

// ErrRestoring: a restore into the data folder was begun and not ended.
var ErrRestoring = errors.New("a restore into the data folder was interrupted, or is running")

// checkRestored refuses a data folder into which a restore was begun and not ended: it would begin as a new hub, which no
// device knows.
func (h *Hub) checkRestored() error {
	if !missing(filepath.Join(h.cfg.Data, identity.HubKeyFile)) {
		return nil
	}
	left, err := backup.Interrupted(h.cfg.Data)
	if err != nil || len(left) == 0 {
		return err
	}
	return fmt.Errorf("%w: it has left %q: run farshore-hub restore again with an empty --data, or remove that folder to begin as a new hub", ErrRestoring, left[0])
}

// checkKeyFiles is asked before key files are made that are not there. A data folder that is in use has them: a new hub
// key would lock out every device without a word, so it is not made. A new key of the secrets costs only what was
// sealed, which the log says.
func (h *Hub) checkKeyFiles() error {
	hubKey, secrets := filepath.Join(h.cfg.Data, identity.HubKeyFile), filepath.Join(h.cfg.Data, vault.FileName)
	if !missing(hubKey) && !missing(secrets) {
		return nil
	}
	saved, err := h.store.LoadFleet()
	if err != nil {
		return err
	}
	keys, _, err := h.store.LoadWaitingRoom()
	if err != nil {
		return err
	}
	if len(saved.Devices)+len(keys) == 0 {
		return nil
	}
	if missing(hubKey) {
		return fmt.Errorf("%w: %q is not there, and %d devices and %d enrolment keys know this hub by it: restore the file from a backup, or begin anew with an empty --data folder",
			ErrHubKeyMissing, hubKey, len(saved.Devices), len(keys))
	}
	h.log.Error("the key of the secrets is missing and is made anew: restore it from a backup, or make new enrolment keys and apply stacks with variables again",
		"file", secrets)
	return nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
