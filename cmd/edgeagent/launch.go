package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"gopkg.in/yaml.v3"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/protocol"
)

// launch lets another program of this device run in the place of this one, where the hub has sent one. update.ErrSelf:
// this one runs.
func launch(ctx context.Context, args []string) error {
	if os.Getenv(update.LauncherVariable) != "" {
		return update.ErrSelf
	}
	self, err := ownPath()
	if err != nil {
		return update.ErrSelf
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	return update.Launch(ctx, update.LaunchConfig{
		Data: dataFolder(args[1:], os.LookupEnv), Self: self, Args: args, Output: os.Stderr, Signals: signals,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}

// ownPath is where this program is.
func ownPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(self)
}

// dataFolder finds the data folder among settings of which some may be known to a newer agent alone.
func dataFolder(args []string, lookup func(string) (string, bool)) string {
	find := func(name string) string {
		for i, arg := range args {
			flag := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
			if flag == arg {
				continue
			}
			if value, ok := strings.CutPrefix(flag, name+"="); ok {
				return value
			}
			if flag == name && i+1 < len(args) {
				return args[i+1]
			}
		}
		value, _ := lookup(program.Variable("FARSHORE", name))
		return value
	}
	if data := find("data"); data != "" {
		return data
	}
	var file struct {
		Data string `yaml:"data"`
	}
	if raw, err := os.ReadFile(find("config")); err == nil {
		_ = yaml.Unmarshal(raw, &file) // whoever runs says what is wrong with it
	}
	return cmp.Or(file.Data, defaultData())
}

// update is what the agent needs to replace its own programs.
func (s *settings) update() (edgeagent.Update, error) {
	var built keyFlag
	if keys := program.ReleaseKeys(); keys != "" {
		if err := built.Set(keys); err != nil {
			return edgeagent.Update{}, fmt.Errorf("built in: %w", err)
		}
	}
	self, err := ownPath()
	if err != nil {
		return edgeagent.Update{}, nil // it cannot update itself, and runs all the same
	}
	return edgeagent.Update{
		Program: self, Launcher: os.Getenv(update.LauncherVariable), Keys: append(built.keys, s.releaseKeys.keys...),
	}, nil
}

// keyFlag gathers public release keys, separated by commas or given one by one.
type keyFlag struct{ keys []ed25519.PublicKey }

// String implements flag.Value.
func (k *keyFlag) String() string { return "" }

// Set implements flag.Value.
func (k *keyFlag) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		key, err := protocol.ParseReleaseKey(one)
		if err != nil {
			return err
		}
		k.keys = append(k.keys, key)
	}
	return nil
}
