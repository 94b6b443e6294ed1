package install_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/deploy"
	"github.com/farshore/farshore/edgeagent/install"
)

// machine is a machine whose systemd only takes notes.
type machine struct {
	*testing.T
	install.Paths
	notes  string
	config install.Config
	out    bytes.Buffer
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{T: t, notes: filepath.Join(dir, "notes"), Paths: install.Paths{
		Bin: filepath.Join(dir, "bin"), Data: filepath.Join(dir, "data"), Key: filepath.Join(dir, "etc", "edge.key"),
		UnitFile: filepath.Join(dir, "system", install.Unit+".service"), Booted: dir,
	}}
	tools := filepath.Join(dir, "tools")
	m.write(filepath.Join(tools, "systemctl"), "#!/bin/sh\necho \"$@\" >>"+m.notes+"\n", 0o755)
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	m.write(filepath.Join(dir, "new", "farshore-agent"), "agent 1", 0o755)
	m.write(filepath.Join(dir, "new", "farshore-composer"), "composer 1", 0o755)
	m.config = install.Config{
		Paths: m.Paths, Agent: filepath.Join(dir, "new", "farshore-agent"), Composer: filepath.Join(dir, "new", "farshore-composer"),
		EdgeKey: "fsk1_key", Out: &m.out,
	}
	return m
}

func (m *machine) write(path, text string, mode os.FileMode) {
	m.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) install() {
	m.Helper()
	if err := install.Install(m.Context(), m.config); err != nil {
		m.Fatal(err)
	}
}

// asked returns what systemd was asked since the last time.
func (m *machine) asked() string {
	b, _ := os.ReadFile(m.notes)
	os.Remove(m.notes)
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "; ")
}

func (m *machine) has(path, content string, mode os.FileMode) {
	m.Helper()
	b, err := os.ReadFile(path)
	info, serr := os.Stat(path)
	if err != nil || serr != nil || string(b) != content || info.Mode().Perm() != mode {
		m.Errorf("%s: %q %v, %v", path, b, info.Mode(), err)
	}
}

func TestInstall(t *testing.T) {
	m := newMachine(t)
	m.install()
	if got := m.asked(); got != "daemon-reload; enable farshore-agent; restart farshore-agent" {
		t.Errorf("systemd was asked: %s", got)
	}
	m.has(filepath.Join(m.Bin, "farshore-agent"), "agent 1", 0o755)
	m.has(filepath.Join(m.Bin, "farshore-composer"), "composer 1", 0o755)
	m.has(m.Key, "fsk1_key\n", 0o600)
	if info, err := os.Stat(m.Paths.Data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v, %v", info, err)
	}
	unit, err := os.ReadFile(m.UnitFile)
	if err != nil || !strings.Contains(string(unit), "ExecStart="+m.Bin+"/farshore-agent run --data "+m.Paths.Data+" --edge-key-file "+m.Key+"\n") ||
		!strings.Contains(string(unit), "ReadWritePaths="+m.Paths.Data+"\n") {
		t.Errorf("unit: %v\n%s", err, unit)
	}
	if path, err := exec.LookPath("systemd-analyze"); err == nil {
		if out, err := exec.Command(path, "verify", m.UnitFile).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	}

	m.install() // once more changes nothing
	if got := m.asked(); got != "daemon-reload; enable farshore-agent; start farshore-agent" {
		t.Errorf("systemd was asked the second time: %s", got)
	}
	m.write(m.config.Agent, "agent 2", 0o755)
	m.config.EdgeKey = "" // the one that is there stays
	m.install()
	if got := m.asked(); !strings.HasSuffix(got, "; restart farshore-agent") {
		t.Errorf("systemd was asked for a newer agent: %s", got)
	}
	m.has(filepath.Join(m.Bin, "farshore-agent"), "agent 2", 0o755)
	m.has(m.Key, "fsk1_key\n", 0o600)
}

