package link

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/farshore/farshore/protocol"
)

// mqttSession is one MQTT connection. Its reader goroutine starts with begin and ends when the connection does; it alone calls
// OnFrame and OnDown.
type mqttSession struct {
	cfg      Config
	conn     opened
	up, down string // topics

	connack chan byte     // gets the return code of CONNACK
	suback  chan byte     // gets the return code of SUBACK
	done    chan struct{} // closed when the reader reads no more

	connacked, subacked bool // of the reader's goroutine

	writing sync.Mutex // one write at a time; taken before mu

	mu         sync.Mutex
	pings      []chan struct{} // unanswered pings, oldest first; each is closed by its answer
	unanswered time.Time       // when the oldest frame was sent that nothing has followed; zero: none
	probed     bool            // a ping was sent to find out about it
	watch      *time.Timer     // judges unanswered; nil: not armed
	made       bool            // begin has succeeded: a loss is to be told
	closed     bool            // ended by us: no loss
	err        error           // why the connection ended
}

func newSession(cfg Config, conn opened) *mqttSession {
	return &mqttSession{
		cfg: cfg, conn: conn, up: protocol.UpTopic(cfg.id()), down: protocol.DownTopic(cfg.id()),
		connack: make(chan byte, 1), suback: make(chan byte, 1), done: make(chan struct{}),
	}
}

// begin says the opening and waits for its three answers. When it fails, the connection is closed and the reader has ended.
func (s *mqttSession) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ExchangeTimeout)
	defer cancel()
	pong := make(chan struct{})
	go s.read()
	err := s.write(ctx, opening(s.cfg, s.conn.exporter), pong)
	if err == nil {
		err = s.conn.flush()
	}
	if err == nil {
		err = s.answers(ctx, pong)
	}
	s.mu.Lock()
	if err == nil {
		err = s.err
	}
	s.made = err == nil
	s.mu.Unlock()
	if err != nil {
		s.close()
	}
	return err
}

func (s *mqttSession) answers(ctx context.Context, pong <-chan struct{}) error {
	code, err := s.code(ctx, s.connack)
	switch {
	case err != nil:
		return fmt.Errorf("MQTT CONNECT: %w", err)
	case code != packets.Accepted:
		return refusedConnect(code)
	}
	code, err = s.code(ctx, s.suback)
	switch {
	case err != nil:
		return fmt.Errorf("MQTT SUBSCRIBE: %w", err)
	case code != 0:
		return unreachable("the hub refused the subscription of the device's own topic (code %#x)", code)
	}
	return s.await(ctx, pong)
}

// code waits for the return code in an answer. One that came before the connection ended counts.
func (s *mqttSession) code(ctx context.Context, answer <-chan byte) (byte, error) {
	select {
	case code := <-answer:
		return code, nil
	case <-s.done:
	case <-ctx.Done():
		return 0, unreachable("no answer: %w", context.Cause(ctx))
	}
	select {
	case code := <-answer:
		return code, nil
	default:
		return 0, s.cause()
	}
}

func (s *mqttSession) await(ctx context.Context, pong <-chan struct{}) error {
	select {
	case <-pong:
		return nil
	case <-s.done:
		return s.cause()
	case <-ctx.Done():
		return unreachable("no answer to the ping: %w", context.Cause(ctx))
	}
}

// cause is why the connection ended; s.done must be closed.
func (s *mqttSession) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return unreachable("%w", ErrClosed)
	}
	return s.err
}

func (s *mqttSession) alive() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// read takes what the hub sends until the connection ends.
func (s *mqttSession) read() {
	r := bufio.NewReaderSize(s.conn, 512)
	var err error
	for err == nil {
		var p packets.ControlPacket
		if p, err = readPacket(r); err == nil {
			s.heard()
			err = s.take(p)
		}
	}
	s.fail(unreachable("MQTT connection lost: %w", err))
	s.mu.Lock()
	tell := s.made && !s.closed
	err = s.err
	s.mu.Unlock()
	close(s.done)
	if tell {
		s.cfg.OnDown(err)
	}
}

func (s *mqttSession) take(p packets.ControlPacket) error {
	switch p := p.(type) {
	case *packets.ConnackPacket:
		return s.once(&s.connacked, s.connack, p.ReturnCode)
	case *packets.SubackPacket:
		if p.MessageID != subscribeID || len(p.ReturnCodes) != 1 {
			return fmt.Errorf("%w: SUBACK for something else", protocol.ErrMalformed)
		}
		return s.once(&s.subacked, s.suback, p.ReturnCodes[0])
	case *packets.PingrespPacket:
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.pings) > 0 {
			close(s.pings[0])
			s.pings = s.pings[1:]
		}
	case *packets.PublishPacket:
		if p.TopicName != s.down {
			return fmt.Errorf("%w: message for topic %.60q", protocol.ErrMalformed, p.TopicName)
		}
		s.cfg.OnFrame(p.Payload)
	}
	return nil
}

