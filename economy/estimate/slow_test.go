package estimate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
)

// slow are registries that take their time.
type slow struct{ after time.Duration }

func (s slow) Image(ctx context.Context, _, name, _ string) (Image, error) {
	select {
	case <-time.After(s.after):
		return image(name, layer(name, 1000)), nil
	case <-ctx.Done():
		return Image{}, errors.New("no time was left")
	}
}

// A fleet whose images are many, at registries that are slow, is answered in time all the same, and what is not known of
// it is said.
func TestAnEstimateEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		devices := make([]Device, 5000)
		for i := range devices {
			devices[i] = needs(fmt.Sprintf("r.example.com/app:%d", i%200))
			devices[i].ID = protocol.DeviceID(fmt.Sprint(i))
		}
		began := time.Now()
		e, err := New(Config{}).Estimate(t.Context(), Ask{Devices: devices, Images: slow{20 * time.Second}})
		if err != nil || time.Since(began) > timeout {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		read, unread := 0, 0
		for _, i := range e.Images {
			switch {
			case i.Source == SourceRegistry && i.Why == "":
				read++
			case i.Source == SourceUnknown && i.Why == "no time was left":
				unread++
			}
		}
		if read == 0 || unread == 0 || read+unread != 200 {
			t.Errorf("%d images were read about, %d not, of 200", read, unread)
		}
		for i := range e.Devices {
			if d := &e.Devices[i]; (d.Unknown == 0) == (d.Images == 0) {
				t.Fatalf("an image of which nothing is known counts as nothing: %+v", d)
			}
		}
	})
}

// What registries say of more layers than can be remembered is forgotten again.
func TestKnownLayersAreBounded(t *testing.T) {
	var k known
	for i := range 2000 {
		k.put(&Image{IDs: []protocol.Hash{hash(fmt.Sprint(i))}, Layers: make([]Layer, 512)})
		k.put(&Image{IDs: []protocol.Hash{hash(fmt.Sprint(i))}, Layers: make([]Layer, 511)})
	}
	if k.count > maxKnownLayers || k.count != 511*len(k.layers) || len(k.layers) == 0 {
		t.Errorf("%d layers of %d images are remembered", k.count, len(k.layers))
	}
}

// A fleet never needs less because some device is said to need more.
func TestSumsDoNotWrap(t *testing.T) {
	huge := DeviceEstimate{Files: 1 << 60, Images: 1 << 62, Overhead: 1 << 60, Currency: "EUR", Cost: 1 << 63}
	if s := Sum([]DeviceEstimate{huge, huge, huge, huge, huge}); s.Total != math.MaxUint64 || s.Images != math.MaxUint64 || s.Cost["EUR"] != math.MaxUint64 {
		t.Errorf("%+v", s)
	}
}
