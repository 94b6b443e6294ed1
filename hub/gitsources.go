package hub

import (
	"errors"
	"fmt"

	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

func (h *Hub) openSources() (err error) {
	h.sources, err = gitsource.New(gitsource.Config{
		Store: h.store, Vault: h.vault, Stacks: gitStacks{h}, Notice: h.sourceNotice, Log: h.log, AllowLocal: h.cfg.GitAllowLocal,
	})
	return err
}

// gitStacks is the planner as sources see it.
type gitStacks struct{ *Hub }

// Apply implements gitsource.Stacks. What comes from Git is bound by policies, whoever has set the source: whom a
// repository obeys is not known here.
func (g gitStacks) Apply(b gitsource.Bundle) (uint64, error) {
	spec := planner.ApplySpec{
		Name: b.Stack, Selector: b.Target.Selector, Group: b.Target.Group, Owner: b.Target.Owner, RemoveVolumes: b.Target.RemoveVolumes,
		Files: b.Files, Env: b.Env, Pull: b.Pull, Author: b.Author, Message: b.Message, Source: b.Source, Expect: b.Expect,
		During: planner.Queue, Abroad: true, // who set the source may have the hub reach out
	}
	if b.Env == nil {
		if now, err := g.planner.Get(b.Stack); err == nil {
			spec.Keep = planner.KeptEnv{Version: now.Current.Number, Names: now.Current.EnvNames()}
			spec.Secret = now.Current.Secret
		}
	}
	_, v, err := g.estimates.Apply(spec)
	if refusedNow(err) {
		err = fmt.Errorf("%w: %w", gitsource.ErrRefused, err)
	}
	return v.Number, err
}

// refusedNow reports whether a version is refused for what may be otherwise later: by a policy, by a stack that is being
// removed, by a group that is not there, or by another stack that has what it wants of a device.
func refusedNow(err error) bool {
	return errors.Is(err, policy.ErrRefused) || errors.Is(err, planner.ErrRemoving) || errors.Is(err, fleet.ErrNotFound) ||
		errors.Is(err, planner.ErrClash)
}

// Redeploy implements gitsource.Stacks.
func (g gitStacks) Redeploy(stack, by string) error {
	_, err := g.estimates.Deploy(planner.DeploySpec{Stack: stack, Force: true, During: planner.Queue, By: by, Abroad: true})
	return err
}

// Named implements gitsource.Stacks.
func (g gitStacks) Named(name string) (stacks.Stack, bool) { return g.planner.Named(name) }

// sourceNotice tells of a source that fails, or works again.
func (h *Hub) sourceNotice(n gitsource.Notice) {
	e := events.Event{Kind: n.Kind, Stack: n.Source.Stack, Text: n.Text}
	if rec, ok := h.planner.Named(n.Source.Stack); ok {
		e.Group, e.Owner = rec.Group, rec.Owner
	} else {
		on := n.Source.Home()
		e.Group, e.Owner = on.Group, on.Owner
	}
	h.events.Publish(e)
}

// sourceGone takes the source of a removed stack away.
func (h *Hub) sourceGone(stack string) {
	if h.sources == nil { // parts may tell of what they found when they were opened
		return
	}
	if err := h.sources.StackRemoved(stack); err != nil {
		h.log.Error("a removed stack still has a source: remove it", "stack", stack, "error", err)
	}
}

// orphanSources takes away the sources of stacks that were removed when the hub stopped in between.
func (h *Hub) orphanSources() {
	for _, s := range h.sources.List() {
		if rec, ok := h.planner.Named(s.Stack); ok && rec.Removed != 0 || !ok && s.Progress.Version != 0 {
			h.sourceGone(s.Stack)
		}
	}
}
