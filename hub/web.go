package hub

import (
	"errors"
	"net/http"
	"path/filepath"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
)

// web makes the API, with the console behind it.
func (h *Hub) web() (http.Handler, error) {
	return api.New(api.Config{
		Accounts:  h.access,
		Tokens:    h.access,
		Audit:     h.audit,
		Events:    h.events,
		Devices:   h.fleet,
		Changes:   h.fleet,
		Groups:    h.fleet,
		Profiles:  h.fleet,
		Stacks:    h.planner,
		StackDesk: h.planner,
		Commands:  h.book,
		Snapshots: h.fold,
		Waiting:   h.desk,
		Keys:      h.desk,
		Sessions:  h.sessions,
		Hub: resource.Hub{
			Version: h.cfg.Version, URL: h.addresses.URL, MQTTURL: h.addresses.MQTTURL, Fingerprint: h.addresses.Fingerprint,
		},
		AuditFile: filepath.Join(h.cfg.Data, audit.FileName),
		Overdue:   h.told.overdue,
		Ready:     h.ready,
		Console:   h.cfg.Console,
		Log:       h.log,
	})
}

// ready says why the hub cannot do its work now.
func (h *Hub) ready() error {
	if h.store.Size() == 0 {
		return errors.New("the store is closed")
	}
	return nil
}
