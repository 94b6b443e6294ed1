package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestKeyOnTheDevicesOwnPage joins a device as a technician with a browser does: the agent runs without a key, its page
// takes PIN and key, and shows how the device stands.
func TestKeyOnTheDevicesOwnPage(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	a := newAgent(t, "https", nil)
	page := "http://" + address(freePort(t))
	a.env = []string{"FARSHORE_KEY_PAGE=" + strings.TrimPrefix(page, "http://")}
	a.start()
	until(t, "the agent says where its page is", func() error {
		s, err := a.status()
		if err != nil {
			return err
		}
		return wanted("the page", s.KeyPage, page)
	})
	pin := regexp.MustCompile(`page=` + page + ` pin="(\d{3} \d{3})"`).FindStringSubmatch(a.log.text())
	if pin == nil {
		t.Fatalf("there is no PIN in the log:\n%s", a.log.text())
	}
	b := browser{t, page, pin[1]}
	if got := b.standing(); got.State != "no-key" {
		t.Errorf("before the key the page says %+v", got)
	}
	says(t, a.qr(), "no edge key yet", page, "Pairing code")
	if code, text := b.post("/key", map[string]string{"pin": "12345", "key": h.key("wrong-pin")}); code != http.StatusForbidden {
		t.Errorf("a wrong PIN is answered %d: %s", code, text)
	}
	key := h.key("field")
	if code, text := b.post("/key", map[string]string{"pin": b.pin, "key": key}); code != http.StatusOK {
		t.Fatalf("the key is answered %d: %s", code, text)
	}
	until(t, "the page shows that the device waits, and its pairing code", func() error {
		got, s := b.standing(), a.waits("waiting")
		if got.Code != s.PairingCode || got.Approve != h.url()+"/waiting?code="+s.PairingCode || got.QR == "" {
			return fmt.Errorf("it has %+v", got)
		}
		return wanted("the state", got.State, "waiting")
	})
	says(t, a.qr(), a.waits("waiting").PairingCode, h.url()+"/waiting?code=", "▀▄", "approve the device")
	id := h.admit(a, "box")
	until(t, "the page shows that the device is in", func() error { return wanted("the state", b.standing().State, "approved") })
	h.connected(id, "https")
	says(t, a.qr(), "is approved")
	says(t, a.knock(), "approved already")

	a.stop()
	mark := a.log.mark()
	a.start()
	a.inSession()
	if log := a.log.since(mark); strings.Contains(log, "key") || !strings.Contains(log, "let in before") {
		t.Errorf("started again it says\n%s", log)
	}
	if strings.Contains(a.log.text(), key) {
		t.Error("the edge key is in the log")
	}
}

// TestKeyFileThatComesLater starts an agent before its key is there, and while the port of its page is taken.
func TestKeyFileThatComesLater(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	a := newAgent(t, "https", nil)
	port := freePort(t)
	busy(t, port)
	a.env = []string{"FARSHORE_KEY_PAGE=" + address(port)}
	a.keyFile = a.data + ".key"
	a.start()
	until(t, "the agent waits for the file", func() error {
		if !strings.Contains(a.log.text(), "the port is in use") {
			return fmt.Errorf("it has said:\n%s", a.log.text())
		}
		return nil
	})
	write(t, a.keyFile, h.key("field"))
	h.admit(a, "box")
}

// browser is what the page's script sends.
type browser struct {
	t         *testing.T
	page, pin string
}

type standingShown struct{ State, Code, Approve, QR string }

func (b browser) standing() (s standingShown) {
	b.t.Helper()
	code, text := b.post("/standing", map[string]string{"pin": b.pin})
	if code != http.StatusOK {
		b.t.Fatalf("how the device stands is answered %d: %s", code, text)
	}
	decode(b.t, text, &s)
	return s
}

func (b browser) post(path string, body map[string]string) (int, string) {
	b.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, b.page+path, bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", b.page)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// qr is what `farshore-agent status --qr` prints, and knock what `farshore-agent knock` does.
func (a *agent) qr() string    { return a.say("status", "--qr") }
func (a *agent) knock() string { return a.say("knock") }

func (a *agent) say(args ...string) string {
	a.t.Helper()
	cmd := exec.Command(program("farshore-agent"), append(args, "--data", a.data)...)
	cmd.Env = bareEnv()
	text, err := cmd.CombinedOutput()
	if err != nil {
		a.t.Fatalf("farshore-agent %v: %v: %s", args, err, text)
	}
	return string(text)
}
