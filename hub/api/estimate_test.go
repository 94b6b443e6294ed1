package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/farshore/farshore/economy/estimate"
	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/stacks/planner"
)

// noted are estimates that keep for whom they were asked.
type noted struct {
	api.Estimates
	spec planner.ApplySpec
}

func (n *noted) EstimateStack(_ context.Context, spec planner.ApplySpec) (estimate.Estimate, error) {
	n.spec = spec
	return estimate.Estimate{}, nil
}

// Whose estimate has the hub ask registries that nobody has put into its book: of those who could give the stack a source,
// where they could.
func TestWhoseEstimatesReachAnyRegistry(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"oslo", "bergen"} {
		w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: path}, nil)
	}
	w.person(person{"sam", "standard-user", "oslo"})
	w.person(person{"eve", "edge-administrator", "oslo"})
	w.person(person{"adam", "administrator", ""})
	n := &noted{}
	c := w.config
	c.Accounts, c.Estimates = people{c.Accounts}, n
	w.serve(c)
	for _, x := range []struct {
		who, group string
		code       int
		abroad     bool
	}{
		{"sam", "oslo", 200, false}, {"eve", "oslo", 200, true}, {"eve", "bergen", 403, false}, {"adam", "bergen", 200, true},
	} {
		n.spec = planner.ApplySpec{}
		body := resource.Apply{Files: map[string][]byte{"compose.yml": []byte("services: {web: {image: \"10.0.0.5:5000/x\"}}")}, Group: &x.group}
		code, text := w.asNamed(x.who, http.MethodPost, "/stacks/web/estimate", body)
		if code != x.code || n.spec.Abroad != x.abroad || code == 200 && n.spec.Author == "" {
			t.Errorf("%s in %s: %d, any registry: %v, %s", x.who, x.group, code, n.spec.Abroad, fmt.Sprintf("%.200s", text))
		}
	}
}