// once passes on an answer that may come one time only.
func (s *mqttSession) once(had *bool, answer chan<- byte, code byte) error {
	if *had {
		return fmt.Errorf("%w: the same answer twice", protocol.ErrMalformed)
	}
	*had = true
	answer <- code // has room for one
	return nil
}

// write sends bytes before ctx ends, and within the exchange timeout. If they hold a ping, pong is closed by its answer, else it
// is nil. A write that fails once it was begun ends the connection.
func (s *mqttSession) write(ctx context.Context, b []byte, pong chan struct{}) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return unreachable("%w", context.Cause(ctx))
	}
	if pong != nil {
		s.mu.Lock()
		s.pings = append(s.pings, pong)
		s.mu.Unlock()
	}
	deadline := time.Now().Add(s.cfg.ExchangeTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	err := s.conn.SetWriteDeadline(deadline)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { _ = s.conn.SetWriteDeadline(time.Unix(1, 0)) })
		_, err = s.conn.Write(b)
		stop()
	}
	if err != nil {
		err = unreachable("MQTT connection lost: %w", err)
		s.fail(err)
	}
	return err
}

func (s *mqttSession) send(ctx context.Context, frame []byte) error {
	if !s.alive() {
		return s.cause()
	}
	if err := s.write(ctx, publish(s.up, frame), nil); err != nil {
		return err
	}
	s.expect()
	return nil
}

// ping waits for the answer to a ping of its own. If there is none in time, the connection is ended.
func (s *mqttSession) ping(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, s.cfg.ExchangeTimeout)
	defer cancel()
	if !s.alive() {
		return s.cause()
	}
	pong := make(chan struct{})
	if err := s.write(within, pingreq(), pong); err != nil {
		return err
	}
	err := s.await(within, pong)
	if errors.Is(within.Err(), context.DeadlineExceeded) && err != nil {
		s.fail(err)
	}
	return err
}

// heard notes that the hub lives.
func (s *mqttSession) heard() {
	s.mu.Lock()
	s.unanswered, s.probed = time.Time{}, false
	s.mu.Unlock()
}

// expect notes that something must be heard from the hub within the exchange timeout: its acknowledgement of the frame, as a
// rule, else the answer to a ping that is sent when half of the time is over.
func (s *mqttSession) expect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unanswered.IsZero() {
		s.unanswered = time.Now()
	}
	if s.watch == nil && s.err == nil {
		s.watch = time.AfterFunc(s.cfg.ExchangeTimeout/2, s.judge)
	}
}

// judge runs when something should have been heard.
func (s *mqttSession) judge() {
	s.mu.Lock()
	if s.err != nil || s.unanswered.IsZero() {
		s.watch = nil
		s.mu.Unlock()
		return
	}
	probe := false
	switch silent := time.Since(s.unanswered); {
	case silent >= s.cfg.ExchangeTimeout:
		s.watch = nil
		s.mu.Unlock()
		s.fail(unreachable("nothing heard from the hub for %v after a frame was sent", s.cfg.ExchangeTimeout))
		return
	case silent < s.cfg.ExchangeTimeout/2: // an earlier frame was answered, this is about a later one
		s.watch.Reset(s.cfg.ExchangeTimeout/2 - silent)
	default:
		s.watch.Reset(s.cfg.ExchangeTimeout - silent)
		if !s.probed {
			s.probed, probe = true, true
		}
	}
	s.mu.Unlock()
	if probe {
		_ = s.write(context.Background(), pingreq(), make(chan struct{})) // a failed write has ended the connection
	}
}

// fail ends the connection for a reason; the first one counts.
func (s *mqttSession) fail(err error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
	}
	s.mu.Unlock()
	if first {
		_ = abort(s.conn.Conn) // it is lost anyway
	}
}

// close ends the connection by our own wish and waits for the reader.
func (s *mqttSession) close() {
	s.mu.Lock()
	polite := s.made && s.err == nil && !s.closed && !s.cfg.Abrupt
	s.closed = true
	if s.watch != nil {
		s.watch.Stop()
	}
	s.mu.Unlock()
	if polite {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = s.write(ctx, disconnect(), nil) // a courtesy
		cancel()
	}
	s.fail(ErrClosed)
	<-s.done
}

// abort closes at once, without waiting for the peer.
func abort(c net.Conn) error {
	if a, ok := c.(interface{ Abort() error }); ok {
		return a.Abort()
	}
	return c.Close()
}
