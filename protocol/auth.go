package protocol

import (
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// ALPN is the TLS application protocol (RFC 7301) by which a hub tells agents from browsers on its public port.
const ALPN = "farshore/1"

// HTTP paths of the agents' side of the public port. They travel in each request and stay short.
const (
	PathFrames = "/f" // POST: a frame in, frames out
	PathKnock  = "/k" // POST: Knock in, KnockAnswer out
	PathMQTT   = "/m" // WebSocket (RFC 6455) with subprotocol "mqtt"
)

// ContentType of a frame over HTTP; it is not sent, only accepted, to save bytes.
const ContentType = "application/cbor"

// UpTopic is the one topic a device may publish to.
func UpTopic(id DeviceID) string { return "u/" + string(id) }

// DownTopic is the one topic a device may subscribe to.
func DownTopic(id DeviceID) string { return "d/" + string(id) }

const exporterLabel = "EXPORTER-Channel-Binding" // RFC 9266, section 4.2

// Exporter returns the 32 bytes that bind a signature to one TLS 1.3 connection (RFC 9266, tls-exporter).
func Exporter(state *tls.ConnectionState) ([]byte, error) {
	if state == nil || state.Version < tls.VersionTLS13 {
		return nil, fmt.Errorf("channel binding needs TLS 1.3")
	}
	return state.ExportKeyingMaterial(exporterLabel, nil, 32)
}

// Boot identifies one run of an agent.
type Boot struct {
	// ID is random for each start of the agent process.
	ID [8]byte
	// Counter counts starts with this data folder, from 1.
	Counter uint64
}

// String gives the form that travels as MQTT user name and in the HTTP Authorization header: counter in base 36, a
// dot, the id in hex.
func (b Boot) String() string {
	return strconv.FormatUint(b.Counter, 36) + "." + hex.EncodeToString(b.ID[:])
}

// ParseBoot reads what String gives.
func ParseBoot(s string) (Boot, error) {
	var b Boot
	counter, id, ok := strings.Cut(s, ".")
	n, err := strconv.ParseUint(counter, 36, 64)
	if !ok || err != nil || len(id) != 16 || n == 0 {
		return b, fmt.Errorf("%w: boot %.60q", ErrMalformed, s)
	}
	if _, err := hex.Decode(b.ID[:], []byte(id)); err != nil {
		return b, fmt.Errorf("%w: boot %.60q", ErrMalformed, s)
	}
	b.Counter = n
	return b, nil
}

// Purposes of connection signatures; one can never serve as another.
const (
	PurposeMQTT  = "farshore mqtt 1\x00"
	PurposeHTTPS = "farshore https 1\x00"
	PurposeKnock = "farshore knock 1\x00"
)

func connectionSigned(purpose string, id DeviceID, detail string, exporter []byte) []byte {
	b := make([]byte, 0, 128)
	b = append(b, purpose...)
	b = append(b, byte(len(id)))
	b = append(b, id...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(detail)))
	b = append(b, detail...)
	return append(b, exporter...)
}

// SignConnection proves possession of the device key on one connection. detail is what else is claimed with it: the
// text form of Boot for PurposeMQTT and PurposeHTTPS, the encoded Knock for PurposeKnock.
func SignConnection(key ed25519.PrivateKey, purpose, detail string, exporter []byte) []byte {
	id := DeviceIDFor(key.Public().(ed25519.PublicKey))
	return ed25519.Sign(key, connectionSigned(purpose, id, detail, exporter))
}

// ConnectionSignature is what SignConnection made, with what it was made of.
type ConnectionSignature struct {
	// Purpose and Detail are as SignConnection takes them; Detail as it arrived.
	Purpose, Detail string
	// Exporter of the connection on which the signature arrived, from this side of it.
	Exporter []byte
	// Sig is the signature: 64 bytes.
	Sig []byte
}

// VerifyConnection checks that the holder of pub signed s. Its error wraps ErrBadSignature.
func VerifyConnection(pub ed25519.PublicKey, s ConnectionSignature) error {
	if len(pub) != ed25519.PublicKeySize || len(s.Sig) != ed25519.SignatureSize ||
		!ed25519.Verify(pub, connectionSigned(s.Purpose, DeviceIDFor(pub), s.Detail, s.Exporter), s.Sig) {
		return ErrBadSignature
	}
	return nil
}

// AuthScheme is the HTTP authentication scheme of the first request on a connection:
// "Farshore <device id> <boot> <base64url signature>".
const AuthScheme = "Farshore"

// Authorization returns the value of the header.
func Authorization(id DeviceID, boot Boot, sig []byte) string {
	return AuthScheme + " " + string(id) + " " + boot.String() + " " + base64.RawURLEncoding.EncodeToString(sig)
}

// ParseAuthorization reads what Authorization gives.
func ParseAuthorization(header string) (DeviceID, Boot, []byte, error) {
	parts := strings.Split(header, " ")
	if len(parts) != 4 || parts[0] != AuthScheme {
		return "", Boot{}, nil, fmt.Errorf("%w: authorization header", ErrMalformed)
	}
	id, err := ParseDeviceID(parts[1])
	if err != nil {
		return "", Boot{}, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	boot, err := ParseBoot(parts[2])
	if err != nil {
		return "", Boot{}, nil, err
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil || len(sig) != ed25519.SignatureSize {
		return "", Boot{}, nil, fmt.Errorf("%w: authorization signature", ErrMalformed)
	}
	return id, boot, sig, nil
}
