package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const passphrase = "a long passphrase for tests"

// backup makes a backup of the running hub, and returns its file.
func (h *hub) backup() string {
	h.t.Helper()
	file := filepath.Join(h.dir, "hub.age")
	write(h.t, h.passphraseFile(), passphrase+"\n")
	h.cli("backup", "make", file, "--passphrase-file", h.passphraseFile())
	return file
}

func (h *hub) passphraseFile() string { return filepath.Join(h.dir, "passphrase") }

// restoreArgs restore a backup of this hub into a data folder.
func (h *hub) restoreArgs(from, data string) []string {
	return []string{"restore", "--data", data, "--from", from, "--passphrase-file", h.passphraseFile()}
}

// onMachine runs a command of the hub's machine.
func (h *hub) onMachine(args ...string) result {
	h.t.Helper()
	return runToEnd(h.t, command{name: "farshore-hub", args: args})
}

// finding is a line of farshore-hub doctor.
type finding struct{ Level, Thing, Text string }

// doctor asks how sound the hub is. Its exit code must be that of what it says.
func (h *hub) doctor() (all []finding) {
	h.t.Helper()
	r := h.onMachine("doctor", "--json", "--data", h.data, "--listen", address(h.port), "--mqtt-listen", address(h.mqtt))
	decode(h.t, r.out, &all)
	code := exitOK
	for _, f := range all {
		if f.Level == "fail" {
			code = exitFailed
		}
	}
	if r.code != code {
		h.t.Errorf("the doctor's exit code is %d: %v", r.code, r)
	}
	return all
}

// sound checks that the doctor finds nothing wrong.
func (h *hub) sound(where string) {
	h.t.Helper()
	things := map[string]bool{}
	for _, f := range h.doctor() {
		things[f.Thing] = true
		if f.Level == "fail" {
			h.t.Errorf("%s: %s: %s", where, f.Thing, f.Text)
		}
	}
	for _, thing := range []string{"keys", "disk", "store", "audit trail", "certificate", "ports", "open files", "clock", "backup"} {
		if !things[thing] {
			h.t.Errorf("%s: the doctor says nothing of: %s", where, thing)
		}
	}
}

// unsound checks that the doctor finds a thing wrong, and says so in these words.
func (h *hub) unsound(thing string, words ...string) {
	h.t.Helper()
	var said []string
	for _, f := range h.doctor() {
		if f.Level == "fail" && f.Thing == thing {
			said = append(said, f.Text)
		}
	}
	if len(said) == 0 {
		h.t.Errorf("the doctor finds nothing wrong with: %s", thing)
		return
	}
	says(h.t, strings.Join(said, "\n"), words...)
}

// TestHubIsRestoredElsewhere: a hub is backed up while a device works for it, dies, and goes on from another folder: the
// same agent goes on, and what it runs is not touched.
func TestHubIsRestoredElsewhere(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", e)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	shop := newShop(t, h, e)
	shop.apply(device, "open")
	h.runs(shop.name, device, 1)
	shop.shows("open")
	before := e.mustRuns(shop.name)
	file := h.backup()
	h.sound("the hub that was backed up")
	h.kill()
	h.sound("the hub that was killed")

	elsewhere := filepath.Join(workDir(t), "hub")
	r := h.onMachine(h.restoreArgs(file, elsewhere)...)
	if r.code != exitOK {
		t.Fatalf("restore: %v", r)
	}
	says(t, r.out, "Restored into "+elsewhere, "farshore-hub serve --data "+elsewhere)
	h.data = elsewhere
	h.sound("the restored hub before its start")
	h.start()
	h.login()
	h.connected(device, "mqtt")
	h.sound("the restored hub")
	if !a.running() {
		t.Error("the agent has ended")
	}
	var waiting []struct{ ID string }
	h.get(&waiting, "waiting", "ls")
	if len(waiting) != 0 {
		t.Errorf("in the waiting room of the restored hub are %v", waiting)
	}
	h.runs(shop.name, device, 1)
	shop.untouched(before, allServices...)
	h.cli("command", "container-restart", device, shop.name+"-till-1", "--wait")
	shop.apply(device, "closed")
	h.runs(shop.name, device, 2)
	shop.shows("closed")
	shop.untouched(before, "clock")
}

