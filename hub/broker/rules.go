package broker

import (
	"errors"
	"fmt"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/protocol"
)

// rules is what mochi asks about each packet. Everything that is not named here is refused.
type rules struct {
	mqtt.HookBase
	broker *Broker
}

// ID implements mqtt.Hook.
func (*rules) ID() string { return "farshore" }

// Provides implements mqtt.Hook.
func (*rules) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnPacketProcessed, mqtt.OnPublish:
		return true
	}
	return false
}

func connOf(cl *mqtt.Client) *conn {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		panic("a client that this broker did not establish")
	}
	return c
}

// OnConnect admits or refuses a client. A refusal is answered here, with its own return code.
func (r *rules) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	c := connOf(cl)
	code, err := r.admit(c, cl, pk)
	if err == nil {
		return nil
	}
	_ = cl.WritePacket(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, ReasonCode: code}) // it is refused either way
	return err
}

func (r *rules) admit(c *conn, cl *mqtt.Client, pk packets.Packet) (code byte, err error) {
	switch {
	case pk.Connect.WillFlag:
		return refusedNotAllowed, errors.New("a Will is not allowed")
	case pk.Connect.Keepalive == 0:
		return refusedNotAllowed, errors.New("a keep-alive of 0 is not allowed")
	}
	if c.id, err = protocol.ParseDeviceID(pk.Connect.ClientIdentifier); err != nil {
		return refusedNotAllowed, err
	}
	if c.boot, err = protocol.ParseBoot(string(pk.Connect.Username)); err != nil {
		return refusedNotAllowed, err
	}
	exporter, err := protocol.Exporter(&c.stream.State)
	if err != nil {
		return refusedNotAllowed, err
	}
	proof := session.Proof{Device: c.id, Boot: c.boot, Exporter: exporter, Signature: pk.Connect.Password}
	if err := r.broker.c.Sessions.Authenticate(protocol.PurposeMQTT, proof); err != nil {
		return returnCode(err), err
	}
	// From here on it is no stranger: an Attach may have to wait for another connection of the device.
	c.stream.Guest.Leave()
	cl.Properties.Clean = true // nothing is kept from one connection to the next
	link, err := r.broker.c.Sessions.Attach(c.id, c.boot, pipe{c: c, cl: cl})
	if err != nil {
		r.broker.c.Log.Info("connection refused", "device", c.id, "remote", c.RemoteAddr(), "error", err)
		return returnCode(err), err
	}
	ended, release := r.broker.c.Sessions.Meter(c.id, c.stream.Tally), r.broker.c.Sessions.Bound(c.id, c.stream.Raw)
	c.link, c.ended = link, func() { release(); ended() }
	c.keepAlive = time.Duration(pk.Connect.Keepalive) * time.Second
	return 0, nil
}

// returnCode is the CONNACK return code for a refusal.
func returnCode(err error) byte {
	switch protocol.CodeOf(err) {
	case protocol.CodeCopy:
		return refusedIdentifier
	case protocol.CodeBadSignature:
		return refusedPassword
	case protocol.CodeUnknown, protocol.CodeRevoked:
		return refusedNotAllowed
	}
	return refusedUnavailable
}

// OnConnectAuthenticate implements mqtt.Hook.
func (*rules) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	return connOf(cl).link != nil
}

// OnACLCheck allows a device its own two topics.
func (*rules) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	c := connOf(cl)
	if c.link == nil {
		return false
	}
	if write {
		return topic == protocol.UpTopic(c.id)
	}
	return topic == protocol.DownTopic(c.id)
}

// OnPacketRead ends the connection of a client that does what no agent does.
func (r *rules) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	c := connOf(cl)
	if err := c.legal(pk); err != nil {
		r.broker.c.Log.Warn("connection ended: the client did what no agent does", "device", c.id, "remote", c.RemoteAddr(), "error", err)
		return pk, packets.ErrRejectPacket
	}
	return pk, nil
}

func (c *conn) legal(pk packets.Packet) error {
	if c.link == nil {
		if pk.FixedHeader.Type != packets.Connect {
			return errors.New("a packet before CONNECT was accepted")
		}
		return nil
	}
	switch pk.FixedHeader.Type {
	case packets.Pingreq, packets.Subscribe, packets.Unsubscribe, packets.Disconnect:
		return nil
	case packets.Publish:
		switch {
		case pk.TopicName != protocol.UpTopic(c.id):
			return fmt.Errorf("publish to topic %.80q", pk.TopicName)
		case pk.FixedHeader.Retain:
			return errors.New("publish of a retained message")
		case pk.FixedHeader.Qos > 1:
			return errors.New("publish with QoS 2")
		}
		return nil
	}
	return fmt.Errorf("packet of type %d", pk.FixedHeader.Type)
}

// OnPublish hands a frame to the session, and keeps mochi from routing it anywhere.
func (*rules) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	connOf(cl).link.Receive(pk.Payload)
	return pk, packets.CodeSuccessIgnore
}

// OnPacketEncode keeps the answers to CONNECT to the return codes that MQTT 3.1.1 knows; mochi has some of version 5.
func (*rules) OnPacketEncode(_ *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack && pk.ReasonCode > refusedNotAllowed {
		pk.ReasonCode = refusedNotAllowed
	}
	return pk
}

// OnPacketProcessed tells the session of pings, and of the subscription once it has been acknowledged.
func (*rules) OnPacketProcessed(cl *mqtt.Client, pk packets.Packet, err error) {
	c := connOf(cl)
	if err != nil || c.link == nil {
		return
	}
	switch pk.FixedHeader.Type {
	case packets.Pingreq:
		c.link.Ping()
	case packets.Subscribe:
		for _, f := range pk.Filters {
			if f.Filter == protocol.DownTopic(c.id) && !c.listening {
				c.listening = true
				c.link.Ready()
			}
		}
	}
}
