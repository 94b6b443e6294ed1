package host

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/farshore/farshore/protocol"
)

// Config of an Executor.
type Config struct {
	// Dir is the folder for the folders of runs.
	Dir    string
	Device protocol.DeviceID
	// Root is where the device's own files are, for an agent in a container: such an agent runs nothing on the host.
	// Empty or "/": it is in none.
	Root string
	Log  *slog.Logger
}

// Executor runs attempts on the host. It implements runner.Executor.
type Executor struct{ cfg Config }

// New returns an Executor. It touches nothing yet.
func New(cfg Config) *Executor {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if abs, err := filepath.Abs(cfg.Dir); err == nil {
		cfg.Dir = abs
	}
	return &Executor{cfg: cfg}
}

// contained reports whether the agent is in a container, apart from the host.
func (x *Executor) contained() bool {
	return x.cfg.Root != "" && x.cfg.Root != "/" || os.Getpid() == 1
}
