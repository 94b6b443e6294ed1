// Package install puts the agent onto a device as a service, and takes it off again: programs, unit, edge key, data
// folder.
//
// It owns which files those are and what is asked of systemd. It never runs an agent, and what it finds in place is left
// as it is, so that it can be run again. Its functions are for one caller at a time.
package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/farshore/farshore/deploy"
	"github.com/farshore/farshore/protocol"
)

// Unit is the name of the service.
const Unit = "farshore-agent"

// Paths are where everything goes. The zero value is not complete: see DefaultPaths.
type Paths struct {
	// Root is the folder of another system, whose service is enabled and not started. Empty: this one.
	Root string
	// Bin has the programs, Data is the agent's data folder.
	Bin, Data string
	// Key is the file of the edge key, UnitFile that of the unit.
	Key, UnitFile string
	// Booted is there where systemd runs the machine.
	Booted string
}

// DefaultPaths are those of the unit that comes with the agent, with the programs below another prefix and the data in
// another folder where those are given.
func DefaultPaths(prefix, data string) Paths {
	p := Paths{
		Bin: "/usr/local/bin", Data: deploy.DataFolder, Key: "/etc/farshore/edge.key",
		UnitFile: "/etc/systemd/system/" + Unit + ".service", Booted: "/run/systemd/system",
	}
	if prefix != "" {
		p.Bin = filepath.Join(prefix, "bin")
	}
	if data != "" {
		p.Data = data
	}
	return p
}

func (p *Paths) at(path string) string { return filepath.Join(p.Root, path) }

func (p *Paths) program(name string) string { return filepath.Join(p.Bin, name) }

// Config is what Install needs.
type Config struct {
	Paths
	// Agent and Composer are the programs to install. Composer may be empty: then one has to be there or to come.
	Agent, Composer string
	// EdgeKey to be kept. Empty: the one that is there stays, and without one the agent waits for it.
	EdgeKey string
	// Jobs that the device runs for its hub. Empty: as before; on a device that had no agent all.
	Jobs Jobs
	// Out is told what was done, and what is left to do.
	Out io.Writer
}

// Jobs says which kinds of jobs the service runs.
type Jobs string

// The kinds.
const (
	JobsAll        Jobs = "all" // the service may then do on the host what root may
	JobsContainers Jobs = "containers"
	JobsOff        Jobs = "off"
)

// jobs are those that are wanted, or were before.
func (i *installer) jobs(wanted Jobs) Jobs {
	unit, err := os.ReadFile(i.at(i.UnitFile))
	switch {
	case wanted != "":
		return wanted
	case err != nil || exists(i.at(deploy.HostScriptsFile(i.UnitFile))):
		return JobsAll
	case strings.Contains(string(unit), "FARSHORE_JOBS="+string(JobsOff)+"\n"):
		return JobsOff
	}
	return JobsContainers
}

// service puts the unit in place, and what loosens it for scripts on the host.
func (i *installer) service(wanted Jobs) error {
	spec, jobs := deploy.UnitSpec{Bin: i.Bin, Data: i.Data, Key: i.Key}, i.jobs(wanted)
	hostScripts := deploy.HostScriptsFile(i.UnitFile)
	if jobs == JobsAll {
		if err := i.put(hostScripts, []byte(deploy.HostScripts), 0o644); err != nil {
			return err
		}
	} else {
		spec.Jobs = string(jobs)
		if err := i.withoutHostScripts(); err != nil {
			return err
		}
		i.say("Jobs run no scripts on this host; with --jobs all they do.")
	}
	return i.put(i.UnitFile, []byte(deploy.Unit(spec)), 0o644)
}

// withoutHostScripts removes what loosens the unit, and leaves what others have put beside it.
func (i *installer) withoutHostScripts() error {
	path := deploy.HostScriptsFile(i.UnitFile)
	if !exists(i.at(path)) {
		return nil
	}
	i.changed = true
	if err := i.remove(path, os.Remove); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(i.at(path))) // unless it has other files
	return nil
}

