package planner

import (
	"errors"
	"fmt"
	"slices"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// entry is what a device is given of a stack that it shall have. Where it cannot be given that, why says so, and it is
// given what it has, as far as that can be. ok is false when there is nothing to give. The caller holds mu.
func (p *Planner) entry(s *stack, a *assigned, target stacks.Target) (e protocol.Entry, why reason, ok bool) {
	version, nonce, by := s.due(a)
	e, why = p.entryOf(s, a, target, want{version, nonce, by})
	if why.code == "" {
		return e, why, true
	}
	if e, ok := p.held(s, a); ok {
		return e, why, true
	}
	has, nonce := s.has(a)
	if has == 0 || has == version || has < a.first || s.version(has) == nil {
		return protocol.Entry{}, why, false
	}
	e, worse := p.entryOf(s, a, target, want{has, nonce, 0})
	return e, why, worse.code == ""
}

// held is the entry that the device was given last and has taken.
func (p *Planner) held(s *stack, a *assigned) (protocol.Entry, bool) {
	if !a.known {
		return protocol.Entry{}, false
	}
	set, err := p.cfg.Accepted(a.dev)
	if err != nil {
		p.cfg.Log.Warn("what a device holds cannot be read; it is worked out of what it says", "device", a.dev, "error", err)
	}
	i := slices.IndexFunc(set, func(e protocol.Entry) bool { return e.Kind == protocol.EntryStack && e.ID == s.id })
	if i < 0 {
		return protocol.Entry{}, false
	}
	return set[i], true
}

// want is a version with its nonce, and the rollout that brings it; 0: none does.
type want struct{ version, nonce, by uint64 }

// has is the version that a device runs as it said last, with its nonce; 0: none. The caller holds mu.
func (s *stack) has(a *assigned) (version, nonce uint64) {
	switch said, g := a.status, s.grants[a.dev]; {
	case said.Running != 0 && said.Running == g.Before:
		return said.Running, g.BeforeNonce
	case said.Running != 0:
		return said.Running, s.rec.Nonce
	case said.State == protocol.StackRunning, said.State == protocol.StackDegraded:
		return said.Version, said.Nonce
	}
	return 0, 0
}

// entryOf makes the entry of a version for a device, or says why it cannot be made. The caller holds mu.
func (p *Planner) entryOf(s *stack, a *assigned, target stacks.Target, w want) (protocol.Entry, reason) {
	v := s.version(w.version)
	if v == nil {
		return protocol.Entry{}, reason{stacks.CodeInvalidHere, fmt.Sprintf("version %d is not kept any more: deploy another one", w.version)}
	}
	plain, secret, lost := p.variables(v, a.dev, target)
	e := s.rec.Entry(v, stacks.FilesOf(v.Files, a.dev, target), plain)
	e.Nonce, e.Change = w.nonce, s.changeRule(w, target)
	why := unfit(&e, len(secret) > 0, target)
	if lost.code != "" {
		why = lost
	}
	if why.code != "" {
		return e, why
	}
	if len(secret) > 0 {
		sealed, err := p.cfg.Seal.Secrets(a.dev, e.EntryKey, protocol.Secrets{Env: secret})
		if err != nil {
			p.cfg.Log.Error("secrets cannot be sealed for a device", "device", a.dev, "stack", s.name, "error", err)
			return e, reason{stacks.CodeInvalidHere, "its secret variables cannot be sealed for the device: the hub's log says why"}
		}
		e.Sealed = sealed
	}
	if target.Confirmed && (target.Capability == 0 || target.Capability >= capabilitySealed) {
		p.letIn(&e, a, v, target)
	}
	if err := stacks.CheckEntry(&e); err != nil {
		return e, reason{stacks.CodeInvalidHere, protocol.Cut(err.Error(), protocol.MaxText)}
	}
	return e, reason{}
}

// unfit says why a device cannot be given an entry, whatever its secrets are.
func unfit(e *protocol.Entry, secrets bool, target stacks.Target) reason {
	need := e.Needs()
	if secrets {
		need = max(need, capabilitySealed)
		if !target.Confirmed {
			return reason{stacks.CodeUnconfirmed, "it has secret variables, and nobody has confirmed the device by its pairing code: confirm it"}
		}
	}
	if target.Capability != 0 && need > target.Capability {
		return reason{stacks.CodeAgentTooOld, "its agent cannot hold back, watch or unseal stacks: update the agent"}
	}
	return reason{}
}

// capabilitySealed is that of agents that can unseal.
const capabilitySealed = 3

// fits says why a device could not be given what a rollout brings, without making it. The caller holds mu.
func (p *Planner) fits(s *stack, a *assigned, target stacks.Target, w want) reason {
	v := s.version(w.version)
	if v == nil {
		return reason{stacks.CodeInvalidHere, fmt.Sprintf("version %d is not kept any more: deploy another one", w.version)}
	}
	_, secret, lost := p.variables(v, a.dev, target)
	e := protocol.Entry{Verify: v.Health.Watch, Retries: v.Health.Retries, Stay: v.Health.Stay, Change: s.changeRule(w, target)}
	if lost.code != "" {
		return lost
	}
	return unfit(&e, len(secret) > 0, target)
}

// variables are those that a device is given for a version: its own before those of its groups, and those before the
// stack's. lost says which of them has no value any more.
func (p *Planner) variables(v *stacks.Version, dev protocol.DeviceID, target stacks.Target) (plain, secret map[string]string, lost reason) {
	plain = stacks.DeviceEnv(dev, target, v.Mentions)
	put := func(name, text string, hidden bool) {
		to := &plain
		if hidden {
			to = &secret
		}
		if *to == nil {
			*to = map[string]string{}
		}
		delete(plain, name)
		delete(secret, name)
		(*to)[name] = text
	}
	for name, text := range v.Env {
		put(name, text, slices.Contains(v.Secret, name))
	}
	if len(v.Mentions) == 0 {
		return plain, secret, lost
	}
	own := p.cfg.Variables(dev, target.Group)
	for _, name := range v.Mentions {
		x, ok := own[name]
		if ok && x.Lost {
			lost = reason{stacks.CodeInvalidHere, fmt.Sprintf("the value of its variable %s was lost with the key of the hub's secrets: set it again", name)}
		} else if ok {
			put(name, x.Text, x.Secret)
		}
	}
	return plain, secret, lost
}

// changeRule says when a device may apply what a rollout brings; nil: at once. What is brought back is applied at once.
// The caller holds mu.
func (s *stack) changeRule(w want, target stacks.Target) *protocol.ChangeRule {
	rule := protocol.ChangeRule{FetchLate: s.rec.Change.FetchLate, Windows: stacks.Zoned(s.rec.Change.Windows, target.Labels)}
	if r := s.run(w.by); r != nil {
		if r.Version != w.version {
			return nil
		}
		rule.Hold = r.Approve && r.Approved == 0
	}
	if len(rule.Windows) == 0 && !rule.Hold {
		return nil
	}
	return &rule
}

// letIn gives an entry what registries ask for. Where that cannot be sealed it is left out: the images may be there.
// The caller holds mu.
func (p *Planner) letIn(e *protocol.Entry, a *assigned, v *stacks.Version, target stacks.Target) {
	if len(v.Images) == 0 {
		return
	}
	list := p.cfg.Credentials(target.Group, v.Images)
	if len(list) == 0 {
		return
	}
	sealed, err := p.cfg.Seal.Access(a.dev, e.EntryKey, protocol.RegistryAccess{Registries: list})
	if err != nil {
		p.cfg.Log.Error("credentials of registries cannot be sealed for a device", "device", a.dev, "stack", e.Name, "error", err)
		return
	}
	e.Access = sealed
}

// noSealer seals nothing.
type noSealer struct{}

var errNoSealer = errors.New("nothing can be sealed here")

func (noSealer) Secrets(protocol.DeviceID, protocol.EntryKey, protocol.Secrets) ([]byte, error) {
	return nil, errNoSealer
}

func (noSealer) Access(protocol.DeviceID, protocol.EntryKey, protocol.RegistryAccess) ([]byte, error) {
	return nil, errNoSealer
}
