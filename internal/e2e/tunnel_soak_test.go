//go:build soak

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/wirelab"
)

// How long it takes from a click to the first byte of the engine's answer, on a LAN and on a satellite's link of 600 ms, in
// round trips of that: with a tunnel that has to be opened, and with one that is open.
func TestTunnelRoundTrips(t *testing.T) {
	s := newSite(t, "mqtt")
	s.agent.stop()
	s.agent.more = []string{"--mode", "standard"}
	s.agent.start()
	s.hub.connected(s.device, "mqtt")
	token := s.hub.token()
	body := ""
	call := func(method, path string) (time.Duration, error) {
		req, err := http.NewRequest(method, s.hub.url()+"/api/v1/devices/"+s.device+path, nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		began := time.Now()
		resp, err := s.client().Do(req)
		if err != nil {
			return 0, err
		}
		took := time.Since(began)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode >= 300 {
			err = fmt.Errorf("%s: %s", resp.Status, text)
		}
		body = string(text)
		return took, err
	}
	closed := func() {
		t.Helper()
		if _, err := call(http.MethodDelete, "/tunnel"); err != nil {
			t.Fatal(err)
		}
		until(t, "the tunnel is closed", func() error {
			var now struct{ State string }
			if _, err := call(http.MethodGet, "/tunnel"); err != nil {
				return err
			}
			decode(t, body, &now)
			return wanted("state", now.State, "idle")
		})
	}
	measure := func(n int) (cold, warm []time.Duration) {
		t.Helper()
		for range n {
			closed()
			for _, to := range []*[]time.Duration{&cold, &warm} {
				took, err := call(http.MethodGet, "/docker/_ping")
				if err != nil {
					t.Fatal(err)
				}
				*to = append(*to, took)
			}
		}
		slices.Sort(cold)
		slices.Sort(warm)
		return cold, warm
	}
	until(t, "its mode is known", func() error { _, err := call(http.MethodGet, "/docker/_ping"); return err })
	cold, warm := measure(40)
	t.Logf("LAN, click to first byte of 40: cold p50 %s, p95 %s (target 1 s); warm p50 %s, p95 %s", cold[20], cold[37], warm[20], warm[37])
	if cold[37] > time.Second {
		t.Errorf("cold p95 on a LAN is %s, want at most 1 s", cold[37])
	}

	const trip = 600 * time.Millisecond
	for _, loss := range []int{0, 20} {
		s.Wire.SetWeather(wirelab.Weather{Delay: trip / 2, Loss: loss})
		cold, warm := measure(5)
		in := func(d time.Duration) float64 { return float64(d) / float64(trip) }
		t.Logf("600 ms, %d in 1,000 lost: cold %.1f to %.1f round trips, median %.1f (target 12); warm %.1f to %.1f, median %.1f (target 2)",
			loss, in(cold[0]), in(cold[4]), in(cold[2]), in(warm[0]), in(warm[4]), in(warm[2]))
		if loss == 0 && (in(cold[2]) > 12 || in(warm[2]) > 2.2) {
			t.Errorf("round trips: cold %.1f, want at most 12; warm %.1f, want at most 2", in(cold[2]), in(warm[2]))
		}
	}
	s.Wire.SetWeather(wirelab.Weather{})
}
