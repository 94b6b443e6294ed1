package api_test

import (
	"net/http"
	"testing"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// unusable are the enrolment keys of a hub that has lost the key of its secrets.
type (
	enrolmentKeys = api.Keys
	unusable      struct{ enrolmentKeys }
)

func (u unusable) Keys() []waitingroom.EnrolmentKey {
	keys := u.enrolmentKeys.Keys()
	for i := range keys {
		keys[i].Unusable = "secrets.key was lost"
	}
	return keys
}

func TestUnusableKeysAreShown(t *testing.T) {
	w := newWorld(t)
	w.EdgeKey(admission.KeySpec{Name: "plant"})
	var all resource.List[resource.Key]
	w.ask(http.MethodGet, "/keys", nil, &all)
	if len(all.Items) != 1 || all.Items[0].Unusable != "" {
		t.Errorf("a key that can be used: %+v", all.Items)
	}
	c := w.config
	c.Keys = unusable{c.Keys}
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.server.Config.Handler = handler
	var one resource.Key
	w.ask(http.MethodGet, "/keys", nil, &all)
	w.ask(http.MethodGet, "/keys/plant", nil, &one)
	if all.Items[0].Unusable != "secrets.key was lost" || one.Unusable != all.Items[0].Unusable {
		t.Errorf("it says nothing of a key that cannot be used: %+v, %+v", all.Items, one)
	}
}
