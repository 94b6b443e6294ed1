package api_test

import (
	"net/http"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
)

// A word that is misspelt does not make a stack that belongs to somebody else than was meant.
func TestAStackBelongsToNobodyWhoIsNot(t *testing.T) {
	w, _ := twoGroups(t)
	for at, owner := range map[string]resource.Owner{
		"body.owner.visibility": {Visibility: "secret"},
		"body.owner.team":       {Visibility: "team", Team: "strangers"},
	} {
		body := resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose1)}, Owner: &owner}
		if p := w.refused(http.MethodPut, "/stacks/fresh", body); p.Code != "invalid" || len(p.Errors) == 0 || p.Errors[0].Location != at {
			t.Errorf("%s: %+v", at, p)
		}
	}
	if p := w.refused(http.MethodGet, "/stacks/fresh", nil); p.Status != http.StatusNotFound {
		t.Errorf("the stack is there: %+v", p)
	}
}
