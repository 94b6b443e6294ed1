package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
)

// web makes the API, with the console behind it, of a hub that serves until ctx ends.
func (h *Hub) web(ctx context.Context) (http.Handler, error) {
	c := h.api()
	c.Ready, c.Console = func() error { return h.ready(ctx) }, h.cfg.Console
	return api.New(c)
}

// api tells the API of the parts.
func (h *Hub) api() api.Config {
	fleet := h.grounds()
	return api.Config{
		Accounts: h.access,
		Tokens:   h.access,
		People:   h.access,
		Audit:    h.audit,
		Trail:    h.audit,

		Destinations: h.forward,

		Events:    h.events,
		Devices:   h.fleet,
		Changes:   fleet,
		Groups:    fleet,
		Profiles:  h.fleet,
		Links:     h.fleet,
		Stacks:    h.planner,
		StackDesk: h.estimates,
		Estimates: h.estimates,
		Jobs:      h.jobs,
		Tunnels:   h.tunnels,
		Commands:  h.book,
		Snapshots: h.fold,
		Waiting:   h.desk,
		Keys:      h.desk,
		Sessions:  h.sessions,
		Timeline:  h.timeline,
		Views:     h.access,
		Backups:   h.backups,
		Policies:  policyBook{h.policies, h},
		Variables: h.variables,
		Releases:  h.releases,
		Updates:   h.updates,
		Sources:   h.sources,
		Hooks:     h.sources,

		Registries: h.registries, Usage: h.ledger,
		Protection: h.gate, Certificates: h.certificate, EdgeGroups: h.sets,
		Hub: resource.Hub{
			Version: h.cfg.Version, URL: h.addresses.URL, MQTTURL: h.addresses.MQTTURL,
		},
		AgentImage: h.cfg.AgentImage,
		Overdue:    h.told.overdue,
		Storage:    h.storage,
		Log:        h.log,
		LogLevel:   h.cfg.LogLevel,
	}
}

// ready says why the hub, which serves until ctx ends, cannot do its work now.
func (h *Hub) ready(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.New("the hub is stopping")
	}
	if h.store.Size() == 0 {
		return errors.New("the store is closed")
	}
	if err := h.store.Broken(); err != nil {
		return fmt.Errorf("the last change could not be stored: %w", err)
	}
	if err := h.audit.Broken(); err != nil {
		return fmt.Errorf("what was done last is not on record: %w", err)
	}
	return nil
}
