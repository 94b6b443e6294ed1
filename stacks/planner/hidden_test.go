package planner_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// Who keeps a variable without knowing its value learns it from nothing that is said about the bundle, and no registry is
// told those that are secret.
func TestWhatIsNeededTellsNoValueThatIsKept(t *testing.T) {
	for what, secret := range map[string][]string{"secret": {"TOKEN"}, "not secret": nil} {
		h := start(t, map[protocol.DeviceID]map[string]string{devA: {}})
		h.real = true
		h.apply(planner.ApplySpec{Name: "web", Files: bundle("services: {web: {image: app}}"), Env: map[string]string{"TOKEN": "swordfish"}, Secret: secret})
		keeping := func(image string) planner.ApplySpec {
			return planner.ApplySpec{
				Name: "web", Files: bundle("services: {web: {image: \"" + image + "\"}}"), Author: "eve",
				Keep: planner.KeptEnv{Version: 1, Names: []string{"TOKEN"}},
			}
		}
		n, err := h.Needs(keeping("hostile.example/${TOKEN}/app:1"))
		h.must(err)
		images := n.Devices[0].Images
		if !slices.Equal(images, []string{"hostile.example/swordfish/app:1"}) {
			t.Fatalf("%s: the device needs %q", what, images)
		}
		if got := n.Shown(images[0] + " cannot be read"); got != "hostile.example/${TOKEN}/app:1 cannot be read" {
			t.Errorf("%s: shown as %q", what, got)
		}
		if got := n.Secret(images[0]); got != (secret != nil) {
			t.Errorf("%s: told to registries: %v", what, !got)
		}
		for _, bad := range []string{"${TOKEN} is bad", "app:${TOKEN}:${TOKEN}"} {
			if _, err := h.Needs(keeping(bad)); !errors.Is(err, stacks.ErrInvalid) || strings.Contains(err.Error(), "swordfish") {
				t.Errorf("%s: of a name that is none: %v", what, err)
			}
			if _, err := h.Preview(keeping(bad)); !errors.Is(err, stacks.ErrInvalid) || strings.Contains(err.Error(), "swordfish") {
				t.Errorf("%s: previewed: %v", what, err)
			}
		}
	}
}
