package hub

import (
	"errors"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/hub/variables"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/sealed"
	"github.com/farshore/farshore/stacks/planner"
)

// openSecrets makes what is given to devices beside bundles: variables, and how registries let them in.
func (h *Hub) openSecrets() (err error) {
	h.variables, err = variables.New(variables.Config{
		Store: h.store, Vault: h.vault, There: h.thereIs, Allows: h.mayBeSet, Changed: h.variablesChanged, Log: h.log,
	})
	if err != nil {
		return err
	}
	h.registries, err = registries.New(registries.Config{Store: h.store, Vault: h.vault, Changed: h.registriesChanged, Open: h.cfg.OpenRegistries, Log: h.log})
	if err = errors.Join(err, h.variables.Tidy()); err != nil {
		return err
	}
	secret, err := h.vault.Derive("sealing to devices")
	h.sealer = sealed.NewSealer(secret)
	return err
}

// variablesOf are those of a device as the planner sees them.
func (h *Hub) variablesOf(id protocol.DeviceID, group string) map[string]planner.Variable {
	all := h.variables.Of(id, group)
	if len(all) == 0 {
		return nil
	}
	out := make(map[string]planner.Variable, len(all))
	for name, v := range all {
		out[name] = planner.Variable{Text: v.Text, Secret: v.Secret, Lost: v.Lost}
	}
	return out
}

// deviceSealer seals to the keys of devices.
type deviceSealer struct {
	fleet  *fleet.Registry
	sealer *sealed.Sealer
}

// Secrets implements planner.DeviceSealer.
func (s deviceSealer) Secrets(id protocol.DeviceID, entry protocol.EntryKey, x protocol.Secrets) ([]byte, error) {
	d, _ := s.fleet.Device(id)
	return s.sealer.Secrets(d.Key, entry, x)
}

// Access implements planner.DeviceSealer.
func (s deviceSealer) Access(id protocol.DeviceID, entry protocol.EntryKey, x protocol.RegistryAccess) ([]byte, error) {
	d, _ := s.fleet.Device(id)
	return s.sealer.Access(d.Key, entry, x)
}

func (h *Hub) thereIs(s variables.Scope) bool {
	if s.Device == "" {
		return h.fleet.HasGroup(s.Group)
	}
	_, ok := h.fleet.Device(s.Device)
	return ok
}

// mayBeSet says why a variable may not be set: what stacks that are bound by policies ask for would follow from it. Of jobs
// nothing does: a variable comes to a script's environment alone, under a name that the job itself declares, and never into
// image, mounts, network, user or arguments, by which policies judge.
func (h *Hub) mayBeSet(s variables.Scope, name string) error {
	if s.Device != "" {
		return h.planner.MaySet(name, []protocol.DeviceID{s.Device})
	}
	var devices []protocol.DeviceID
	for _, d := range h.fleet.Devices() {
		if fleet.Within(d.Group, s.Group) {
			devices = append(devices, d.ID)
		}
	}
	return h.planner.MaySet(name, devices)
}

func (h *Hub) variablesChanged(s variables.Scope) {
	if s.Device == "" {
		h.registriesChanged(s.Group)
		return
	}
	h.report(s.Device, "work out its stacks with new variables", h.planner.GivenChanged(s.Device))
	h.report(s.Device, "work out its jobs with new variables", h.jobs.GivenChanged(s.Device))
}

// registriesChanged has the stacks of all devices in these groups worked out anew.
func (h *Hub) registriesChanged(groups ...string) {
	for _, d := range h.fleet.Devices() {
		for _, g := range groups {
			if fleet.Within(d.Group, g) {
				h.report(d.ID, "work out its stacks with new variables or registries", h.planner.GivenChanged(d.ID))
				h.report(d.ID, "work out its jobs with new variables or registries", h.jobs.GivenChanged(d.ID))
				break
			}
		}
	}
}
