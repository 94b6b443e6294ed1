package api_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
)

func TestPoliciesAreReadAsTheyHoldAndChangedAsTheyWereSeen(t *testing.T) {
	w := newWorld(t)
	var p resource.Policy
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway", Forbid: []string{"privileged", "bind-mounts"}, Note: "rule 12"}, &p)
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway/oslo", Images: []string{"registry.example.com/**"}}, nil)
	var all resource.List[resource.Policy]
	w.ask(http.MethodGet, "/policies?group=norway/oslo/line", nil, &all)
	if len(all.Items) != 3 || all.Items[2].Group != "norway/oslo/line" || len(all.Items[2].Forbid) != 0 || !slices.Equal(all.Items[0].Forbid, []string{"bind-mounts", "privileged"}) || all.Items[0].Note != "rule 12" ||
		!slices.Equal(all.Items[1].Images, []string{"registry.example.com/**"}) {
		t.Errorf("what holds in norway/oslo/line: %+v", all.Items)
	}
	w.ask(http.MethodGet, "/policies?group=sweden", nil, &all)
	if len(all.Items) != 1 || len(all.Items[0].Forbid) != 0 {
		t.Errorf("what holds in sweden: %+v", all.Items)
	}
	w.ask(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway", Forbid: []string{"host-pid"}}, nil)
	resp := w.request(http.MethodPut, "/policies", resource.PutPolicy{Group: "norway"}, "If-Match", `"`+p.Etag+`"`)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a policy that was changed meanwhile: %d", resp.StatusCode)
	}
	for _, bad := range []resource.PutPolicy{{Forbid: []string{"all"}}, {Images: []string{"a b"}}} {
		resp := w.request(http.MethodPut, "/policies", bad)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%+v: %d", bad, resp.StatusCode)
		}
	}
}