// TestInterruptedRestoreIsNoHub: a hub does not begin anew where a restore was killed, and the restore can be done again.
func TestInterruptedRestoreIsNoHub(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	h.key("field")
	file := h.backup()
	h.stop()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(dir string) error{
		"into a missing folder": func(string) error { return nil },
		"into an empty folder":  func(dir string) error { return os.Mkdir(dir, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			h := &hub{dir: h.dir, data: filepath.Join(workDir(t), "hub"), port: h.port, mqtt: h.mqtt}
			h.daemon = &daemon{t: t, log: newOutput(t, "hub"), command: func() command {
				return command{name: "farshore-hub", args: h.serveArgs()}
			}}
			if err := make(h.data); err != nil {
				t.Fatal(err)
			}
			killedRestore(t, h, whole)

			h.daemon.start()
			if code, text := h.mustEnd(); code != exitFailed {
				t.Errorf("the hub ended with code %d:\n%s", code, text)
			} else {
				says(t, text, "was interrupted", "farshore-hub restore again")
			}
			if _, err := os.Stat(filepath.Join(h.data, "hub.key")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the hub has made itself a key: %v", err)
			}
			if r := h.onMachine(h.restoreArgs(file, h.data)...); r.code != exitOK {
				t.Fatalf("restore again: %v", r)
			}
			h.start()
			h.stop()
		})
	}
}

// killedRestore begins to restore, and kills that when it has begun to fill its folder and waits for the rest.
func killedRestore(t *testing.T, h *hub, backup []byte) {
	t.Helper()
	pipe := filepath.Join(workDir(t), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	restore := start(t, newOutput(t, "restore"), command{name: "farshore-hub", args: h.restoreArgs(pipe, h.data)})
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Write(backup[:len(backup)/2]); err != nil {
		t.Fatal(err)
	}
	until(t, "the restore has begun", func() error {
		for _, dir := range []string{h.data, filepath.Dir(h.data)} {
			if left, err := filepath.Glob(filepath.Join(dir, ".restore-*")); err != nil || len(left) > 0 {
				return err
			}
		}
		return errors.New("no folder is being filled")
	})
	if !restore.running() {
		t.Fatalf("the restore ended by itself:\n%s", restore.log.text())
	}
	restore.kill()
}

// TestDoctorFindsWhatIsWrong: it says what is wrong with a hub, and what to do, whatever that is.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	h.key("field")
	h.stop()
	h.sound("a hub that was stopped")

	key := filepath.Join(h.data, "hub.key")
	chmod(t, key, 0o644)
	h.unsound("keys", key, "chmod 600")
	chmod(t, key, 0o600)

	trail := onlyFile(t, filepath.Join(h.data, "audit"))
	altered(t, trail, func(text string) string { return strings.Replace(text, `"admin`, `"bdmin`, 1) }, func() {
		h.unsound("audit trail", "the trail does not hold", filepath.Base(trail), "keep a copy")
	})
	altered(t, trail, func(text string) string { return text[:len(text)/2] }, func() {
		h.unsound("audit trail", "the trail does not hold")
	})
	altered(t, filepath.Join(h.data, "farshore.db"), func(text string) string {
		spoilt := []byte(text)
		for i := 2 * os.Getpagesize(); i < len(spoilt); i++ {
			spoilt[i] ^= 0x55
		}
		return string(spoilt)
	}, func() { h.unsound("store", "is damaged", "from a backup", "audit trail") })

	busy(t, h.mqtt)
	h.unsound("ports", address(h.mqtt), fmt.Sprintf("process %d", os.Getpid()))
}

// TestHubIsCompacted: the database becomes smaller, and the hub is the same; beside a running hub nothing happens.
func TestHubIsCompacted(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	if r := h.onMachine("compact", "--data", h.data); r.code != exitFailed || !strings.Contains(r.err, "stop the other farshore-hub") {
		t.Errorf("beside a running hub: %v", r)
	}
	dir := filepath.Join(h.dir, "one")
	bundle(t, dir, 3<<20)
	h.cli("stacks", "apply", "--name", "one", "-f", dir, "--select", "site=none")
	h.cli("stacks", "rm", "one", "--yes")
	h.hasNo("one")
	h.stop()
	r := h.onMachine("compact", "--data", h.data)
	var before, after int64
	for name, to := range map[string]*int64{"before": &before, "after": &after} {
		if _, err := fmt.Sscanf(field(r.out, name), "%d bytes", to); err != nil {
			t.Fatalf("%s: %v: %v", name, err, r)
		}
	}
	if after >= before/2 {
		t.Errorf("%d bytes became %d", before, after)
	}
	h.sound("the compacted hub")
	h.start()
	h.cli("whoami")
	h.stop()
	if r := h.onMachine("compact", "--drop-old", "--data", h.data); r.code != exitOK {
		t.Errorf("dropping the old one: %v", r)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// onlyFile is the one file of a folder.
func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("want one file in %s: %v, %v", dir, entries, err)
	}
	return filepath.Join(dir, entries[0].Name())
}

// altered changes a file for as long as do runs.
func altered(t *testing.T, path string, change func(string) string, do func()) {
	t.Helper()
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	now := change(string(was))
	if now == string(was) {
		t.Fatalf("%s was not altered:\n%s", path, was)
	}
	write(t, path, now)
	do()
	write(t, path, string(was))
}
