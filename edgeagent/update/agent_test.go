package update_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/commands"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/protocol"
)

// roleVariable makes the test binary an agent: it names the folder of its rig.
const roleVariable = "FARSHORE_UPDATE_TEST_RIG"

func TestMain(m *testing.M) {
	if rig := os.Getenv(roleVariable); rig != "" {
		os.Exit(actAsAgent(rig))
	}
	os.Exit(m.Run())
}

const platform = "linux/test"

// actAsAgent is an agent without hub and engine: what a hub would say is in the files of the rig. What is appended to
// the program file is its version.
func actAsAgent(rig string) int {
	a := &actor{rig: rig, data: filepath.Join(rig, "data")}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	a.self, a.version = self, versionOf(self)
	if os.Getenv(update.LauncherVariable) == "" {
		err := update.Launch(ctx, update.LaunchConfig{
			Data: a.data, Self: self, Args: os.Args[1:], Output: os.Stderr, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		})
		var exit *update.ExitError
		switch {
		case errors.As(err, &exit):
			return exit.Code
		case !errors.Is(err, update.ErrSelf):
			return 0
		}
	}
	a.say("runs " + a.version)
	a.hit("start " + a.version)
	switch behaviour, _ := os.ReadFile(filepath.Join(rig, "behaviour "+a.version)); string(behaviour) {
	case "exits":
		fmt.Fprintln(os.Stderr, "this build is no good")
		return 3
	case "hangs":
		signal.Ignore(syscall.SIGTERM)
		select {}
	case "out of reach":
		a.deaf = true
	case "late":
		a.late = true
	}
	if err := a.run(ctx); err != nil {
		var exit *update.ExitError
		if errors.As(err, &exit) {
			return exit.Code
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type actor struct {
	rig, data, self, version string
	deaf, late               bool
	*state.Store
}

func (a *actor) say(line string) {
	f, err := os.OpenFile(filepath.Join(a.rig, "said"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(f, line)
	f.Close()
}

// hit is a moment at which the power may go, once.
func (a *actor) hit(moment string) {
	path := filepath.Join(a.rig, "kill at")
	at, _ := os.ReadFile(path)
	of, ok := strings.CutPrefix(string(at), moment)
	if !ok || of != "" && of != ", launcher" {
		return
	}
	os.Remove(path)
	a.say("killed at " + string(at))
	if of != "" {
		syscall.Kill(os.Getppid(), syscall.SIGKILL)
	} else {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	select {}
}

func (a *actor) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	if a.Store, err = state.OpenDisk(a.data); err != nil {
		return err
	}
	defer a.Close()
	launcher := os.Getenv(update.LauncherVariable)
	if launcher == "" {
		launcher = a.self
	}
	switching, fetches := false, 0
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	u, err := update.New(update.Config{
		Data: a.data, Program: a.self, Launcher: launcher, Version: a.version, Platform: platform, Keys: trusted(),
		Composer: func() (string, error) { return "", errors.New("none") },
		Blobs:    a, Gate: &update.Gate{}, Log: log,
		Fetch: func(ctx context.Context, f protocol.File) error {
			if a.HasBlob(f.Hash) {
				return nil
			}
			fetches++
			a.hit(fmt.Sprintf("fetch %d", fetches))
			a.say("fetches " + f.Hash.String())
			b, err := os.ReadFile(filepath.Join(a.rig, "hub", f.Hash.String()))
			if err != nil {
				return err
			}
			return a.PutBlob(f.Hash, b)
		},
		Takes: func(contact time.Duration) time.Duration { return contact + a.gap() },
		Switch: func() {
			a.hit("switch")
			switching = true
			cancel()
		},
	})
	if err != nil {
		return err
	}
	a.hit("before session " + a.version)
	if !a.deaf && !a.late {
		if err := u.Confirm(); err != nil {
			return err
		}
	}
	a.hit("after session " + a.version)
	runner := commands.New(commands.Config{
		Journal: a, Updates: u, HubTime: func() (time.Time, bool) { return time.Now(), true }, Log: log,
	})
	if a.late { // its opening begins then
		opening := time.AfterFunc(a.gap(), func() {
			if err := u.Confirm(); err != nil {
				panic(err)
			}
		})
		defer opening.Stop()
	}
	runner.Wake()
	if err := runner.Run(ctx); err != nil {
		return err
	}
	if switching {
		if err := a.Close(); err != nil {
			return err
		}
		return update.Relaunch(os.Args[1:])
	}
	return nil
}

// gap is how long there is no contact, as the rig says for this version.
func (a *actor) gap() time.Duration {
	b, _ := os.ReadFile(filepath.Join(a.rig, "gap "+a.version))
	gap, _ := time.ParseDuration(string(b))
	return gap
}

// DropBlob is a moment between two pieces.
func (a *actor) DropBlob(h protocol.Hash) error {
	a.hit("drop")
	return a.Store.DropBlob(h)
}

// FinishCommand tells the rig that there is a result.
func (a *actor) FinishCommand(r protocol.CommandResult, output []byte) error {
	a.hit("before result")
	err := a.Store.FinishCommand(r, output)
	a.hit("after result")
	if err == nil {
		a.say("result")
	}
	return err
}

// versionOf reads the version that was appended to a program.
func versionOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	end := make([]byte, versionSize)
	if _, err := f.ReadAt(end, info.Size()-versionSize); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
	return string(bytes.TrimRight(end, " "))
}

const versionSize = 32
