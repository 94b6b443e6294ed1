package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/certtest"
	"github.com/farshore/farshore/internal/testengine"
)

// estimated is `farshore stacks apply --estimate -o json`.
type estimated struct {
	Total  uint64 `json:"total"`
	Images []struct {
		Image  string `json:"image"`
		Source string `json:"source"`
		Why    string `json:"why"`
	} `json:"images"`
}

// TestImagesCostWhatWasEstimated holds what a hub says that images will cost, by what a real registry tells it, to what was on
// the wire of the device, and to what the rollout says afterwards: within 2 %. The second version changes one of two layers.
func TestImagesCostWhatWasEstimated(t *testing.T) {
	t.Parallel()
	authority := certtest.New(t, "registries")
	dir := workDir(t)
	trusted := filepath.Join(dir, "authority.pem")
	write(t, trusted, string(authority.PEM))
	write(t, filepath.Join(dir, "password"), "none\n")
	s := newSite(t, "mqtt", "SSL_CERT_FILE="+trusted)
	s.put("/profiles/by-agent", map[string]any{"settings": map[string]any{}, "link": map[string]any{"images": "agent"}})
	s.hub.cli("groups", "set", "/", "--profile", "by-agent", "--snapshot", "push")

	tag := strings.ToLower(filepath.Base(dir))
	text := noise(20_000_000)
	base := testengine.Image(t, "farshore-test/estimate:base-"+tag, testengine.ImageConfig{Files: map[string]string{"/base": text[:9_000_000]}})
	first := testengine.Layered(t, "farshore-test/estimate:1-"+tag, base, map[string]string{"/app": text[9_000_000:17_000_000]})
	second := testengine.Layered(t, "farshore-test/estimate:2-"+tag, base, map[string]string{"/app": text[17_000_000:]})
	images := s.registryOf(authority, first, second)
	s.hub.cli("registries", "add", strings.SplitN(images[0], "/", 2)[0], "--user", "none", "--password-file", filepath.Join(dir, "password"), "--ca-file", trusted)

	for i, image := range images {
		file := noise(1000 + i)
		said := s.estimate(image, file)
		if len(said.Images) != 1 || said.Images[0].Source != "registry" {
			t.Fatalf("of the image is said %+v", said.Images)
		}
		s.Wire.Quiet(t, 300*time.Millisecond)
		mark := s.Wire.Mark()
		s.bundle(uint64(i+1), image, file)
		s.Wire.Quiet(t, 300*time.Millisecond)
		seen := s.Wire.Since(mark)
		if pulled := toRegistry(seen).Bytes(); pulled < seen.Bytes()*9/10 {
			t.Errorf("%d of %d bytes were of the image", pulled, seen.Bytes())
		}
		s.near(fmt.Sprintf("version %d by the wire", i+1), said.Total, uint64(seen.Bytes()-seen.Again().Bytes()))
		data := s.rolloutData()
		if data.Estimated != 1 || data.Reported != 1 {
			t.Fatalf("the rollout knows of %+v", data)
		}
		s.near(fmt.Sprintf("version %d by its rollout", i+1), data.Estimate, data.Actual)
	}
}

// near holds an estimate to what was spent within 2 %.
func (s *site) near(what string, estimate, actual uint64) {
	s.t.Helper()
	off := 100*float64(estimate)/float64(actual) - 100
	s.t.Logf("%s: %d bytes were estimated, and %d spent: %+.2f %%", what, estimate, actual, off)
	if off < -2 || off > 2 {
		s.t.Errorf("%s: %d bytes were estimated, and %d spent: %+.2f %%", what, estimate, actual, off)
	}
}

// estimate asks what a version of the stack would cost.
func (s *site) estimate(image, file string) (e estimated) {
	s.t.Helper()
	out := s.hub.cli(append(s.versionArgs(image, file), "--estimate", "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		s.t.Fatalf("%v:\n%s", err, out)
	}
	return e
}

// rolloutData is what the latest rollout of the stack was thought to cost, and has cost.
func (s *site) rolloutData() (data struct {
	Estimate  uint64 `json:"estimate"`
	Estimated int    `json:"estimated"`
	Actual    uint64 `json:"actual"`
	Reported  int    `json:"reported"`
},
) {
	s.t.Helper()
	until(s.t, "the rollout says what it has cost", func() error {
		var all []struct {
			Number uint64          `json:"number"`
			Data   json.RawMessage `json:"data"`
		}
		if err := s.hub.ask(&all, "rollouts", "ls", "cargo"); err != nil {
			return err
		}
		if len(all) == 0 || len(all[0].Data) == 0 {
			return fmt.Errorf("nothing is known: %+v", all)
		}
		if err := json.Unmarshal(all[0].Data, &data); err != nil {
			return err
		}
		if data.Reported == 0 || data.Estimated == 0 {
			return fmt.Errorf("it says %s", all[0].Data)
		}
		return nil
	})
	return data
}
