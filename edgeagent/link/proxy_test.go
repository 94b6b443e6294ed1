package link_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/protocol"
)

const proxyPassword = "s3cret-of-the-proxy"

// tinyproxy starts a real proxy that lets through CONNECT to the given ports, with a user and password.
func tinyproxy(t *testing.T, ports ...string) *url.URL {
	t.Helper()
	path, err := exec.LookPath("tinyproxy")
	if err != nil {
		if os.Getenv("FARSHORE_REQUIRE_ENGINE") != "" {
			t.Fatal("tinyproxy is not installed: apt-get install tinyproxy-bin")
		}
		t.Skip("tinyproxy is not installed: apt-get install tinyproxy-bin")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var conf bytes.Buffer
	fmt.Fprintf(&conf, "Port %d\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nBasicAuth farshore %s\n", address.Port, proxyPassword)
	for _, p := range ports {
		fmt.Fprintf(&conf, "ConnectPort %s\n", p)
	}
	file := filepath.Join(t.TempDir(), "tinyproxy.conf")
	if err := os.WriteFile(file, conf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(path, "-d", "-c", file)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", address.String())
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("tinyproxy does not listen: %s", out.String())
		}
		time.Sleep(10 * time.Millisecond) // until it listens, there is nothing to wait on
	}
	return &url.URL{Scheme: "http", Host: address.String(), User: url.UserPassword("farshore", proxyPassword)}
}

func port(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func through(proxy *url.URL) func(*url.URL) (*url.URL, error) {
	return func(*url.URL) (*url.URL, error) { return proxy, nil }
}

func TestThroughARealProxy(t *testing.T) {
	each(t, func(t *testing.T, open func(link.Config) link.Transport) {
		h := newTestHub(t)
		h.listen("127.0.0.1")
		a := h.agent()
		a.cfg.Proxy = through(tinyproxy(t, port(t, h.https), port(t, h.mqtts)))
		roundTrip(t, h, a, open(a.cfg))
		h.knock = func([]byte, protocol.SignedKnock) protocol.KnockAnswer {
			return protocol.KnockAnswer{State: protocol.KnockWaiting}
		}
		k := link.NewKnocker(a.cfg)
		defer k.Close()
		if _, err := k.Knock(within(t), func([]byte) ([]byte, error) { return protocol.Marshal(protocol.SignedKnock{}) }); err != nil {
			t.Errorf("knock: %v", err)
		}
	})
}

func TestWhatAProxySaysIsPassedOn(t *testing.T) {
	h := newTestHub(t)
	h.listen("127.0.0.1")
	proxy := tinyproxy(t, port(t, h.https))
	wrong, none := *proxy, *proxy
	wrong.User, none.User = url.UserPassword("farshore", proxyPassword+"x"), nil
	for name, c := range map[string]struct {
		proxy *url.URL
		says  string
	}{
		"wrong password": {&wrong, "user name and password"},
		"no password":    {&none, "HTTPS_PROXY"},
		"other port":     {proxy, "does not allow"}, // the MQTT port is not let through
		"socks":          {&url.URL{Scheme: "socks5", Host: "127.0.0.1:1"}, "http or https"},
		"nobody":         {&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, "proxy http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := h.agent().cfg
			cfg.Proxy = through(c.proxy)
			err := link.NewMQTT(cfg).Connect(within(t))
			if !errors.Is(err, link.ErrUnreachable) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), proxyPassword) {
				t.Errorf("%v, want ErrUnreachable that says %q and no password", err, c.says)
			}
		})
	}
}

func TestProxyFromTheEnvironment(t *testing.T) {
	asked := make(chan string, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 1000)
		n, _ := c.Read(b)
		asked <- string(b[:n])
		_, _ = c.Write([]byte("HTTP/1.1 502 Bad Gateway\r\n\r\n"))
	}()
	t.Setenv("HTTPS_PROXY", "http://me:pass@"+l.Addr().String())
	t.Setenv("https_proxy", "")
	t.Setenv("NO_PROXY", "near.example,192.0.2.0/24")
	t.Setenv("no_proxy", "")
	h := newTestHub(t)
	h.https, h.mqtts = "https://hub.example", "mqtts://[2001:db8::7]"
	cfg := h.agent().cfg
	err = link.NewMQTT(cfg).Connect(within(t))
	if !errors.Is(err, link.ErrUnreachable) || !strings.Contains(err.Error(), "502") || strings.Contains(err.Error(), "pass@") {
		t.Errorf("%v", err)
	}
	want := "CONNECT [2001:db8::7]:8883 HTTP/1.1\r\nHost: [2001:db8::7]:8883\r\nProxy-Authorization: Basic bWU6cGFzcw==\r\n\r\n"
	if got := <-asked; got != want {
		t.Errorf("the proxy was asked %q, want %q", got, want)
	}
	cfg.EdgeKey.MQTT = "mqtts://192.0.2.9:1"
	cfg.ConnectTimeout = 50 * time.Millisecond
	if err := link.NewMQTT(cfg).Connect(within(t)); err == nil || strings.Contains(err.Error(), "proxy") {
		t.Errorf("an address in NO_PROXY: %v", err)
	}
}
