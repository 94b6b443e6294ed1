package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/wirelab"
)

// Exit codes of the CLI, as its help says.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitNotAllowed  = 4
	exitUnreachable = 5
	exitAwaited     = 6
)

const password = "correct-horse-battery"

// hub is a farshore-hub with its data, and a CLI that is signed in to it.
type hub struct {
	dir, data   string
	port, mqtt  int
	args        []string
	fingerprint string
	in          *wirelab.Namespace
	*daemon
}

// hubConfig says how a hub is run. The zero value is complete.
type hubConfig struct {
	// data folder; empty: one of its own.
	data string
	// args are further arguments of serve.
	args []string
	// port and mqtt are the two ports; zero: free ones.
	port, mqtt int
	// in is a lab's namespace for hubs, in which the CLI runs too; nil: the machine's.
	in *wirelab.Namespace
}

// newHub starts a hub, signs the CLI in, and lets all devices make contact often.
func newHub(t *testing.T, c hubConfig) *hub {
	t.Helper()
	h := prepareHub(t, c)
	h.start()
	h.login()
	h.cli("groups", "set", "/", "--ping", "1s", "--snapshot", "push", "--command", "push")
	return h
}

// prepareHub makes a hub that was never started.
func prepareHub(t *testing.T, c hubConfig) *hub {
	t.Helper()
	h := &hub{dir: workDir(t), data: c.data, args: c.args, port: c.port, mqtt: c.mqtt, in: c.in}
	if h.data == "" {
		h.data = filepath.Join(h.dir, "hub")
	}
	if h.port == 0 {
		h.port = freePort(t)
	}
	if h.mqtt == 0 {
		h.mqtt = freePort(t)
	}
	h.daemon = &daemon{t: t, log: newOutput(t, "hub"), command: func() command {
		return command{name: "farshore-hub", args: h.serveArgs(), in: h.in}
	}}
	write(t, h.passwordFile(), password+"\n")
	return h
}

func (h *hub) passwordFile() string { return filepath.Join(h.dir, "password") }

func (h *hub) url() string { return "https://" + h.address(h.port) }

// address is where the hub listens on a port.
func (h *hub) address(port int) string {
	if h.in != nil {
		return fmt.Sprintf("%s:%d", wirelab.HubAddress, port)
	}
	return address(port)
}

// serveArgs are the arguments with which the hub is started.
func (h *hub) serveArgs() []string {
	return append([]string{
		"serve", "--data", h.data, "--listen", h.address(h.port), "--mqtt-listen", h.address(h.mqtt),
		"--admin-password-file", h.passwordFile(),
	}, h.args...)
}

// start starts the hub, again where it was before, and returns when it says that it listens.
func (h *hub) start() {
	h.t.Helper()
	mark := h.log.mark()
	h.daemon.start()
	until(h.t, "the hub prints its fingerprint", func() error {
		if !h.running() {
			h.t.Fatalf("the hub ended:\n%s", h.log.since(mark))
		}
		if h.fingerprint = field(h.log.since(mark), "fingerprint"); h.fingerprint == "" {
			return fmt.Errorf("it has printed:\n%s", h.log.since(mark))
		}
		return nil
	})
}

func (h *hub) login() {
	h.t.Helper()
	h.cli("login", h.url(), "--username", "admin", "--password-file", h.passwordFile(), "--fingerprint", h.fingerprint)
}

// result is what a run of the CLI gave.
type result struct {
	out, err string
	code     int
}

func (r result) String() string { return fmt.Sprintf("code %d\n%s%s", r.code, r.out, r.err) }

// try runs the CLI, signed in as this hub's administrator.
func (h *hub) try(args ...string) result {
	h.t.Helper()
	return runToEnd(h.t, command{name: "farshore", args: args, env: h.configEnv(), in: h.in})
}

func (h *hub) configEnv() []string {
	return []string{"FARSHORE_CONFIG=" + filepath.Join(h.dir, "cli", "config")}
}

func runCLI(t *testing.T, env []string, args ...string) result {
	t.Helper()
	return runToEnd(t, command{name: "farshore", args: args, env: env})
}

