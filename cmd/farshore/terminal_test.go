package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
)

// openTerminal gives a real terminal: what is written to keys is what somebody types.
func openTerminal(t *testing.T) (keys io.Writer, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	return keyboard, screen
}

// prompts answers each question that is asked, when it is asked.
type prompts struct {
	bytes.Buffer
	keys    io.Writer
	answers map[string]string // by the end of the question
}

func (p *prompts) Write(b []byte) (int, error) {
	n, _ := p.Buffer.Write(b)
	for question, answer := range p.answers {
		if strings.HasSuffix(p.String(), question) {
			_, err := io.WriteString(p.keys, answer)
			return n, err
		}
	}
	return n, nil
}

// TestSigningInOnATerminal: of a hub that is not known the fingerprint is shown; the password is sent when somebody has
// said that it is the right one, and not before.
func TestSigningInOnATerminal(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		name, answer string
		code         int
	}{{"no", "n\n", exitFailed}, {"yes", "y\n", exitOK}} {
		keys, screen := openTerminal(t)
		asked := &prompts{keys: keys, answers: map[string]string{"[y/N] ": c.answer, "Password: ": password + "\n"}}
		a := &app{in: screen, out: io.Discard, errOut: asked, getenv: func(k string) string { return d.env[k] }}
		if code := run(t.Context(), a, []string{"login", d.server.URL, "--username", "admin"}); code != c.code {
			t.Errorf("%s: exit %d\n%s", c.name, code, asked)
		}
		if !strings.Contains(asked.String(), d.fingerprint()) || strings.Contains(asked.String(), password) {
			t.Errorf("%s: shown was\n%s", c.name, asked)
		}
		if _, err := os.Stat(d.env["FARSHORE_CONFIG"]); (err == nil) != (c.code == exitOK) {
			t.Errorf("%s: configuration: %v", c.name, err)
		}
	}
	d.ok("whoami")
}

// TestTokenGoesToItsHubOnly: an address in the environment does not get the session of the file, and logging out does
// not write into the file what the environment says.
func TestTokenGoesToItsHubOnly(t *testing.T) {
	d := newDesk(t)
	d.login()
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("another hub was sent %s with %q", r.URL, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	d.env["FARSHORE_URL"], d.env["FARSHORE_FINGERPRINT"] = other.URL, apiclient.FingerprintOf(other.Certificate().Raw)
	d.fails(exitNotAllowed, "FARSHORE_TOKEN", "devices", "ls")
	d.env["FARSHORE_TOKEN"] = "fst_other"
	d.ok("logout")
	raw, err := os.ReadFile(d.env["FARSHORE_CONFIG"])
	if err != nil || strings.Contains(string(raw), other.URL) || strings.Contains(string(raw), "token") {
		t.Errorf("the configuration is\n%s, %v", raw, err)
	}
	delete(d.env, "FARSHORE_TOKEN")
	d.env["FARSHORE_CONFIG"], d.env["XDG_CONFIG_HOME"] = "", filepath.Join(d.dir, "xdg")
	d.env["FARSHORE_URL"], d.env["FARSHORE_FINGERPRINT"] = "", d.fingerprint()
	d.ok("login", d.server.URL, "--username", "admin", "--password-file", filepath.Join(d.dir, "password"))
	if _, err := os.Stat(filepath.Join(d.dir, "xdg", "farshore", "config.json")); err != nil {
		t.Error(err)
	}
}

// TestCompletion: the shell completes what the hub knows, and nothing that would hurt it.
func TestCompletion(t *testing.T) {
	d := newDesk(t)
	d.login()
	d.ok("stacks", "apply", "--name", "web", "-f", d.write("web.yml", compose))
	if got, _ := fitting([]string{"web", "we`id`", "we\x1bb", "wet", "x"}, "we"); strings.Join(got, " ") != "web wet" {
		t.Errorf("offered is %q", got)
	}
	for line, want := range map[string]string{
		"stacks show w": "web", "stacks show web ": "", "command stack-redeploy box ": "web", "devices ls -o ": "json",
	} {
		args := strings.Split("__complete "+line, " ")
		if _, out, _ := d.run(args...); want != "" && !strings.Contains("\n"+out, "\n"+want+"\n") || want == "" && strings.Contains(out, "web") {
			t.Errorf("%s: offered is\n%s", line, out)
		}
	}
}

// TestWaitingOutlivesTheHub: while the hub is away, what is waited for is waited for.
func TestWaitingOutlivesTheHub(t *testing.T) {
	d := newDesk(t)
	d.login()
	d.ok("stacks", "apply", "--name", "web", "-f", d.write("web.yml", compose))
	asks := 0
	d.before = func(r *http.Request) {
		if r.Method == http.MethodGet {
			asks++
			d.down.Store(asks == 1)
		}
	}
	d.ok("stacks", "rm", "web", "--yes", "--wait")
	if asks < 2 {
		t.Errorf("asked %d times", asks)
	}
	var c resource.Session
	d.read(&c, "whoami")
}
