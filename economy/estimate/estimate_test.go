package estimate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func hash(s string) protocol.Hash { return protocol.HashOf([]byte(s)) }

// shelf is registries with images by their names in one form.
type shelf struct {
	mu    sync.Mutex
	has   map[string]Image
	asked map[string]int // guarded by mu
}

func (s *shelf) Image(_ context.Context, group, image, platform string) (Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[fmt.Sprint(group, " ", image, " ", platform)]++
	if i, ok := s.has[image]; ok {
		return i, nil
	}
	return Image{}, errors.New(image + " cannot be read: nobody answers")
}

func image(name string, layers ...Layer) Image {
	return Image{IDs: []protocol.Hash{hash("config " + name), hash("manifest " + name)}, Documents: 2000, Layers: layers}
}

func layer(name string, size uint64) Layer { return Layer{hash(name), size} }

func newShelf() *shelf {
	return &shelf{asked: map[string]int{}, has: map[string]Image{
		"docker.io/library/app:1":  image("app:1", layer("base", 30_000_000), layer("app1", 5_000_000)),
		"docker.io/library/app:2":  image("app:2", layer("base", 30_000_000), layer("app2", 6_000_000)),
		"docker.io/library/side:1": image("side:1", layer("base", 30_000_000), layer("side", 1_000_000)),
		"r.example.com/app:2":      image("app:2", layer("base", 30_000_000), layer("app2", 6_000_000)),
		"r.example.com/side:1":     image("side:1", layer("base", 30_000_000), layer("side", 1_000_000)),
	}}
}

func desk(s *shelf) *Desk { return New(Config{Images: s, Now: func() time.Time { return noon }}) }

func needs(images ...string) Device {
	return Device{ID: "a", Platform: "linux/arm64", Images: images, Seen: true}
}

// TestLayersThatADeviceHasAreNotCounted: images say what they share.
func TestLayersThatADeviceHasAreNotCounted(t *testing.T) {
	has := func(names ...string) (out []Has) {
		for _, n := range names {
			out = append(out, Has{ID: hash("config " + n), Tags: []string{n}, Size: 99_000_000})
		}
		return out
	}
	digest := "app@sha256:" + hash("manifest app:2").String()
	for what, c := range map[string]struct {
		dev     Device
		want    uint64 // without documents
		unknown int
	}{
		"nothing there":               {needs("app:2"), 36_000_000, 0},
		"an earlier version":          {Device{Images: []string{"app:2"}, Has: has("app:1")}, 6_000_000, 0},
		"one with the same base":      {Device{Images: []string{"r.example.com/app:2"}, Has: []Has{{ID: hash("config side:1"), Tags: []string{"r.example.com/side:1"}}}}, 6_000_000, 0},
		"itself":                      {Device{Images: []string{"docker.io/library/app:2"}, Has: has("app:2")}, 0, 0},
		"itself, asked for always":    {Device{Images: []string{"app:2"}, Has: has("app:2"), Pull: protocol.PullAlways}, 0, 0},
		"never asked for":             {Device{Images: []string{"app:2"}, Pull: protocol.PullNever}, 0, 0},
		"two that share a base":       {needs("app:2", "side:1"), 37_000_000, 0},
		"one that nobody knows":       {needs("app:2", "gone:1"), 36_000_000, 1},
		"an image of an unknown make": {Device{Images: []string{"app:2"}, Has: has("other:7")}, 36_000_000, 0},
	} {
		got, err := desk(newShelf()).Estimate(t.Context(), Ask{Devices: []Device{c.dev}})
		if err != nil {
			t.Fatal(err)
		}
		e := got.Devices[0]
		if e.Images < c.want || e.Images > c.want+4000 || e.Unknown != c.unknown {
			t.Errorf("%s: %d bytes of images and %d unknown, want %d and %d", what, e.Images, e.Unknown, c.want, c.unknown)
		}
		if c.unknown == 1 && !slices.Contains(got.Notes, "1 device needs something of which nothing is known: it comes on top.") {
			t.Errorf("%s: the notes are %q", what, got.Notes)
		}
		if c.unknown > 0 && (len(got.Notes) == 0 || !slices.ContainsFunc(got.Images, func(i ImageEstimate) bool {
			return i.Source == SourceUnknown && strings.Contains(i.Why, "nobody answers") && i.Bytes == 0
		})) {
			t.Errorf("%s: what is unknown is not said: %+v", what, got)
		}
	}
	byDigest := newShelf()
	byDigest.has["docker.io/library/"+digest] = byDigest.has["docker.io/library/app:2"]
	got, err := desk(byDigest).Estimate(t.Context(), Ask{Devices: []Device{{Images: []string{digest}, Has: has("app:2")}}})
	if err != nil || got.Devices[0].Bytes() != 0 {
		t.Errorf("an image that is there, asked for by its digest: %+v, %v", got.Devices, err)
	}
}

