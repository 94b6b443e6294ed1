package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/internal/testengine"
)

// refused runs a daemon that cannot work and checks its exit code and what it says; it must say it in one sentence,
// at the end.
func refused(t *testing.T, d *daemon, code int, parts ...string) {
	t.Helper()
	d.start()
	got, text := d.mustEnd()
	if got != code {
		t.Errorf("%s ended with code %d, want %d", d.log.name, got, code)
	}
	says(t, lastLines(text, 1), parts...)
	if strings.Contains(text, "goroutine ") {
		t.Errorf("%s printed a stack trace:\n%s", d.log.name, text)
	}
}

// says checks that a sentence for people has all that it must.
func says(t *testing.T, sentence string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(sentence, part) {
			t.Errorf("%q does not say %q", sentence, part)
		}
	}
}

// TestEdgeKeysThatAreNone: an agent with a key that cannot be right says so and ends.
func TestEdgeKeysThatAreNone(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	key := h.key("field")
	altered := []byte(key)
	altered[len(altered)/2] ^= 1 // another letter or digit
	for name, c := range map[string]struct {
		key  string
		says []string
	}{
		"truncated": {key[:len(key)-20], []string{"copy it"}},
		"altered":   {string(altered), []string{"altered", "copy it again"}},
		"something": {"hello", []string{"not an edge key", "fsk1_", "farshore keys create"}},
		"newer":     {"fsk2_" + key[5:], []string{"newer", "update this farshore-agent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t, "auto", nil)
			a.give(c.key)
			refused(t, a.daemon, exitFailed, append(c.says, "edge key")...)
			if strings.Contains(a.log.text(), c.key[len(c.key)/2:]) && len(c.key) > 20 {
				t.Error("the key is in the log")
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		a := newAgent(t, "auto", nil)
		a.env = []string{"FARSHORE_KEY_PAGE=off"}
		refused(t, a.daemon, exitFailed, "no edge key", "--edge-key", "farshore keys create")
	})
	t.Run("none, and no port for the page that takes one", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		busy(t, port)
		a := newAgent(t, "auto", nil)
		a.env = []string{"FARSHORE_KEY_PAGE=" + address(port)}
		refused(t, a.daemon, exitFailed, "the port is in use", "no edge key", "--edge-key")
	})
	t.Run("shown without its secret", func(t *testing.T) {
		r := runCLI(t, []string{"FARSHORE_CONFIG=" + filepath.Join(workDir(t), "none")}, "keys", "inspect", key)
		if r.code != exitOK {
			t.Fatal(r)
		}
		says(t, r.out, h.url())
		if strings.Contains(r.out, key[10:40]) {
			t.Error("keys inspect shows the key itself")
		}
	})
}

// TestEdgeKeysThatHaveHadTheirDay: the hub says why a device does not come in, and the agent passes it on and goes on
// trying.
func TestEdgeKeysThatHaveHadTheirDay(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	once := h.key("once", "--uses", "1")
	first := newAgent(t, "https", nil)
	first.join(once)
	h.admit(first, "first")
	second := newAgent(t, "https", nil)
	second.join(once)
	says(t, second.waits("refused").Waiting.Reason, "no uses left", "new edge key")

	short := h.key("short", "--expires", "1s")
	third := newAgent(t, "https", nil)
	time.Sleep(1100 * time.Millisecond) // until it has expired: keys are judged by the hub's clock
	third.join(short)
	says(t, third.waits("refused").Waiting.Reason, "expired", "new edge key")

	gone := h.key("gone")
	h.cli("keys", "rm", "gone")
	fourth := newAgent(t, "https", nil)
	fourth.join(gone)
	says(t, fourth.waits("refused").Waiting.Reason, "edge key", "removed", "new one")
}

// TestEdgeKeyOfAnotherHub: a device does not change hubs by the way.
func TestEdgeKeyOfAnotherHub(t *testing.T) {
	t.Parallel()
	h, other := newHub(t, hubConfig{}), newHub(t, hubConfig{})
	a := newAgent(t, "https", nil)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	h.connected(device, "https")
	a.stop()
	a.give(other.key("field"))
	refused(t, a.daemon, exitFailed, "another hub", "empty data folder")

	// Nothing is lost by that: without the key it is the device it was.
	a.keyFile = ""
	a.start()
	h.connected(device, "https")

	// A hub that took the address of the one which made the key is not taken for it.
	h.stop()
	impostor := newHub(t, hubConfig{port: h.port, mqtt: h.mqtt})
	until(t, "the agent says that it is another hub", func() error {
		s, err := a.status()
		if err == nil && !strings.Contains(s.Session.LastError, "signed by another key") {
			err = fmt.Errorf("it says %+v", s.Session)
		}
		return err
	})
	impostor.stop()
	h.start()
	h.connected(device, "https")
}

// TestSigningIn: the CLI does not sign in to a hub that it cannot tell, nor with a wrong password.
func TestSigningIn(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	login := func(dir string, args ...string) result {
		return runCLI(t, []string{"FARSHORE_CONFIG=" + filepath.Join(dir, "config")},
			append([]string{"login", h.url(), "--username", "admin"}, args...)...)
	}
	dir := workDir(t)
	wrong := "SHA256:" + strings.Repeat("A", 43)
	r := login(dir, "--password-file", h.passwordFile(), "--fingerprint", wrong)
	if r.code == exitOK {
		t.Error("the CLI signed in to a hub with another fingerprint")
	}
	says(t, r.err, "fingerprint", h.fingerprint)

	write(t, filepath.Join(dir, "wrong"), "not-the-password\n")
	r = login(dir, "--password-file", filepath.Join(dir, "wrong"), "--fingerprint", h.fingerprint)
	if r.code != exitNotAllowed {
		t.Errorf("a wrong password: %v", r)
	}
	if _, err := os.Stat(filepath.Join(dir, "config")); err == nil {
		t.Error("a sign-in that failed left a configuration")
	}
	r = runCLI(t, []string{"FARSHORE_CONFIG=" + filepath.Join(dir, "config")}, "devices", "ls")
	if r.code != exitNotAllowed && r.code != exitUsage {
		t.Errorf("without a sign-in: %v", r)
	}
	says(t, r.err, "farshore login")

	h.stop()
	if r = h.try("devices", "ls"); r.code != exitUnreachable {
		t.Errorf("with the hub down: %v", r)
	}
	says(t, r.err, address(h.port))
}

// TestWhatIsTaken: ports and folders that somebody else has.
func TestWhatIsTaken(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})

	taken := freePort(t)
	busy(t, taken)
	refused(t, prepareHub(t, hubConfig{port: taken}).daemon, exitFailed, address(taken), "in use", "--listen")
	refused(t, prepareHub(t, hubConfig{mqtt: taken}).daemon, exitFailed, address(taken), "in use", "--mqtt-listen")
	refused(t, prepareHub(t, hubConfig{data: h.data}).daemon, exitFailed, h.data, "another process", "--data")

	a := newAgent(t, "https", nil)
	a.join(h.key("field"))
	a.waits("waiting")
	b := newAgent(t, "https", nil)
	b.data = a.data
	refused(t, b.daemon, exitFailed, a.data, "another process", "--data")

	// Folders of a newer version are refused, and left as they are.
	h.stop()
	older := setSchema(t, filepath.Join(h.data, "farshore.db"), 1000)
	refused(t, prepareHub(t, hubConfig{data: h.data}).daemon, exitFailed, "newer version", "1000")
	setSchema(t, filepath.Join(h.data, "farshore.db"), older)
	h.start()
	h.cli("keys", "inspect", "field")

	a.stop()
	older = setSchema(t, filepath.Join(a.data, "agent.db"), 1000)
	refused(t, a.daemon, exitFailed, "newer version", "1000")
	setSchema(t, filepath.Join(a.data, "agent.db"), older)
	a.start()
	a.waits("waiting")
}