// Install puts programs, data folder, edge key and unit in place, and has the service enabled and started. What is there
// already is not touched; the service is started anew only when something has changed.
func Install(ctx context.Context, cfg Config) error {
	for _, path := range []string{cfg.Bin, cfg.Paths.Data, cfg.Key} {
		if !plainPath.MatchString(path) {
			return fmt.Errorf("install: %q: want an absolute path of letters, digits and ._@/-, as the service's file is to name it", path)
		}
	}
	i := &installer{Paths: cfg.Paths, out: cfg.Out}
	if err := i.copyProgram(cfg.Agent, protocol.ProgramAgent); err != nil {
		return err
	}
	switch {
	case cfg.Composer != "":
		if err := i.copyProgram(cfg.Composer, protocol.ProgramComposer); err != nil {
			return err
		}
	case !exists(i.at(i.program(protocol.ProgramComposer))):
		i.say("There is no %s beside this program: put it into %s, or stacks cannot be applied.", protocol.ProgramComposer, i.Bin)
	}
	if err := i.folder(i.Data); err != nil {
		return err
	}
	if cfg.EdgeKey != "" {
		if err := i.folder(filepath.Dir(i.Key)); err != nil {
			return err
		}
		if err := i.put(i.Key, []byte(cfg.EdgeKey+"\n"), 0o600); err != nil {
			return err
		}
	}
	if err := i.service(cfg.Jobs); err != nil {
		return err
	}
	return i.enable(ctx)
}

// plainPath needs no quotes in a unit.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._@-]+)+$`)

type installer struct {
	Paths
	out     io.Writer
	changed bool
}

func (i *installer) say(format string, args ...any) { fmt.Fprintf(i.out, format+"\n", args...) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// folder makes a folder that its owner alone may enter.
func (i *installer) folder(path string) error {
	path = i.at(path)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return cannotWrite(path, err)
	}
	return nil
}

func (i *installer) copyProgram(from, name string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return i.put(i.program(name), content, 0o755)
}

// put gives a file a content, whole or not at all, where it has another one.
func (i *installer) put(path string, content []byte, mode fs.FileMode) error {
	path = i.at(path)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, content) {
		return os.Chmod(path, mode)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return cannotWrite(path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // 0600 until it is whole
	if err != nil {
		return cannotWrite(path, err)
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return cannotWrite(path, errors.Join(err, os.Remove(tmp.Name())))
	}
	i.changed = true
	i.say("Written: %s", path)
	return nil
}

func cannotWrite(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("write %s: no permission: run as root", path)
	}
	return fmt.Errorf("write %s: %w", path, err)
}

// runs reports whether systemd can be asked to start and stop.
func (p *Paths) runs() bool {
	_, err := exec.LookPath("systemctl")
	return err == nil && p.Root == "" && exists(p.Booted)
}

func (i *installer) enable(ctx context.Context) error {
	switch {
	case i.Root != "":
		if _, err := exec.LookPath("systemctl"); err == nil {
			if err := systemctl(ctx, "--root", i.Root, "enable", Unit); err != nil {
				return err
			}
		}
		i.say("The agent starts with the system in %s.", i.Root)
	case !i.runs():
		i.say("There is no systemd here. Have this run as root at every start of the machine, and again whenever it ends:\n  %s run --data %s --edge-key-file %s",
			i.program(protocol.ProgramAgent), i.Data, i.Key)
	default:
		start := "start"
		if i.changed {
			start = "restart"
		}
		for _, args := range [][]string{{"daemon-reload"}, {"enable", Unit}, {start, Unit}} {
			if err := systemctl(ctx, args...); err != nil {
				return err
			}
		}
		i.say("The agent runs: %s status shows how it stands.", i.program(protocol.ProgramAgent))
		if !exists(i.Key) {
			i.say("It has no edge key yet: journalctl -u %s says how to give it one.", Unit)
		}
	}
	return nil
}

func systemctl(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