// TestARegistryThatDoesNotAnswer: what others have on their disks is an upper bound, and said to be one.
func TestARegistryThatDoesNotAnswer(t *testing.T) {
	other := Device{ID: "b", Platform: "linux/arm64", Images: []string{"gone:1"}, Has: []Has{{ID: hash("g"), Tags: []string{"gone:1"}, Size: 80_000_000}}, Seen: true}
	got, err := desk(newShelf()).Estimate(t.Context(), Ask{Devices: []Device{needs("gone:1"), other}})
	if err != nil {
		t.Fatal(err)
	}
	if e := got.Devices[0]; e.Images != 80_000_000 || !e.AtMost || e.Unknown != 0 || got.Devices[1].Bytes() != 0 {
		t.Errorf("%+v", got.Devices)
	}
	if len(got.Images) != 1 || got.Images[0].Source != SourceDevices || got.Images[0].Why == "" {
		t.Errorf("%+v", got.Images)
	}
}

// TestAFleetIsAskedForOnce: devices that are alike are worked out once, and registries are asked once.
func TestAFleetIsAskedForOnce(t *testing.T) {
	s := newShelf()
	got, err := desk(s).Estimate(t.Context(), Ask{Devices: fleet(5000)})
	if err != nil || len(got.Devices) != 5000 {
		t.Fatal(err)
	}
	sums := Sum(got.Devices)
	if sums.Total < 5000*6_000_000 || sums.Median < 6_000_000 || sums.Largest < 36_000_000 {
		t.Errorf("%+v", sums)
	}
	for what, n := range s.asked {
		if n > 1 {
			t.Errorf("registries were asked %d times for %s", n, what)
		}
	}
	if len(s.asked) > 6 {
		t.Errorf("registries were asked %d times", len(s.asked))
	}
}

// fleet is devices of which most have an earlier version.
func fleet(n int) []Device {
	r := rand.New(rand.NewPCG(1, 1))
	out := make([]Device, n)
	for i := range out {
		d := needs("app:2", "side:1")
		d.ID, d.Platform = protocol.DeviceID(fmt.Sprint(i)), []string{"linux/arm64", "linux/amd64"}[i%2]
		d.Rate, d.Spent = 10_000+r.Uint32N(1000), uint64(r.Uint32N(1_000_000))
		for k := range 24 {
			d.Has = append(d.Has, Has{ID: hash(fmt.Sprint("other ", k, i%3)), Tags: []string{fmt.Sprintf("registry.example.com/other%d:%d", k, i%3)}, Size: 1})
		}
		if i%10 != 0 {
			d.Has = append(d.Has, Has{ID: hash("config app:1"), Tags: []string{"app:1"}})
		}
		out[i] = d
	}
	return out
}

