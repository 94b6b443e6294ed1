package api

import (
	"fmt"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/compose"
)

// Who may not see secrets of a thing is shown it masked; who may is recorded.

const (
	// readAgain is for how long more readings of the same secrets by the same account need no entry of their own.
	readAgain = time.Hour
	// maxReadings bounds what is remembered of readings.
	maxReadings = 10_000
)

// readings remembers what was recorded lately, such as who was given which secrets, since the hub started. It is safe for
// concurrent use.
type readings struct {
	again time.Duration // after it, the same is recorded again
	mu    sync.Mutex
	since map[reading]time.Time // guarded by mu; at most maxReadings
}

type reading struct {
	by, remote string
	on         access.Resource
}

func newReadings(again time.Duration) *readings {
	return &readings{again: again, since: map[reading]time.Time{}}
}

// fresh reports whether the reading is to be recorded, and remembers that it was.
func (r *readings) fresh(what reading, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if began, ok := r.since[what]; ok && now.Sub(began) < r.again {
		return false
	}
	if len(r.since) >= maxReadings {
		clear(r.since)
	}
	r.since[what] = now
	return true
}

// forget lets the next reading be recorded, where the record of this one failed.
func (r *readings) forget(what reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.since, what)
}

func (c *call) maySeeSecrets(on access.Resource) bool {
	return c.s.Accounts.Scope(c.who, access.SecretsRead).Covers(on)
}

// bundle gives the files of a version as the caller may see them. Nobody is given a secret without a record of it.
func (s *server) bundle(c *call, number uint64) (*reply[resource.Bundle], error) {
	files, err := s.Stacks.Bundle(c.on.ID, number)
	if err != nil {
		return nil, err
	}
	out := resource.Bundle{Version: number, Files: files}
	shown, secret := compose.Mask(files)
	if !c.maySeeSecrets(c.on) {
		out.Files, out.Masked = shown, secret
		return replyWith(out), nil
	}
	if secret {
		if err := s.recordSecrets(c, c.on, "files of a version"); err != nil {
			return nil, err
		}
	}
	return replyWith(out), nil
}

// recordSecrets puts on record that the caller is given secrets of a thing, once an hour.
func (s *server) recordSecrets(c *call, on access.Resource, what string) error {
	again := reading{c.by(), c.remote, thing(on)}
	if !s.readings.fresh(again, time.Now()) {
		return nil
	}
	err := s.Audit.Record(audit.Entry{
		Principal: c.by(), Remote: c.remote, Operation: string(access.SecretsRead), Resource: on.String(), Result: audit.ResultDone,
		Detail: what + ", unmasked; more readings within the hour have no entries of their own",
	})
	if err != nil {
		s.readings.forget(again)
		return fmt.Errorf("record that secrets are read: %w", err)
	}
	return nil
}

// unmasked refuses a bundle that was read by somebody who may not see its secrets: the values would be lost.
func unmasked(b *resource.Apply) error {
	if name := compose.HasMasked(b.Files); name != "" {
		return invalid("body.files", "file %.200q has values that were masked (%s): take the bundle from somebody who may see its secrets, or give the values", name, compose.Masked)
	}
	for name, value := range b.Env {
		if value == compose.Masked {
			return invalid("body.env", "variable %.128q has a masked value: give its own, or keep it with keep_env", name)
		}
	}
	return nil
}

// maskLabels masks those labels of containers that are named like a password.
func (c *call) maskLabels(d *fleet.Device, snap *protocol.Snapshot) {
	scope := c.s.Accounts.Scope(c.who, access.SecretsRead)
	if scope.All() {
		return
	}
	for i := range snap.Containers {
		x := &snap.Containers[i]
		if scope.Covers(ownedOn(d, c.s.ownerOf(x.Stack))) {
			continue
		}
		shown := make(map[string]string, len(x.Labels))
		for k, v := range x.Labels {
			if compose.LooksSecret(k) {
				v = compose.Masked
			}
			shown[k] = v
		}
		if len(shown) > 0 {
			x.Labels = shown
		}
	}
}
