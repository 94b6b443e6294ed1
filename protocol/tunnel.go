package protocol

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// A tunnel is a connection that a device in standard mode opens when the hub asks for it: SSH (RFC 4253, 4254) in a
// WebSocket (RFC 6455) at PathTunnel of the hub's public address. In SSH the device is the client: it logs in by its
// device key, under the name of the session that it was asked for, and accepts the hub key alone as the host key. All
// channels are opened by the hub, none by the device. Capability 6.

// PathTunnel is the HTTP path of tunnels, a WebSocket with TunnelProtocol as its subprotocol.
const (
	PathTunnel     = "/t"
	TunnelProtocol = "ssh"
)

// Channels that the hub opens in a tunnel (RFC 4254, section 5.1).
const (
	// TunnelDocker is a connection to the engine's API. It has no extra data.
	TunnelDocker = "docker@farshore.io"
)

// Requests for a whole tunnel (RFC 4254, section 4), by the hub, answered by the agent.
const (
	// TunnelAlive asks for a sign of life. The answer says nothing else.
	TunnelAlive = "alive@farshore.io"
	// TunnelClosing says that the hub is about to end the tunnel: the agent captures a snapshot before it answers.
	TunnelClosing = "closing@farshore.io"
)

// TunnelID names one session of a tunnel. Only the hub and the device that was asked know it, and it is good for one
// login.
type TunnelID [16]byte

// NewTunnelID makes one at random.
func NewTunnelID() (id TunnelID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// String is the user name in SSH: 32 characters of hex.
func (id TunnelID) String() string { return hex.EncodeToString(id[:]) }

// ParseTunnelID reads what String gives.
func ParseTunnelID(s string) (id TunnelID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%w: session of a tunnel: want 32 characters of hex", ErrMalformed)
	}
	return TunnelID(b), nil
}

// TunnelAsk asks a device to open a tunnel.
type TunnelAsk struct {
	Session TunnelID `cbor:"1,keyasint"`
	// NotAfter is the last moment at which the device begins to dial, Unix seconds.
	NotAfter int64 `cbor:"2,keyasint"`
}

// TunnelRefusal tells that the device does not open a tunnel that it was asked for.
type TunnelRefusal struct {
	Session TunnelID `cbor:"1,keyasint"`
	// Text says why, for people, at most MaxText bytes.
	Text string `cbor:"2,keyasint"`
}