// BenchmarkFleet is one estimate for 5,000 devices of 25 images each.
func BenchmarkFleet(b *testing.B) {
	devices := fleet(5000)
	for b.Loop() {
		if _, err := desk(newShelf()).Estimate(b.Context(), Ask{Devices: devices}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTimeByContact(t *testing.T) {
	window := &protocol.LinkRules{Contact: &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600, Zone: "UTC"}}}}
	pass := func(at time.Time, bytes uint64) protocol.Pass {
		return protocol.Pass{Start: at.Unix(), Seconds: 600, Bytes: bytes}
	}
	passes := func(a protocol.AfterPasses, p ...protocol.Pass) *protocol.LinkRules {
		return &protocol.LinkRules{Contact: &protocol.Contact{Passes: p, After: a}}
	}
	hour := 3600 * time.Second
	for what, c := range map[string]struct {
		link  *protocol.LinkRules
		rate  uint32
		bytes uint64
		want  int64
	}{
		"always":                      {nil, 1000, 60_000, 60},
		"always, no rate":             {nil, 0, 60_000, SecondsUnknown},
		"nothing":                     {nil, 0, 0, 0},
		"within a window":             {window, 1000, 600_000, 600},
		"two windows":                 {window, 1000, 900_000, 6*3600 + 300},
		"a window, no rate":           {window, 0, 1, SecondsUnknown},
		"a pass to come":              {passes(protocol.AfterSilent, pass(noon.Add(hour), 0)), 1000, 60_000, 3660},
		"what is expected of it":      {passes(protocol.AfterSilent, pass(noon.Add(hour), 60_000)), 0, 30_000, 3900},
		"less than the rate":          {passes(protocol.AfterSilent, pass(noon.Add(hour), 60_000), pass(noon.Add(3*hour), 0)), 1000, 90_000, 3*3600 + 30},
		"more than all passes":        {passes(protocol.AfterSilent, pass(noon.Add(hour), 60_000)), 1000, 90_000, SecondsUnknown},
		"the daily contact after":     {passes(protocol.AfterDaily, pass(noon.Add(hour), 60_000)), 1000, 90_000, 3600 + 600 + 24*3600 + 30},
		"a window that is under way":  {&protocol.LinkRules{Contact: &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "55 11 * * *", Seconds: 600, Zone: "UTC"}}}}, 1000, 300_000, 300},
		"so much that it never ends":  {window, 1, 1 << 50, SecondsUnknown},
		"a rate that cannot be right": {window, 1 << 31, 1 << 40, 512},
	} {
		d := Device{Settings: protocol.Settings{Link: c.link}, Rate: c.rate}
		if got := seconds(&d, c.bytes, noon); got != c.want {
			t.Errorf("%s: %d s, want %d", what, got, c.want)
		}
	}
}

func TestBudgetAndCost(t *testing.T) {
	d := needs("side:1")
	d.Settings.Link = &protocol.LinkRules{Budget: &protocol.Budget{Hard: 50_000_000, Reserve: 5_000_000}}
	d.Tariff, d.Spent = economy.Tariff{PerMB: 2_000_000, Currency: "EUR", Included: 20_000_000}, 15_000_000
	rich := d
	rich.Spent, rich.ID, rich.Tariff = 0, "rich", economy.Tariff{}
	got, err := desk(newShelf()).Estimate(t.Context(), Ask{Devices: []Device{rich, d}})
	if err != nil {
		t.Fatal(err)
	}
	Worst(got.Devices)
	poor := got.Devices[0]
	if poor.ID != "a" || !poor.Over || poor.Left != 30_000_000 || poor.Seconds != SecondsUnknown || got.Devices[1].Over {
		t.Errorf("%+v", got.Devices)
	}
	if want := (poor.Bytes() - 5_000_000) * 2; poor.Cost != want || poor.Currency != "EUR" {
		t.Errorf("costs %d, want %d", poor.Cost, want)
	}
	sums := Sum(got.Devices)
	if len(sums.Cost) != 1 || sums.Cost["EUR"] != poor.Cost || sums.Total != poor.Bytes()*2 || sums.Unknown != 2 {
		t.Errorf("%+v", sums)
	}
}

// TestAFileThatCannotBeRead: the estimate fails, and names it.
func TestAFileThatCannotBeRead(t *testing.T) {
	gone := errors.New("gone")
	d := Device{Files: []File{{Blob: hash("x")}}}
	_, err := desk(newShelf()).Estimate(t.Context(), Ask{Devices: []Device{d}, Content: func(protocol.Hash) ([]byte, error) { return nil, gone }})
	if !errors.Is(err, gone) {
		t.Error(err)
	}
}
