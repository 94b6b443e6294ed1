package link_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// wire keeps the TCP connections that are dialled, to ask the kernel what they cost.
type wire struct {
	mu    sync.Mutex
	conns []*net.TCPConn
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.conns = append(w.conns, c.(*net.TCPConn))
	w.mu.Unlock()
	return c, nil
}

// cost is what the latest connection has put on the wire in both directions: payload, and for each segment 52 bytes of IPv4 and
// TCP headers with timestamps (60 for the two SYNs). It waits until all is acknowledged, delayed acknowledgements included.
func (w *wire) cost(t *testing.T) uint64 {
	t.Helper()
	w.mu.Lock()
	raw, err := w.conns[len(w.conns)-1].SyscallConn()
	w.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	var last, info *unix.TCPInfo
	for range 100 {
		if cerr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); cerr != nil || err != nil {
			t.Fatal(cerr, err)
		}
		if last != nil && info.Segs_in == last.Segs_in && info.Segs_out == last.Segs_out {
			break
		}
		last = info
		time.Sleep(60 * time.Millisecond) // beyond the 40 ms of a delayed acknowledgement
	}
	if info.Total_retrans != 0 {
		t.Skip("the loopback interface lost segments; what was counted is not what a connection costs")
	}
	segments := uint64(info.Segs_in) + uint64(info.Segs_out)
	return info.Bytes_acked + info.Bytes_received + segments*52 + 2*8
}

// least runs a thing until it costs no more than most, and returns the least that it has cost in five tries: what it costs when no
// end was too slow to let an acknowledgement travel with its answer.
func (w *wire) least(t *testing.T, most uint64, run func() error) uint64 {
	t.Helper()
	least := uint64(1 << 62)
	for range 5 {
		conns, before := len(w.conns), uint64(0)
		if conns > 0 {
			before = w.cost(t)
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		if len(w.conns) > conns { // a connection of its own
			before = 0
		}
		if least = min(least, w.cost(t)-before); least <= most {
			break
		}
	}
	return least
}

// TestWireBudget holds what a connection costs with the key exchange of profile satellite to the numbers of the protocol's design.
func TestWireBudget(t *testing.T) {
	h := newTestHub(t)
	h.listen("127.0.0.1")
	h.reply = make([]byte, 40)
	h.knock = func([]byte, protocol.SignedKnock) protocol.KnockAnswer {
		return protocol.KnockAnswer{State: protocol.KnockWaiting, Time: time.Now().UnixMilli(), PairingCode: "ABCD-1234"}
	}
	w := &wire{}
	a := h.agent()
	a.cfg.DialContext, a.cfg.KeyExchange = w.dial, protocol.KeyExchangeClassic
	ctx, frame := t.Context(), make([]byte, 40)
	mqtt, https, k := link.NewMQTT(a.cfg), link.NewHTTPS(a.cfg), link.NewKnocker(a.cfg)
	defer func() { _ = errors.Join(mqtt.Close(), https.Close(), k.Close()) }()

	const closing = 4*52 + 2*24 // two FINs, their acknowledgements, two close_notify
	fresh := func(tr link.Transport, then func() error) func() error {
		return func() error { return errors.Join(tr.Close(), tr.Connect(ctx), then()) }
	}
	knock := func() error {
		_, err := k.Knock(ctx, func(exporter []byte) ([]byte, error) { return typicalKnock(a.cfg, exporter) })
		return err
	}
	for _, c := range []struct {
		what string
		run  func() error
		more uint64
		most uint64
	}{
		{"MQTT: connect, authenticate, subscribe, ping", fresh(mqtt, func() error { return nil }), 0, 2100},
		{"MQTT: ping", func() error { return mqtt.Ping(ctx) }, 0, 204},
		{"MQTT: frame of 40 B up", func() error { defer func() { <-h.arrived }(); return mqtt.Send(ctx, frame) }, 0, 190},
		{"HTTPS: 40 B up and down, fresh connection", fresh(https, func() error { return https.Send(ctx, frame) }), 0, 2240},
		{"HTTPS: 40 B up and down, kept alive", func() error { return https.Send(ctx, frame) }, 0, 400},
		{"knock: fresh connection, closed afterwards", func() error { return errors.Join(k.Close(), knock()) }, closing, 30_000 / 9},
		{"knock: kept alive", knock, 0, 900},
	} {
		got := w.least(t, c.most-c.more, c.run) + c.more
		t.Logf("%-46s %5d B", c.what, got)
		if got > c.most {
			t.Errorf("%s: %d B, at most %d are allowed", c.what, got, c.most)
		}
	}
}

// typicalKnock is a knock of a device that says all there is to say.
func typicalKnock(cfg link.Config, exporter []byte) ([]byte, error) {
	pub := cfg.Key.Public().(ed25519.PublicKey)
	body, err := protocol.Marshal(protocol.Knock{
		Key: pub, EnrolmentKey: "k7d2m4qa", Proof: waitingroom.ConnectionProof(cfg.EdgeKey.Secret, exporter, pub),
		Facts: protocol.Facts{
			Hostname: "gateway-oslo-12", OS: "Debian GNU/Linux 12 (bookworm)", Arch: "arm64", Engine: "docker 20.10.24",
			Serial: "10000000deadbeef", MachineID: "0123456789abcdef0123456789abcdef", Version: "1.0.0", Capability: 1, Mode: 1,
		},
	})
	if err != nil {
		return nil, err
	}
	return protocol.Marshal(protocol.SignedKnock{
		Knock: body, Sig: protocol.SignConnection(cfg.Key, protocol.PurposeKnock, string(body), exporter),
	})
}