// What loosens the service for scripts on the host is there where somebody wants such jobs, and what was chosen stays.
func TestInstallForKindsOfJobs(t *testing.T) {
	m := newMachine(t)
	hostScripts := deploy.HostScriptsFile(m.UnitFile)
	for _, c := range []struct{ wanted, is install.Jobs }{
		{"", install.JobsAll},
		{"", install.JobsAll},
		{install.JobsContainers, install.JobsContainers},
		{"", install.JobsContainers},
		{install.JobsOff, install.JobsOff},
		{"", install.JobsOff},
		{install.JobsAll, install.JobsAll},
	} {
		m.config.Jobs = c.wanted
		m.install()
		unit, err := os.ReadFile(m.UnitFile)
		if err != nil {
			t.Fatal(err)
		}
		loose, err := os.ReadFile(hostScripts)
		if (err == nil) != (c.is == install.JobsAll) {
			t.Errorf("%q: scripts on the host: %v", c.wanted, err)
		}
		settings := strings.Split(string(unit)+string(loose), "\n")
		var jobs string
		for _, line := range settings { // the last one counts
			if kinds, ok := strings.CutPrefix(line, "Environment=FARSHORE_JOBS="); ok {
				jobs = kinds
			}
		}
		if jobs != string(c.is) {
			t.Errorf("%q: the agent is told to run %q", c.wanted, jobs)
		}
	}
	if err := install.Uninstall(t.Context(), install.Removal{Paths: m.Paths, Out: &m.out}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(hostScripts)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

func TestInstallWithoutSystemd(t *testing.T) {
	m := newMachine(t)
	m.config.Booted = filepath.Join(m.Bin, "nothing")
	m.install()
	if got := m.asked(); got != "" {
		t.Errorf("systemd was asked: %s", got)
	}
	if want := m.Bin + "/farshore-agent run --data " + m.Paths.Data + " --edge-key-file " + m.Key; !strings.Contains(m.out.String(), want) {
		t.Errorf("it does not say what to do:\n%s", m.out.String())
	}
}

func TestInstallIntoAnImage(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	m.config.Paths = install.DefaultPaths("", "")
	m.config.Root = root
	m.install()
	if got := m.asked(); got != "--root "+root+" enable farshore-agent" {
		t.Errorf("systemd was asked: %s", got)
	}
	m.has(filepath.Join(root, "usr/local/bin/farshore-agent"), "agent 1", 0o755)
	unit, err := os.ReadFile(filepath.Join(root, "etc/systemd/system/farshore-agent.service"))
	shipped, serr := os.ReadFile("../../deploy/farshore-agent.service")
	if err != nil || serr != nil || !bytes.Equal(unit, shipped) {
		t.Errorf("the unit is not the one that is shipped: %v, %v", err, serr)
	}
	if err := install.Uninstall(t.Context(), install.Removal{Paths: m.config.Paths, Out: &m.out}); err != nil {
		t.Fatal(err)
	}
	if got := m.asked(); got != "--root "+root+" disable farshore-agent" || strings.Contains(m.out.String(), "keep running") {
		t.Errorf("taken out of an image, systemd was asked: %s\n%s", got, m.out.String())
	}
}

func TestPathsThatAUnitCannotName(t *testing.T) {
	m := newMachine(t)
	for _, data := range []string{"/data with spaces", "relative", "/a\nExecStartPre=/bin/sh", "/a%h", ""} {
		m.config.Paths.Data = data
		if err := install.Install(t.Context(), m.config); err == nil || !strings.Contains(err.Error(), "absolute path") {
			t.Errorf("%q: %v", data, err)
		}
	}
}

func TestUninstall(t *testing.T) {
	m := newMachine(t)
	m.install()
	m.asked()
	m.write(filepath.Join(m.Paths.Data, "device.key"), "key", 0o600)
	r := install.Removal{Paths: m.Paths, Out: &m.out, RemoveStacks: func(context.Context) error { return errors.New("the engine does not answer") }}
	if err := install.Uninstall(t.Context(), r); err == nil || !strings.Contains(err.Error(), "the engine does not answer") {
		t.Errorf("with stacks that cannot be removed: %v", err)
	}
	m.has(filepath.Join(m.Bin, "farshore-agent"), "agent 1", 0o755)
	m.asked()

	r.RemoveStacks = nil
	if err := install.Uninstall(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := m.asked(); got != "disable --now farshore-agent; daemon-reload" {
		t.Errorf("systemd was asked: %s", got)
	}
	if !strings.Contains(m.out.String(), "keep running") {
		t.Errorf("it does not say what becomes of stacks:\n%s", m.out.String())
	}
	m.has(filepath.Join(m.Paths.Data, "device.key"), "key", 0o600)
	m.has(m.Key, "fsk1_key\n", 0o600)
	if left, err := os.ReadDir(m.Bin); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}

	removed := false
	r.Data, r.RemoveStacks = install.PurgeData, func(context.Context) error { removed = true; return nil }
	if err := install.Uninstall(t.Context(), r); err != nil || !removed {
		t.Errorf("once more, with all: %v, stacks removed %v", err, removed)
	}
	for _, path := range []string{m.Paths.Data, m.Key} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left", path)
		}
	}
}
