package edgeagent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"

	"github.com/farshore/farshore/edgeagent/commands"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/internal/localsocket"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// assembleUpdates makes the part that replaces the agent's own programs, where there are any.
func (a *Agent) assembleUpdates(composer func() (string, error), gate *update.Gate) (err error) {
	u := a.cfg.Update
	if u.Program == "" || a.cfg.Data == "" {
		return nil
	}
	a.updater, err = update.New(update.Config{
		Data: a.cfg.Data, Container: cmp.Or(a.cfg.HostRoot, "/") != "/", Program: u.Program, Launcher: cmp.Or(u.Launcher, u.Program), Composer: composer,
		Version: a.cfg.Version, Platform: Platform(), Keys: u.Keys, Blobs: a.state,
		Fetch: func(ctx context.Context, f protocol.File) error {
			return a.exchange.Fetch(ctx, []reconciler.FetchFile{{File: f}})
		},
		Gate: gate, Takes: a.spending.Takes, Switch: a.switchOver, Log: a.log,
	})
	return err
}

// updates is the updater as the commands need it.
func (a *Agent) updates() commands.Updates {
	if a.updater == nil {
		return nil
	}
	return a.updater
}

// inSession is told that the hub has taken the agent into a session.
func (a *Agent) inSession() {
	if a.updater == nil {
		return
	}
	if err := a.updater.Confirm(); err != nil {
		a.log.Error("it cannot be noted that the update has proved itself", "error", err)
	}
}

// programs are what the hub is told of the agent's programs.
func (a *Agent) programs() ([]protocol.ProgramFact, string) {
	if a.updater == nil {
		return nil, ""
	}
	return a.updater.Facts()
}

// errNoUpdates: the agent was not started in a way in which it can update itself.
var errNoUpdates = errors.New("this agent does not update itself")

// rollback goes back to the programs that ran before, from the next start.
func (a *Agent) rollback() (update.Record, error) {
	if !a.assembled.Load() || a.updater == nil {
		return update.Record{}, errNoUpdates
	}
	r, err := a.updater.Rollback()
	if err == nil {
		err = a.state.PutEvent("update-rolled-back", "Somebody at the device went back to its earlier programs: "+r.Version(r.Current)+".")
	}
	return r, err
}

// AskToRollBack goes back to the programs that ran before the last update: at once where an agent runs with the data
// folder, else from its next start.
func AskToRollBack(ctx context.Context, data string) (r update.Record, running bool, err error) {
	body, err := localsocket.Ask(ctx, filepath.Join(data, SocketName), http.MethodPost, "/rollback")
	if errors.Is(err, localsocket.ErrNobody) {
		r, err = update.In(data).Rollback()
		return r, false, err
	}
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	return r, true, err
}
