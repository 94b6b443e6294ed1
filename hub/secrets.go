package hub

import (
	"errors"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/hub/variables"
)

// openSecrets makes what is given to devices beside bundles: variables, and how registries let them in.
func (h *Hub) openSecrets() (err error) {
	h.variables, err = variables.New(variables.Config{
		Store: h.store, Vault: h.vault, There: h.thereIs, Changed: h.variablesChanged, Log: h.log,
	})
	if err != nil {
		return err
	}
	h.registries, err = registries.New(registries.Config{Store: h.store, Vault: h.vault, Changed: h.registriesChanged, Log: h.log})
	return errors.Join(err, h.variables.Tidy())
}

func (h *Hub) thereIs(s variables.Scope) bool {
	if s.Device == "" {
		return h.fleet.HasGroup(s.Group)
	}
	_, ok := h.fleet.Device(s.Device)
	return ok
}

func (h *Hub) variablesChanged(s variables.Scope) {
	if s.Device == "" {
		h.registriesChanged(s.Group)
		return
	}
	h.report(s.Device, "work out its stacks with new variables", h.planner.DeviceChanged(s.Device))
}

// registriesChanged has the stacks of all devices in these groups worked out anew.
func (h *Hub) registriesChanged(groups ...string) {
	for _, d := range h.fleet.Devices() {
		for _, g := range groups {
			if fleet.Within(d.Group, g) {
				h.report(d.ID, "work out its stacks with new variables or registries", h.planner.DeviceChanged(d.ID))
				break
			}
		}
	}
}