// setSchema makes a data folder one of another version, and returns the version that it was of.
func setSchema(t *testing.T, path string, version uint64) (was uint64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("meta"))
		if b == nil {
			return fmt.Errorf("%s has no schema", path)
		}
		was = binary.BigEndian.Uint64(b.Get([]byte("schema")))
		return b.Put([]byte("schema"), binary.BigEndian.AppendUint64(nil, version))
	})
	if err != nil {
		t.Fatal(err)
	}
	return was
}

// TestBundlesThatCannotBe: what the hub can tell is refused at once; what only the device can tell leaves the version
// that runs there running.
func TestBundlesThatCannotBe(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", e)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	service := func(image string) string {
		return "services:\n  one:\n    image: " + image + "\n    stop_grace_period: 1s\n"
	}
	apply := func(text string) result {
		file := filepath.Join(h.dir, "bundle", "compose.yml")
		write(t, file, text)
		return h.try("stacks", "apply", "--name", "one", "-f", file, "--select", "farshore.io/id="+device)
	}
	if r := apply(service(testengine.BusyboxImage)); r.code != exitOK {
		t.Fatal(r)
	}
	h.runs("one", device, 1)
	before := e.mustRuns("one")

	for text, parts := range map[string][]string{
		"services:\n  one: [\n":                                {"compose.yml", "line"},
		service("busybox") + "    imagge: other\n":             {"compose.yml", "imagge"},
		service("busybox") + "    env_file: ./not-there.env\n": {"not-there.env"},
		service("busybox") + "    configs: [{source: c, target: /c}]\nconfigs:\n  c: {file: ./nowhere.conf}\n": {"nowhere.conf"},
		service("busybox") + "    volumes: [\"../../etc:/etc\"]\n":                                             {"../../etc"},
		"services: {}\n": {"services"},
	} {
		r := apply(text)
		if r.code != exitFailed && r.code != exitUsage {
			t.Errorf("%q was taken: %v", text, r)
		}
		says(t, r.err, parts...)
	}
	if r := h.try("stacks", "apply", "--name", "one", "-f", filepath.Join(h.dir, "no-such-folder")); r.code == exitOK {
		t.Error("a bundle that is not there was applied")
	} else {
		says(t, r.err, "no-such-folder")
	}
	if r := h.try("stacks", "apply", "--name", "One!", "-f", filepath.Join(h.dir, "bundle")); r.code == exitOK {
		t.Error("a stack got a name that Compose does not allow")
	} else {
		says(t, r.err, "One!")
	}

	if r := apply(service("farshore-test/nobody-has-it:1")); r.code != exitOK {
		t.Fatal(r)
	}
	until(t, "the device says that the image cannot be had", func() error {
		s, err := h.stackOn("one", device)
		if err == nil && (s.State != "failed" || s.Code != "image-unavailable" || s.Running != 1 ||
			!strings.Contains(s.Detail, "farshore-test/nobody-has-it:1")) {
			err = fmt.Errorf("it says %+v", s)
		}
		return err
	})
	if now := e.mustRuns("one"); now["one"] != before["one"] {
		t.Errorf("what ran was touched: it was %v and is %v", before, now)
	}
	if r := apply(service(testengine.BusyboxImage)); r.code != exitOK {
		t.Fatal(r)
	}
	h.runs("one", device, 3)
	if now := e.mustRuns("one"); now["one"] != before["one"] {
		t.Errorf("going back touched what ran: it was %v and is %v", before, now)
	}
}
