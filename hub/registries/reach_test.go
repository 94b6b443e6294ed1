package registries_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/internal/certtest"
)

// Who names an image chooses whom the hub connects to: only for who may have it reach out is that any registry, and never
// one in a private network or on the hub's own machine that nobody has put into the book.
func TestTheHubAsksOnlyWhomItMay(t *testing.T) {
	authority := certtest.New(t, "plant")
	pair := authority.Server([]string{"127.0.0.1"})
	var met atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			met.Add(1)
		}
	}
	s.TLS = certtestConfig(t, pair)
	s.StartTLS()
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "https://")
	_, port, _ := net.SplitHostPort(address)
	b := newBench(t)
	anywhere := func(netip.Addr) error { return nil }
	n := 0
	for _, c := range []struct {
		what, group, host string
		reaches           func(netip.Addr) error
		in, open, abroad  bool
		asked             bool
		says              string
	}{
		{"not in the book", "norway/oslo", address, anywhere, false, false, false, false, "is not among the registries that it knows"},
		{"not in the book, by who may", "norway/oslo", address, anywhere, false, false, true, true, "authority"},
		{"open to all", "norway/oslo", address, anywhere, false, true, false, true, "authority"},
		{"in the book", "norway/oslo", address, anywhere, true, false, false, true, "does not have it"},
		{"in the book of another group", "sweden", address, anywhere, true, false, false, false, "is not among"},
		{"on the hub's machine", "norway/oslo", address, nil, false, false, true, false, "hub's own machine"},
		{"a name that leads there", "norway/oslo", "localhost:" + port, nil, false, false, true, false, "hub's own machine"},
		{"there, open to all", "norway/oslo", address, nil, false, true, false, false, "hub's own machine"},
		{"there, in the book", "norway/oslo", address, nil, true, false, false, false, "hub's own machine"},
		{"in a private network", "norway/oslo", "10.0.0.5:5000", nil, false, false, true, false, "is of a private network"},
		{"in one of a carrier", "norway/oslo", "100.64.0.5:5000", nil, false, true, true, false, "is of a private network"},
	} {
		b.reaches, b.public = c.reaches, nil
		if c.open {
			b.public = []string{c.host}
		}
		b.open(b.dir)
		id := ""
		if c.in {
			id = b.add(registries.Change{Address: c.host, User: "bot", CA: string(authority.PEM), Group: "norway"})
		}
		before := met.Load()
		n++
		_, err := b.Image(t.Context(), registries.Question{
			Group: c.group, Image: fmt.Sprintf("%s/app:%d", c.host, n), Platform: "linux/amd64", By: "sam", Abroad: c.abroad,
		})
		if err == nil || !strings.Contains(err.Error(), c.says) || met.Load() > before != c.asked {
			t.Errorf("%s: %v, connections %d; want %q", c.what, err, met.Load()-before, c.says)
		}
		if id != "" {
			if err := b.Remove(id, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}
