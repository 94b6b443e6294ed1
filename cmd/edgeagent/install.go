package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/composer"
	"github.com/farshore/farshore/edgeagent/install"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/waitingroom"
)

// places are the flags that say where things go.
type places struct{ root, prefix, data string }

func (p *places) paths() install.Paths {
	paths := install.DefaultPaths(p.prefix, p.data)
	paths.Root = p.root
	return paths
}

// installAgent puts this program onto the machine as a service.
func installAgent(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("install")
	var p places
	fs.StringVar(&p.root, "root", "", "folder of another system, as of an image that is being made, in which to install")
	fs.StringVar(&p.prefix, "prefix", "/usr/local", "where bin/ gets the programs")
	fs.StringVar(&p.data, "data", "", "folder of everything the agent keeps (default: that of the unit)")
	keyFile := fs.String("edge-key-file", "", "file with the edge key; - reads it from standard input")
	jobs := fs.String("jobs", "", "which kinds of jobs the device runs for its hub: all, containers (none on the host, and the service is kept from the host's files) or off (default: as before; at first all)")
	from := fs.String("composer", "", "path of the farshore-composer to install (default: beside this program, or in PATH)")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	}
	if _, err := edgeagent.ParseJobKinds(*jobs); err != nil {
		return fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	key, err := keyToInstall(*keyFile)
	if err != nil {
		return err
	}
	self, err := ownPath()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	found, err := composer.New(composer.Config{Path: *from}).Find()
	if err != nil && *from != "" {
		return err
	}
	return install.Install(ctx, install.Config{Paths: p.paths(), Agent: self, Composer: found, EdgeKey: key, Jobs: install.Jobs(*jobs), Out: out})
}

// keyToInstall reads an edge key, and judges it before anything is changed.
func keyToInstall(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	s := settings{edgeKeyFile: file}
	if file == "-" {
		s.edgeKeyFile = "/dev/stdin"
	}
	key, err := s.key()
	if err == nil {
		_, err = waitingroom.Parse(key)
	}
	return key, err
}

// uninstallAgent takes the service off the machine.
func uninstallAgent(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("uninstall")
	var p places
	fs.StringVar(&p.root, "root", "", "folder of another system from which to uninstall")
	fs.StringVar(&p.prefix, "prefix", "/usr/local", "where bin/ has the programs")
	fs.StringVar(&p.data, "data", "", "folder of everything the agent keeps (default: that of the unit)")
	purge := fs.Bool("purge", false, "remove the data folder and the edge key too: an agent that is installed again is a new device")
	stacks := fs.Bool("remove-stacks", false, "take down the device's stacks, which else keep running, and remove its jobs with all that they have left")
	engine := fs.String("engine", "", "address of the container engine (default: Docker's socket)")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	}
	r := install.Removal{Paths: p.paths(), Data: install.KeepData, Out: out}
	if *purge || askPurge(r.Paths.Data, out) {
		r.Data = install.PurgeData
	}
	if *stacks {
		log, _, err := program.Logger(os.Stderr, "text", "warn")
		if err != nil {
			return err
		}
		s := settings{engine: *engine}
		r.RemoveStacks = func(ctx context.Context) error {
			cfg := edgeagent.Config{Data: filepath.Join(r.Root, r.Paths.Data), EngineHost: s.engineHost(), Log: log}
			done, err := edgeagent.RemoveJobs(ctx, cfg)
			if err == nil && done != "" {
				_, err = fmt.Fprintln(out, done)
			}
			if err != nil {
				return err
			}
			return edgeagent.RemoveStacks(ctx, cfg)
		}
	}
	return install.Uninstall(ctx, r)
}

// askPurge asks a person at a terminal; nobody else loses data without saying so.
func askPurge(data string, out io.Writer) bool {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return false
	}
	fmt.Fprintf(out, "Remove %s and the edge key too? An agent that is installed again is a new device then. [y/N] ", data)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	return strings.EqualFold(strings.TrimSpace(answer), "y")
}
