package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"

	"github.com/farshore/farshore/protocol"
)

// Data is what becomes of the data folder and the edge key.
type Data string

// The choices.
const (
	KeepData  Data = "keep"
	PurgeData Data = "purge"
)

// Removal is what Uninstall needs.
type Removal struct {
	Paths
	// Data says what becomes of it. Empty: KeepData.
	Data Data
	// RemoveStacks takes the device's stacks down once the agent has stopped. Nil: they keep running.
	RemoveStacks func(context.Context) error
	// Out is told what was done, and what is left.
	Out io.Writer
}

// Uninstall stops the service and removes unit and programs. When the stacks cannot be removed all the rest stays, so
// that it can be tried again.
func Uninstall(ctx context.Context, cfg Removal) error {
	i := &installer{Paths: cfg.Paths, out: cfg.Out}
	if i.runs() && exists(i.UnitFile) {
		if err := systemctl(ctx, "disable", "--now", Unit); err != nil {
			return err
		}
	}
	if i.Root != "" && exists(i.at(i.UnitFile)) {
		if _, err := exec.LookPath("systemctl"); err == nil {
			if err := systemctl(ctx, "--root", i.Root, "disable", Unit); err != nil {
				return err
			}
		}
	}
	switch {
	case cfg.RemoveStacks != nil:
		if err := cfg.RemoveStacks(ctx); err != nil {
			return fmt.Errorf("the agent has stopped and all else is as it was, since its stacks could not be removed: %w", err)
		}
		i.say("The stacks of this device are removed.")
	case i.Root == "":
		i.say("The stacks of this device keep running, and nobody looks after them any more.")
	}
	if err := i.withoutHostScripts(); err != nil {
		return err
	}
	for _, path := range []string{i.UnitFile, i.program(protocol.ProgramAgent), i.program(protocol.ProgramComposer)} {
		if err := i.remove(path, os.Remove); err != nil {
			return err
		}
	}
	if i.runs() {
		if err := systemctl(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	if cfg.Data != PurgeData {
		i.say("Kept: %s and %s; an agent that is installed again is the same device.", i.at(i.Paths.Data), i.at(i.Key))
		return nil
	}
	return errors.Join(i.remove(i.Paths.Data, os.RemoveAll), i.remove(i.Key, os.Remove))
}

func (i *installer) remove(path string, how func(string) error) error {
	path = i.at(path)
	if !exists(path) {
		return nil
	}
	if err := how(path); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("remove %s: no permission: run as root", path)
		}
		return fmt.Errorf("remove %s: %w", path, err)
	}
	i.say("Removed: %s", path)
	return nil
}
