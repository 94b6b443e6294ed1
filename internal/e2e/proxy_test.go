package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// behindProxy is an address that is reserved for documentation (RFC 5737): no packet reaches it. Whoever gets to the
// hub under it came through the proxy.
const behindProxy = "192.0.2.1"

// TestThroughProxy: a device that can reach nothing but a proxy which wants a password.
func TestThroughProxy(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"mqtt", "https"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			throughProxy(t, carrier)
		})
	}
}

func throughProxy(t *testing.T, carrier string) {
	const right, wrong = "s3cret-of-proxy", "wrong-password"
	proxy := newProxy(t, "field", right)
	ports := map[string]int{"https": freePort(t), "mqtt": freePort(t)}
	h := newHub(t, hubConfig{port: ports["https"], mqtt: ports["mqtt"], args: []string{
		"--public-url", fmt.Sprintf("https://%s:%d", behindProxy, ports["https"]),
		"--public-mqtt-url", fmt.Sprintf("mqtts://%s:%d", behindProxy, ports["mqtt"]),
	}})
	a := newAgent(t, carrier, nil)
	a.env = []string{"HTTPS_PROXY=http://field:" + wrong + "@" + address(proxy.port)}
	a.join(h.key("field"))
	reason := a.waits("unreachable").Waiting.Reason
	says(t, reason, address(proxy.port), "another user name and password", "HTTPS_PROXY")
	a.stop()

	a.env = []string{"HTTPS_PROXY=http://field:" + right + "@" + address(proxy.port)}
	a.start()
	device := h.admit(a, "box")
	h.connected(device, carrier)
	if target := fmt.Sprintf("CONNECT %s:%d", behindProxy, ports[carrier]); !strings.Contains(proxy.log.text(), target) {
		t.Errorf("the proxy was not asked for %q", target)
	}
	for _, secret := range []string{right, wrong} {
		if strings.Contains(a.log.text()+reason, secret) {
			t.Error("a password of the proxy is in the agent's log or status")
		}
	}
}

// tinyproxy is a proxy that wants a password.
type tinyproxy struct {
	port int
	log  *output
}

// newProxy runs Debian's tinyproxy. It passes everything on to a second proxy in this process, which takes behindProxy
// for this machine.
func newProxy(t *testing.T, user, password string) *tinyproxy {
	t.Helper()
	path, err := exec.LookPath("tinyproxy")
	if err != nil {
		if os.Getenv("SKIP_ENGINE") != "" {
			t.Skip("tinyproxy is not installed, and SKIP_ENGINE is set")
		}
		t.Fatal("tinyproxy is not installed (Debian: apt-get install tinyproxy)")
	}
	p := &tinyproxy{port: freePort(t), log: newOutput(t, "tinyproxy")}
	config := filepath.Join(workDir(t), "tinyproxy.conf")
	write(t, config, fmt.Sprintf(
		"Port %d\nListen 127.0.0.1\nTimeout 600\nMaxClients 50\nLogLevel Info\nBasicAuth %s %s\nUpstream http %s\n",
		p.port, user, password, farSide(t)))
	start(t, p.log, command{name: "tinyproxy", path: path, args: []string{"-d", "-c", config}})
	until(t, "tinyproxy listens", func() error {
		c, err := net.Dial("tcp", address(p.port))
		if err == nil {
			c.Close()
		}
		return err
	})
	return p
}

// farSide is a proxy that takes behindProxy for this machine. It returns its address.
func farSide(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.Host)
		if err != nil || r.Method != http.MethodConnect || host != behindProxy {
			http.Error(w, "only CONNECT "+behindProxy, http.StatusForbidden)
			return
		}
		out, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer out.Close()
		in, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer in.Close()
		if _, err := io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(in, out)
			in.Close()
		}()
		_, _ = io.Copy(out, buffered)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}
