package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestForeignClientsStayOutside: the clients of the mosquitto project, without the key of a device, do not get in, and
// the device whose name they use is not disturbed.
func TestForeignClientsStayOutside(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mosquitto_sub", "mosquitto_pub"} {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("SKIP_ENGINE") != "" {
			t.Skipf("%s is not installed, and SKIP_ENGINE is set", name)
		}
	}
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", nil)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	h.connected(device, "mqtt")
	began := a.log.mark()

	secure := withTLS(t, h.mqtt)
	for _, c := range []struct {
		name string
		port int
		says string // of mosquitto
		args []string
	}{
		{"without TLS", h.mqtt, "", []string{"mosquitto_sub", "-t", "#", "-i", device}},
		{"nobody", secure, "not authorised", []string{"mosquitto_sub", "-t", "#"}},
		{"the device without a password", secure, "not authorised", []string{"mosquitto_sub", "-t", "#", "-i", device}},
		{"the device with a password of its own making", secure, "not authorised", []string{
			"mosquitto_sub", "-t", "#", "-i", device, "-u", device, "-P", strings.Repeat("p", 64),
		}},
		{"one who would publish", secure, "not authorised", []string{
			"mosquitto_pub", "-t", device + "/up", "-m", "hello", "-r", "-i", device, "-u", device, "-P", strings.Repeat("p", 64),
		}},
		{"one with a will", secure, "not authorised", []string{
			"mosquitto_sub", "-t", "x", "-i", device, "--will-topic", device + "/up", "--will-payload", "hello",
		}},
	} {
		code, text := mosquitto(t, c.port, c.args)
		if code == 0 || !strings.Contains(text, c.says) {
			t.Errorf("%s got in: code %d, %q", c.name, code, text)
		}
	}
	h.connected(device, "mqtt")
	if s, err := a.status(); err != nil || !s.Session.Connected || strings.Contains(a.log.since(began), "WARN") {
		t.Errorf("the device was disturbed: %+v, %v\n%s", s.Session, err, a.log.since(began))
	}
}

// mosquitto runs a client, which is expected to give up at once.
func mosquitto(t *testing.T, port int, args []string) (code int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(port), "-W", "3"}, args[1:]...)...)
	if args[0] == "mosquitto_pub" { // it has no limit of time
		cmd = exec.CommandContext(ctx, args[0], append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(port)}, args[1:]...)...)
	}
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// withTLS does TLS for clients that cannot be told to trust the hub: what they send to the port it returns arrives at
// the hub's.
func withTLS(t *testing.T, to int) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := tls.Dial("tcp", address(to), &tls.Config{InsecureSkipVerify: true})
				if err != nil {
					return
				}
				defer out.Close()
				go func() {
					_, _ = io.Copy(in, out)
					in.Close()
				}()
				_, _ = io.Copy(out, in)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}
