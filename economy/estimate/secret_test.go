package estimate

import (
	"strings"
	"testing"
)

// Who has a change estimated chooses the registry that is asked, and nobody records that they did.
func TestNoRegistryIsToldASecret(t *testing.T) {
	shelf := newShelf()
	e, err := desk(shelf).Estimate(t.Context(), Ask{
		Devices: []Device{needs("r.example.com/side:1", "hostile.example/app:s3cret")},
		Secret:  func(image string) bool { return strings.Contains(image, "s3cret") },
		Shown:   func(image string) string { return strings.ReplaceAll(image, "s3cret", "${PASSWORD}") },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(shelf.asked) != 1 {
		t.Errorf("asked: %v", shelf.asked)
	}
	if e.Devices[0].Unknown != 1 || len(e.Images) != 2 {
		t.Errorf("%+v", e)
	}
	for _, i := range e.Images {
		if strings.Contains(i.Image+i.Why, "s3cret") || strings.HasPrefix(i.Image, "hostile") && !strings.Contains(i.Why, "secret variable") {
			t.Errorf("%+v", i)
		}
	}
}
