package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// metrics reads the names that a hub exposes, histograms by all their names.
func (h *hub) metrics() (map[string]bool, error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, // the figures are no secret, and the hub is ours
	}}
	resp, err := client.Get(h.url() + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	names := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if name := regexp.MustCompile(`^[a-z_]+`).FindString(line); name != "" {
			names[name] = true
		}
	}
	return names, err
}

// TestDashboardAndAlertsAskForWhatThereIs has a hub in use expose every figure that the dashboard and the alert rules
// of deploy ask for.
func TestDashboardAndAlertsAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Labels      struct{ Severity string }
				Annotations struct{ Summary string }
			}
		}
	}
	raw, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err == nil {
		err = yaml.Unmarshal(raw, &rules)
	}
	if err != nil || len(rules.Groups) == 0 {
		t.Fatalf("alert rules: %v", err)
	}
	asked := map[string]string{}
	figure := regexp.MustCompile(`\b(farshore|process|go)_[a-z_]+`)
	ask := func(where, expr string) {
		found := figure.FindAllString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(expr, ""), -1)
		if expr == "" || len(found) == 0 && !strings.HasPrefix(expr, "up{") {
			t.Errorf("%s asks for nothing: %q", where, expr)
		}
		for _, name := range found {
			asked[name] = where
		}
	}
	for _, r := range rules.Groups[0].Rules {
		ask("alert "+r.Alert, r.Expr)
		if r.Annotations.Summary == "" || r.Labels.Severity != "page" && r.Labels.Severity != "ticket" {
			t.Errorf("alert %s has no summary or no severity", r.Alert)
		}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	raw, err = os.ReadFile("../../deploy/grafana/farshore.json")
	if err == nil {
		err = json.Unmarshal(raw, &board)
	}
	if err != nil || len(board.Panels) == 0 {
		t.Fatalf("dashboard: %v", err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			ask("panel "+p.Title, target.Expr)
		}
	}

	h := newHub(t, hubConfig{})
	a := newAgent(t, "https", nil)
	a.join(h.key("field"))
	id := h.admit(a, "box")
	h.connected(id, "")
	file := filepath.Join(workDir(t), "compose.yml")
	write(t, file, "services: {a: {image: nothing}}\n")
	h.cli("stacks", "apply", "--name", "web", "-f", file, "--select", "farshore.io/name=box")
	h.try("command", "snapshot", id, "--wait") // how it ends is the same to us: there is no engine
	until(t, "all figures are there", func() error {
		there, err := h.metrics()
		if err != nil {
			return err
		}
		for name, where := range asked {
			if !there[name] {
				return fmt.Errorf("the hub has no %s, which %s asks for", name, where)
			}
		}
		return nil
	})
}
