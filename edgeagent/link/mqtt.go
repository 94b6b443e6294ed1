package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/farshore/farshore/protocol"
)

// mqttTransport carries frames as MQTT messages of quality of service 0; what is lost is repeated by the session above.
type mqttTransport struct {
	cfg  Config
	open func(ctx context.Context) (opened, error)

	mu   sync.Mutex
	sess *mqttSession // nil: not connected
}

// opened is a connection that MQTT can be spoken on.
type opened struct {
	net.Conn
	exporter []byte
	// flush sends what waits to travel with the first packets.
	flush func() error
}

// NewMQTT returns the transport that speaks MQTT over TLS with the MQTT address of the edge key.
func NewMQTT(cfg Config) Transport {
	cfg = cfg.withDefaults()
	d := cfg.dialer()
	return &mqttTransport{cfg: cfg, open: func(ctx context.Context) (opened, error) {
		if cfg.EdgeKey.MQTT == "" {
			return opened{}, unreachable("the edge key has no MQTT address")
		}
		u, err := endpoint(cfg.EdgeKey.MQTT, "8883")
		if err != nil {
			return opened{}, err
		}
		c, err := d.Dial(ctx, u)
		if err != nil {
			return opened{}, err
		}
		return opened{Conn: c, exporter: c.Exporter, flush: c.Uncork}, nil
	}}
}

func (t *mqttTransport) Name() protocol.Carrier { return protocol.CarrierMQTT }

func (t *mqttTransport) Push() bool { return true }

func (t *mqttTransport) Connect(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sess != nil && t.sess.alive() {
		return errors.New("connected already: close the transport first")
	}
	conn, err := t.open(ctx)
	if err != nil {
		return err
	}
	s := newSession(t.cfg, conn)
	err = s.begin(ctx)
	var no refusedConnect
	if errors.As(err, &no) {
		return t.why(ctx, no)
	}
	if err != nil {
		return err
	}
	t.sess = s
	return nil
}

// refusedConnect is the return code by which a broker refused CONNECT.
type refusedConnect byte

func (r refusedConnect) Error() string {
	return fmt.Sprintf("the hub refused the MQTT connection: %s", packets.ConnackReturnCodes[byte(r)])
}

// why finds out what a refusal means. The hub tells apart what MQTT's five codes allow; for the rest the agent asks over HTTPS,
// where there is more to say.
func (t *mqttTransport) why(ctx context.Context, no refusedConnect) error {
	switch no {
	case packets.ErrRefusedIDRejected:
		return &protocol.Error{Code: protocol.CodeCopy, Text: "another agent with this identity is connected: if this machine was copied from it, remove the agent's data folder here and let it join by itself"}
	case packets.ErrRefusedServerUnavailable:
		return &protocol.Error{Code: protocol.CodeBusy, Text: "the hub takes no MQTT connections just now"}
	case packets.ErrRefusedBadUsernameOrPassword:
		return &protocol.Error{Code: protocol.CodeBadSignature, Text: "the hub could not verify the connection's signature: something on the way may be ending TLS in between"}
	}
	cfg := t.cfg
	cfg.OnFrame = func([]byte) {} // whatever is waiting will be sent again
	https := NewHTTPS(cfg)
	defer func() { _ = https.Close() }()
	err := https.Ping(ctx)
	var told *protocol.Error
	if errors.As(err, &told) {
		return told
	}
	return unreachable("%w", no)
}

func (t *mqttTransport) session() (*mqttSession, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sess == nil {
		return nil, unreachable("%w", ErrClosed)
	}
	return t.sess, nil
}

func (t *mqttTransport) Send(ctx context.Context, frame []byte) error {
	if len(frame) > protocol.MaxFrame {
		return fmt.Errorf("send frame: %w: %d bytes, at most %d", protocol.ErrTooLarge, len(frame), protocol.MaxFrame)
	}
	s, err := t.session()
	if err != nil {
		return err
	}
	return s.send(ctx, frame)
}

func (t *mqttTransport) Ping(ctx context.Context) error {
	s, err := t.session()
	if err != nil {
		return err
	}
	return s.ping(ctx)
}

func (t *mqttTransport) Close() error {
	t.mu.Lock()
	s := t.sess
	t.sess = nil
	t.mu.Unlock()
	if s != nil {
		s.close()
	}
	return nil
}