// runToEnd runs a program that ends by itself.
func runToEnd(t *testing.T, c command) result {
	t.Helper()
	var out, problem bytes.Buffer
	cmd := exec.Command(program(c.name), c.args...)
	cmd.Env = append(bareEnv(), c.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &out, &problem
	err := c.in.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	code := exitCode(err)
	if code < 0 {
		t.Fatalf("%s %v could not be run: %s", c.name, c.args, problem.String())
	}
	return result{out.String(), problem.String(), code}
}

// cli runs the CLI, which must succeed, and returns what it printed. While the hub is down it is run again, as a
// script would.
func (h *hub) cli(args ...string) string {
	h.t.Helper()
	began := time.Now()
	for {
		r := h.try(args...)
		if r.code == exitOK {
			return r.out
		}
		if r.code != exitUnreachable || time.Since(began) > patience {
			h.t.Fatalf("farshore %v: %v", args, r)
		}
		time.Sleep(lookAgain(time.Since(began)))
	}
}

// ask runs the CLI with JSON output, once, and decodes that into out.
func (h *hub) ask(out any, args ...string) error {
	r := h.try(append(args, "-o", "json")...)
	if r.code != exitOK {
		return fmt.Errorf("farshore %v: %v", args, r)
	}
	if err := json.Unmarshal([]byte(r.out), out); err != nil {
		return fmt.Errorf("farshore %v -o json: %w:\n%s", args, err, r.out)
	}
	return nil
}

// get is ask where an answer must come, sooner or later.
func (h *hub) get(out any, args ...string) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.cli(append(args, "-o", "json")...)), out); err != nil {
		h.t.Fatalf("farshore %v -o json: %v", args, err)
	}
}

// key makes an edge key.
func (h *hub) key(name string, args ...string) string {
	h.t.Helper()
	var made struct {
		EdgeKey string `json:"edge_key"`
	}
	h.get(&made, append([]string{"keys", "create", "--name", name}, args...)...)
	if made.EdgeKey == "" {
		h.t.Fatal("farshore keys create -o json gave no edge_key")
	}
	return made.EdgeKey
}

// deviceShown is a device as scripts see it.
type deviceShown struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Carrier  string `json:"carrier"`
	Liveness struct {
		State       string    `json:"state"`
		Connected   bool      `json:"connected"`
		LastContact time.Time `json:"last_contact"`
	} `json:"liveness"`
	Confirmed bool `json:"confirmed"`
}

// device asks for a device.
func (h *hub) device(ref string) (d deviceShown, err error) {
	return d, h.ask(&d, "devices", "show", ref)
}

// connected waits until a device is in session over a carrier; over any where it is empty.
func (h *hub) connected(device, carrier string) {
	h.t.Helper()
	h.connectedWithin(patience, device, carrier)
}

func (h *hub) connectedWithin(limit time.Duration, device, carrier string) {
	h.t.Helper()
	wait(h.t, limit, "the device is in session over "+cmp.Or(carrier, "any carrier"), func() error {
		d, err := h.device(device)
		if err != nil {
			return err
		}
		if err := wanted("its liveness", d.Liveness.State, "on-time"); err != nil {
			return err
		}
		return wanted("its carrier", d.Carrier, cmp.Or(carrier, d.Carrier))
	})
}

// heard waits until the hub has heard a device once more from now on.
func (h *hub) heard(device string) {
	h.t.Helper()
	from := time.Now()
	until(h.t, "the hub hears the device", func() error {
		d, err := h.device(device)
		if err == nil && !d.Liveness.LastContact.After(from) {
			err = fmt.Errorf("it is %+v", d.Liveness)
		}
		return err
	})
}

// stackShown is where a stack stands on a device, as scripts see it.
type stackShown struct {
	Device  string `json:"device"`
	State   string `json:"state"`
	Version uint64 `json:"version"`
	Running uint64 `json:"running"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// stackOn asks where a stack stands on a device.
func (h *hub) stackOn(stack, device string) (stackShown, error) {
	var all []stackShown
	if err := h.ask(&all, "stacks", "status", stack); err != nil {
		return stackShown{}, err
	}
	for _, s := range all {
		if s.Device == device {
			return s, nil
		}
	}
	return stackShown{}, fmt.Errorf("stack %s is not told of on the device", stack)
}

// runs waits until a version of a stack runs on a device.
func (h *hub) runs(stack, device string, version uint64) {
	h.t.Helper()
	until(h.t, fmt.Sprintf("version %d of %s runs on the device", version, stack), func() error {
		s, err := h.stackOn(stack, device)
		if err == nil && (s.State != "running" || s.Version != version) {
			err = fmt.Errorf("it is %+v", s)
		}
		return err
	})
}

// hasNo waits until the hub knows that a stack is gone from all devices, and has forgotten it.
func (h *hub) hasNo(stack string) {
	h.t.Helper()
	until(h.t, "the hub has forgotten the stack "+stack, func() error {
		if r := h.try("stacks", "show", stack); r.code != exitNotFound {
			return fmt.Errorf("farshore stacks show: %v", r)
		}
		return nil
	})
}

// commandShown is a command as scripts see it.
type commandShown struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Target string `json:"target"`
	State  string `json:"state"`
	Final  bool   `json:"final"`
	Text   string `json:"text"`
	Output string `json:"output"`
}

// eventShown is an event as scripts see it.
type eventShown struct {
	Kind   string `json:"kind"`
	Device string `json:"device"`
	Text   string `json:"text"`
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// busy listens on a port until the test ends.
func busy(t *testing.T, port int) {
	t.Helper()
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func decode(t *testing.T, text string, out any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), out); err != nil {
		t.Fatalf("%v in what the CLI printed:\n%s", err, text)
	}
}
