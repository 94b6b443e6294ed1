package testengine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const envHelper = "FARSHORE_TESTENGINE_HELPER"

// TestMain lets a test run this binary as a process that owns an engine.
func TestMain(m *testing.M) {
	if os.Getenv(envHelper) != "" {
		engine := New(Config{})
		if err := engine.Start(context.Background()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(engine.Host())
		select {}
	}
	os.Exit(m.Run())
}

func TestDataSurvivesEveryWayToEnd(t *testing.T) {
	hadDocker0 := hasInterface(t, "docker0")
	engine := Start(t)
	image := Image(t, "farshore-test/kept:1", ImageConfig{Host: engine.Host()})
	name := runContainer(t, engine.Host(), "keeper", image)
	host := engine.Host()
	for _, weather := range []struct {
		name string
		end  func() error
	}{{"stop", engine.Stop}, {"kill", engine.Kill}, {"power cut", engine.PowerCut}} {
		if err := weather.end(); err != nil {
			t.Fatalf("%s: %v", weather.name, err)
		}
		if err := newAPI(host).ping(t.Context()); err == nil {
			t.Fatalf("after %s the engine still answers", weather.name)
		}
		if err := engine.Start(t.Context()); err != nil {
			t.Fatalf("start after %s: %v", weather.name, err)
		}
		if engine.Host() != host {
			t.Fatalf("after %s the address is %s, was %s", weather.name, engine.Host(), host)
		}
		if got := containers(t, host); !slices.Contains(got, name) {
			t.Fatalf("after %s the containers are %v, want %s among them", weather.name, got, name)
		}
	}
	if hadDocker0 && !hasInterface(t, "docker0") {
		t.Error("the machine's own bridge docker0 is gone")
	}
}

func TestTwoEnginesShareNothing(t *testing.T) {
	first, second := Start(t), Start(t)
	Image(t, "farshore-test/first:1", ImageConfig{Host: first.Host()})
	found, err := newAPI(second.Host()).hasImage(t.Context(), "farshore-test/first:1")
	if err != nil || found {
		t.Errorf("image of the first engine on the second: %v, %v; want none", found, err)
	}
	runContainer(t, second.Host(), "other", Image(t, "farshore-test/second:1", ImageConfig{Host: second.Host()}))
	if got := containers(t, first.Host()); len(got) != 0 {
		t.Errorf("containers on the first engine: %v; want none", got)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	engine := Start(t)
	runContainer(t, engine.Host(), "leftover", Image(t, "farshore-test/left:1", ImageConfig{Host: engine.Host()}))
	post(t, engine.Host(), "/networks/create", map[string]any{"Name": "leftover"})
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	checkGone(t, filepath.Dir(strings.TrimPrefix(engine.Host(), "unix://")))
	if err := engine.Start(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("start after close: %v, want ErrClosed", err)
	}
}

func TestKilledOwnerLeavesNothing(t *testing.T) {
	Start(t) // skips where no engine can be had
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner := exec.Command(program)
	owner.Env = append(os.Environ(), envHelper+"=1")
	output, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if killErr := owner.Process.Kill(); killErr != nil {
		t.Fatal(killErr)
	}
	_ = owner.Wait() // it was killed, and says so
	host, ok := strings.CutPrefix(strings.TrimSpace(line), "unix://")
	if err != nil || !ok {
		t.Fatalf("the owner said %q, %v", line, err)
	}
	dir := filepath.Dir(host)
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there 20 s after its owner was killed", dir)
		}
		time.Sleep(20 * time.Millisecond)
	}
	checkGone(t, dir)
}

// checkGone fails the test if anything of the engine in dir is left: files, mounts, processes.
func checkGone(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want it gone", dir, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("mounts below %s are left (%v)", dir, err)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range commands {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), dir) {
			t.Errorf("process %s is left: %s", path, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
}

func hasInterface(t *testing.T, name string) bool {
	t.Helper()
	_, err := net.InterfaceByName(name)
	return err == nil
}

func runContainer(t *testing.T, host, name, image string) string {
	t.Helper()
	post(t, host, "/containers/create?name="+name, map[string]any{"Image": image})
	post(t, host, "/containers/"+name+"/start", nil)
	return name
}

func containers(t *testing.T, host string) []string {
	t.Helper()
	resp, err := newAPI(host).http.Get("http://engine/containers/json?all=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct{ Names []string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, container := range list {
		names = append(names, strings.TrimPrefix(container.Names[0], "/"))
	}
	return names
}

func post(t *testing.T, host, path string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := newAPI(host).http.Post("http://engine"+path, "application/json", strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("POST %s: %s", path, resp.Status)
	}
}
