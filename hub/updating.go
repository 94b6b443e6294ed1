package hub

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
)

// openUpdates makes what brings releases to devices. It comes after the fleet and the book of commands.
func (h *Hub) openUpdates() (err error) {
	h.releases, err = releases.Open(releases.Config{
		Dir: filepath.Join(h.cfg.Data, releases.DirName), Keys: h.cfg.ReleaseKeys, Log: h.log,
		InUse: func(version string) error { return h.updates.InUse(version) },
		Ready: func() { h.updates.Nudge() },
	})
	if err != nil {
		return err
	}
	h.updates, err = updates.New(updates.Config{
		Store: h.store, Fleet: updateTargets{h.fleet}, Shelf: h.releases, Commands: h.book, Events: h.updateNotice, Log: h.log,
	})
	return err
}

func (h *Hub) updateNotice(n updates.Notice) {
	e := events.Event{Kind: n.Kind, Device: n.Device, Group: n.Update.Group, Text: n.Text, Data: map[string]any{
		"update": n.Update.ID, "release": n.Update.Release, "phase": n.Update.Rollout.Phase.String(), "by": n.Update.By,
	}}
	if n.Device == "" {
		e.Text = fmt.Sprintf("update %s to %s: %s", n.Update.ID, n.Update.Release, n.Text)
	}
	h.events.Publish(e)
}

// updateTargets is the fleet as updates see it.
type updateTargets struct{ fleet *fleet.Registry }

// Targets implements updates.Fleet.
func (u updateTargets) Targets(selector, group string) (out []updates.Target, err error) {
	sel, err := fleet.ParseSelector(selector)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for x := range u.fleet.Sights(now) {
		in := group == "" || x.Device.Group == group || strings.HasPrefix(x.Device.Group, group+"/")
		if x.Device.Revoked != 0 || !in || !sel.Matches(x.Labels) {
			continue
		}
		d, ok := u.fleet.Device(x.Device.ID)
		if !ok {
			continue
		}
		t := updates.Target{
			ID: d.ID, Name: d.Name, Group: d.Group, Labels: x.Labels, Version: x.Version, Capability: d.Capability,
			Platform: d.Build.Platform, NoUpdate: d.Build.NoUpdate,
			Reachable: reachable(x.Liveness, now),
		}
		for _, p := range []protocol.ProgramFact{
			{Name: protocol.ProgramAgent, Hash: d.Build.Agent}, {Name: protocol.ProgramComposer, Hash: d.Build.Composer},
		} {
			if !p.Hash.IsZero() {
				t.Programs = append(t.Programs, p)
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// pieces are the blobs of stacks and of releases, as devices may read them.
type pieces struct {
	store    *store.Store
	planner  *planner.Planner
	jobs     *dispatch.Desk
	releases *releases.Shelf
	updates  *updates.Desk
}

// Readable implements blobs.Access.
func (p pieces) Readable(dev protocol.DeviceID, blob protocol.ShortHash) (protocol.Hash, bool) {
	if h, ok := p.planner.Readable(dev, blob); ok {
		return h, true
	}
	if h, ok := p.jobs.Readable(dev, blob); ok {
		return h, true
	}
	return p.updates.Readable(dev, blob)
}

// Blob implements blobs.Store.
func (p pieces) Blob(h protocol.Hash) ([]byte, error) {
	if p.releases.Has(h) {
		return p.releases.Blob(h)
	}
	return p.store.Blob(h)
}
