package link

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/farshore/farshore/protocol"
)

// maxPacket bounds an MQTT packet from the hub: a frame, and what a PUBLISH has around it.
const maxPacket = protocol.MaxFrame + 256

// mqttLevel is MQTT 3.1.1.
const mqttLevel = 4

// subscribeID is the packet id of the one SUBSCRIBE of a connection.
const subscribeID = 1

// readPacket reads one packet from the hub, of the kinds that it may send. It allocates no more than maxPacket, whatever the
// header claims.
func readPacket(r *bufio.Reader) (packets.ControlPacket, error) {
	first, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	size, err := readSize(r)
	if err != nil {
		return nil, err
	}
	if size > maxPacket {
		return nil, fmt.Errorf("MQTT packet: %w: %d bytes, at most %d", protocol.ErrTooLarge, size, maxPacket)
	}
	h := packets.FixedHeader{
		MessageType: first >> 4, Dup: first&8 != 0, Qos: first >> 1 & 3, Retain: first&1 != 0, RemainingLength: size,
	}
	switch h.MessageType {
	case packets.Connack, packets.Suback, packets.Pingresp, packets.Publish:
	default:
		return nil, fmt.Errorf("MQTT packet: %w: type %d does not come from a hub", protocol.ErrMalformed, h.MessageType)
	}
	if h.Qos != 0 {
		return nil, fmt.Errorf("MQTT packet: %w: quality of service %d, a hub uses 0", protocol.ErrMalformed, h.Qos)
	}
	p, err := packets.NewControlPacketWithHeader(h)
	if err != nil {
		return nil, fmt.Errorf("MQTT packet: %w: %w", protocol.ErrMalformed, err)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	if err := p.Unpack(bytes.NewReader(body)); err != nil {
		return nil, fmt.Errorf("MQTT packet: %w: %w", protocol.ErrMalformed, err)
	}
	return p, nil
}

// readSize reads the remaining length of a packet (MQTT 3.1.1, section 2.2.3).
func readSize(r *bufio.Reader) (size int, err error) {
	for shift := 0; shift < 28; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		size |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			return size, nil
		}
	}
	return 0, fmt.Errorf("MQTT packet: %w: its length has more than four bytes", protocol.ErrMalformed)
}

// opening is what an agent says first: CONNECT, SUBSCRIBE and PINGREQ, which need not wait for each other's answers (MQTT
// 3.1.1, section 3.1.4) and so travel together.
func opening(cfg Config, exporter []byte) []byte {
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.CleanSession = "MQTT", mqttLevel, true
	connect.ClientIdentifier = string(cfg.id())
	connect.UsernameFlag, connect.Username = true, cfg.Boot.String()
	connect.PasswordFlag = true
	connect.Password = protocol.SignConnection(cfg.Key, protocol.PurposeMQTT, cfg.Boot.String(), exporter)
	connect.Keepalive = keepAlive(cfg.KeepAlive)

	subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	subscribe.MessageID = subscribeID
	subscribe.Topics, subscribe.Qoss = []string{protocol.DownTopic(cfg.id())}, []byte{0}

	return packed(connect, subscribe, packets.NewControlPacket(packets.Pingreq))
}

// keepAlive is the MQTT keep-alive for an interval of contacts, in seconds: half as much again. A hub refuses 0, so rare contacts
// give the most there is, 18 hours.
func keepAlive(interval time.Duration) uint16 {
	if interval <= 0 || interval.Seconds()*1.5 >= math.MaxUint16 {
		return math.MaxUint16
	}
	return uint16(math.Ceil(interval.Seconds() * 1.5))
}

// packed encodes packets one behind the other.
func packed(ps ...packets.ControlPacket) []byte {
	var b bytes.Buffer
	for _, p := range ps {
		if err := p.Write(&b); err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
	}
	return b.Bytes()
}

func publish(topic string, frame []byte) []byte {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = topic, frame
	return packed(p)
}

func pingreq() []byte { return packed(packets.NewControlPacket(packets.Pingreq)) }

func disconnect() []byte { return packed(packets.NewControlPacket(packets.Disconnect)) }
