package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
)

// fullTrail is an audit trail on a full disk.
type fullTrail struct{ api.Trail }

func (fullTrail) Record(audit.Entry) error { return syscall.ENOSPC }

func TestWhatCouldNotBeRecordedIsNotSaidToBeUndone(t *testing.T) {
	w := newWorld(t)
	w.config.Audit = fullTrail{w.config.Audit}
	handler, err := api.New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.server.Close()
	w.server = httptest.NewTLSServer(handler)
	t.Cleanup(w.server.Close)
	resp := w.request(http.MethodPut, "/groups", resource.PutGroup{Path: "norway"})
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusInsufficientStorage || !strings.Contains(string(said), "it was done") || strings.Contains(string(said), "nothing was changed") {
		t.Errorf("a change that was made and not recorded: %d %s %v", resp.StatusCode, said, err)
	}
	var groups resource.List[resource.Group]
	if w.ask(http.MethodGet, "/groups", nil, &groups); len(groups.Items) != 2 {
		t.Errorf("the group is not there: %+v", groups.Items)
	}
}
