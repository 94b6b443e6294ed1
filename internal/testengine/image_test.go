package testengine

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

func TestImageRunsAsDescribed(t *testing.T) {
	engine := Start(t)
	image := Image(t, "farshore-test/described:1", ImageConfig{
		Host:   engine.Host(),
		Cmd:    []string{"/bin/sh", "-c", `test "$GREETING" = 'say "$5"' && touch /tmp/well; exec /run.sh`},
		Health: "test -e /tmp/well",
		Env:    []string{`GREETING=say "$5"`},
		Files:  map[string]string{"/run.sh": "#!/bin/sh\nsleep 60\n"},
	})
	runContainer(t, engine.Host(), "described", image)
	deadline := time.Now().Add(30 * time.Second)
	for health := ""; health != "healthy"; health = healthOf(t, engine.Host(), "described") {
		if time.Now().After(deadline) {
			t.Fatalf("health is %q after 30 s, want healthy", health)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestRegistryKeepsWhatItWasGiven(t *testing.T) {
	engine := Start(t)
	registry := Registry(t)
	image := Image(t, "farshore-test/pushed:1", ImageConfig{Host: engine.Host()})
	name := registry.PushFrom(t, engine.Host(), image, "pushed:1")
	registry.Stop()
	if _, err := http.Get("http://" + registry.Addr + "/v2/"); err == nil {
		t.Error("a stopped registry answers")
	}
	registry.Restart(t)

	other := Start(t)
	if _, err := newAPI(other.Host()).call(t.Context(), "POST", "/images/create?fromImage="+name, nil); err != nil {
		t.Fatalf("pull on another engine: %v", err)
	}
	if found, err := newAPI(other.Host()).hasImage(t.Context(), name); err != nil || !found {
		t.Errorf("%s on the engine that pulled it: %v, %v", name, found, err)
	}
}

func healthOf(t *testing.T, host, name string) string {
	t.Helper()
	resp, err := newAPI(host).http.Get("http://engine/containers/" + name + "/json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var container struct {
		State struct{ Health struct{ Status string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&container); err != nil {
		t.Fatal(err)
	}
	return container.State.Health.Status
}
