package link_test

import (
	"context"
	"crypto/ed25519"
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
func (w *wire) cost(t *testing.T) (bytes, segments uint64) {
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
		time.Sleep(100 * time.Millisecond) // beyond the 40 ms of a delayed acknowledgement
	}
	if info.Total_retrans != 0 {
		t.Skip("the loopback interface lost segments; what was counted is not what a connection costs")
	}
	segments = uint64(info.Segs_in) + uint64(info.Segs_out)
	return info.Bytes_acked + info.Bytes_received + segments*52 + 2*8, segments
}

// TestWireBudget holds what a connection costs with the key exchange of profile satellite to the numbers of the protocol's design.
func TestWireBudget(t *testing.T) {
	h := newTestHub(t)
	h.listen("127.0.0.1")
	w := &wire{}
	a := h.agent()
	a.cfg.DialContext, a.cfg.KeyExchange = w.dial, protocol.KeyExchangeClassic

	within := func(what string, got, most uint64) {
		t.Helper()
		t.Logf("%-48s %5d B", what, got)
		if got > most {
			t.Errorf("%s costs %d B, at most %d are allowed", what, got, most)
		}
	}
	tr := link.NewMQTT(a.cfg)
	defer tr.Close()
	if err := tr.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	connect, segments := w.cost(t)
	t.Logf("%d segments", segments)
	within("MQTT: connect, authenticate, subscribe, ping", connect, 2100)
	if err := tr.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	ping, _ := w.cost(t)
	within("MQTT: ping", ping-connect, 210)
	if err := tr.Send(t.Context(), make([]byte, 40)); err != nil {
		t.Fatal(err)
	}
	<-h.arrived
	send, _ := w.cost(t)
	within("MQTT: frame of 40 B up", send-ping, 200)

	https := link.NewHTTPS(a.cfg)
	defer https.Close()
	h.reply = make([]byte, 40)
	if err := https.Send(t.Context(), make([]byte, 40)); err != nil {
		t.Fatal(err)
	}
	fresh, _ := w.cost(t)
	within("HTTPS: frame of 40 B up and down, fresh", fresh, 2240)
	if err := https.Send(t.Context(), make([]byte, 40)); err != nil {
		t.Fatal(err)
	}
	kept, _ := w.cost(t)
	within("HTTPS: frame of 40 B up and down, kept alive", kept-fresh, 460)

	h.knock = func([]byte, protocol.SignedKnock) protocol.KnockAnswer {
		return protocol.KnockAnswer{State: protocol.KnockWaiting, Time: time.Now().UnixMilli(), PairingCode: "ABCD-1234"}
	}
	a.cfg.KeyExchange = 0
	k := link.NewKnocker(a.cfg)
	defer k.Close()
	_, err := k.Knock(t.Context(), func(exporter []byte) ([]byte, error) {
		pub := a.cfg.Key.Public().(ed25519.PublicKey)
		body, err := protocol.Marshal(protocol.Knock{
			Key: pub, EnrolmentKey: "k7d2m4qa", Proof: waitingroom.ConnectionProof(a.cfg.EdgeKey.Secret, exporter, pub),
			Facts: protocol.Facts{
				Hostname: "gateway-oslo-12", OS: "Debian GNU/Linux 12 (bookworm)", Arch: "arm64", Engine: "docker 20.10.24",
				Serial: "10000000deadbeef", MachineID: "0123456789abcdef0123456789abcdef", Version: "1.0.0", Capability: 1, Mode: 1,
			},
		})
		if err != nil {
			return nil, err
		}
		return protocol.Marshal(protocol.SignedKnock{Knock: body, Sig: protocol.SignConnection(a.cfg.Key, protocol.PurposeKnock, string(body), exporter)})
	})
	if err != nil {
		t.Fatal(err)
	}
	knock, _ := w.cost(t)
	const closing = 4*52 + 2*24
	within("knock, fresh connection, closed afterwards", knock+closing, 3300)
	within("a day in the waiting room after the first hour", 9*(knock+closing), 30_000)
}
