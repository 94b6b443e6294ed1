package meter_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/internal/wirelab"
)

// TestAgainstTheWire holds what both ends count to the packets that were on the wire, for what agents do with a link: they
// download, upload, ask again and again, and wait.
func TestAgainstTheWire(t *testing.T) {
	for name, weather := range map[string]wirelab.Weather{
		"fast": {},
		"slow": {Rate: 1_000_000},
		"far":  {Rate: 1_000_000, Delay: 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := wirelab.New(t)
			hub, err := l.Hub.Listen(wirelab.HubAddress + ":9443")
			if err != nil {
				t.Fatal(err)
			}
			atHub := new(meter.Tally)
			server := httptest.NewUnstartedServer(http.HandlerFunc(serve))
			server.Listener.Close()
			server.Listener = metered{hub, atHub}
			server.StartTLS()
			defer server.Close()
			l.Wire.SetWeather(weather)
			for _, use := range []struct {
				name  string
				bytes int // about as many as are on the wire
				do    func(*http.Client)
			}{
				{"a download", 1_000_000, func(c *http.Client) { get(t, c, server.URL+"/bytes/1000000", nil) }},
				{"an upload", 500_000, func(c *http.Client) { get(t, c, server.URL+"/take", io.LimitReader(zeros{}, 500_000)) }},
				{"slices", 500_000, func(c *http.Client) {
					for range 8 {
						get(t, c, server.URL+"/bytes/65536", nil)
					}
				}},
				{"drops", 7_000, func(c *http.Client) { get(t, c, server.URL+"/drops/10", nil) }},
			} {
				l.Wire.Quiet(t, 500*time.Millisecond)
				mark, before := l.Wire.Mark(), atHub.Counts()
				conn, err := l.Device.Dial(t.Context(), "tcp", wirelab.HubAddress+":9443")
				if err != nil {
					t.Fatal(err)
				}
				atAgent := new(meter.Tally)
				client, end := over(within(t, l.Device, conn, atAgent))
				use.do(client)
				end()
				l.Wire.Quiet(t, 500*time.Millisecond)
				seen := l.Wire.Since(mark)
				agent, hub := atAgent.Counts(), atHub.Counts()
				for who, counted := range map[string]uint64{
					"agent": all(agent), "hub": all(hub) - all(before),
				} {
					// What TCP sends twice because the machine is busy is known to who sent it.
					least, most := seen.Bytes()-seen.Again().Bytes(), seen.Bytes()
					if slack := 200 + use.bytes/500; int(counted) < least-slack || int(counted) > most+slack {
						t.Errorf("%s by the %s: %d bytes were counted, %d were on the wire:\n%s", use.name, who, counted, most, seen[max(0, len(seen)-20):])
					}
				}
			}
		})
	}
}

func all(c meter.Counts) uint64 {
	total := c.Total()
	return total.Up + total.Down
}

// over gives a client of one connection, and what closes that.
func over(c net.Conn) (client *http.Client, end func()) {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the server is the test's own
		DialContext:     func(context.Context, string, string) (net.Conn, error) { return c, nil },
	}
	return &http.Client{Transport: transport}, func() {
		transport.CloseIdleConnections()
		_ = c.Close()
	}
}

// inside is a connection of an agent that lives in a namespace. What came twice is asked of the namespace of the thread
// that does so, and the machine's own has the repeats of all that runs on it.
type inside struct {
	*meter.Conn
	home *wirelab.Namespace

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup // what is under way in the namespace
}

func within(t *testing.T, home *wirelab.Namespace, c net.Conn, tally *meter.Tally) *inside {
	t.Helper()
	in := &inside{home: home}
	if err := home.Do(func() error { in.Conn = meter.Wrap(c, tally, meter.AgentSide); return nil }); err != nil {
		t.Fatal(err)
	}
	return in
}

func (c *inside) do(fn func() error) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.busy.Add(1)
	c.mu.Unlock()
	defer c.busy.Done()
	return c.home.Do(fn)
}

func (c *inside) Read(p []byte) (n int, err error) {
	err = c.do(func() (err error) { n, err = c.Conn.Read(p); return err })
	return n, err
}

func (c *inside) Write(p []byte) (n int, err error) {
	err = c.do(func() (err error) { n, err = c.Conn.Write(p); return err })
	return n, err
}

// Close returns when nothing of the connection is left in the namespace, which may be gone after that.
func (c *inside) Close() error {
	c.mu.Lock()
	was := c.closed
	c.closed = true
	c.mu.Unlock()
	defer c.busy.Wait()
	if was {
		return nil
	}
	return c.home.Do(c.Conn.Close)
}

type metered struct {
	net.Listener
	tally *meter.Tally
}

func (m metered) Accept() (net.Conn, error) {
	c, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return meter.Wrap(c, m.tally, meter.HubSide), nil
}

func serve(w http.ResponseWriter, r *http.Request) {
	var n int
	switch {
	case sscan(r.URL.Path, "/bytes/%d", &n):
		_, _ = io.Copy(w, io.LimitReader(zeros{}, int64(n)))
	case sscan(r.URL.Path, "/drops/%d", &n):
		for range n {
			_, _ = w.Write(make([]byte, 100))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	default:
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

func sscan(text, form string, n *int) bool {
	_, err := fmt.Sscanf(text, form, n)
	return err == nil
}

func get(t *testing.T, c *http.Client, url string, body io.Reader) {
	t.Helper()
	resp, err := c.Post(url, "application/octet-stream", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
