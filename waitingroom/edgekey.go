package waitingroom

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/farshore/farshore/protocol"
)

// Why a text is not a usable edge key. Each is wrapped by a sentence that says what to do.
var (
	ErrNotEdgeKey     = errors.New("this is not an edge key")
	ErrTruncated      = errors.New("the edge key is cut off")
	ErrAltered        = errors.New("the edge key was altered")
	ErrNewerKey       = errors.New("the edge key is of a newer version")
	ErrInvalidEdgeKey = errors.New("the edge key is incomplete")
)

const (
	keyPrefix     = "fsk1_"
	keyFamily     = "fsk"
	checksumSize  = 4
	minSecretSize = 16
	maxSecretSize = 64
	// maxEdgeKey bounds the text of an edge key.
	maxEdgeKey = 4 << 10
)

// EdgeKey is the join string that an operator hands to an agent: everything a device needs to find its hub, to verify
// it and to be let in.
type EdgeKey struct {
	// HTTPS is the hub's public address, such as "https://hub.example:9443" (port 443 where absent). It may end in a path.
	HTTPS string `cbor:"1,keyasint" json:"https"`
	// MQTT is the address for MQTT over TLS, such as "mqtts://hub.example:8883" (port 8883 where absent). Empty: MQTT
	// is only to be had over WebSocket at the HTTPS address.
	MQTT string `cbor:"2,keyasint,omitempty" json:"mqtt,omitempty"`
	// Tunnel is the address for tunnels where it differs from HTTPS. Empty: the same.
	Tunnel string `cbor:"3,keyasint,omitempty" json:"tunnel,omitempty"`
	// HubKey is the hub's Ed25519 public key, 32 bytes. The hub's certificate and orders are verified with it.
	HubKey ed25519.PublicKey `cbor:"4,keyasint" json:"hub_key"`
	// KeyID names the enrolment key; Secret, of 16 to 64 bytes, proves that its holder was given it. The secret is
	// never printed, logged or put into JSON.
	KeyID  string `cbor:"5,keyasint" json:"key_id"`
	Secret []byte `cbor:"6,keyasint" json:"-"`
	// Name was given to the device in advance. Empty: none.
	Name string `cbor:"7,keyasint,omitempty" json:"name,omitempty"`
}

// Encode returns the text form: "fsk1_" and base64url (RFC 4648, no padding) of the CBOR form and the first four bytes of
// its SHA-256. It fails with ErrInvalidEdgeKey when a part is missing or not valid.
func (k EdgeKey) Encode() (string, error) {
	if err := k.Validate(); err != nil {
		return "", err
	}
	body, err := protocol.Marshal(k)
	if err != nil {
		return "", fmt.Errorf("encode edge key: %w", err)
	}
	sum := sha256.Sum256(body)
	return keyPrefix + base64.RawURLEncoding.EncodeToString(append(body, sum[:checksumSize]...)), nil
}

// Parse reads what Encode gives; white space anywhere in it, as mail programs insert, is ignored. Its errors wrap one of
// the sentinels of this package and never contain the key.
func Parse(text string) (EdgeKey, error) {
	s := strings.Join(strings.Fields(text), "")
	raw, err := decodeText(s)
	if err != nil {
		return EdgeKey{}, err
	}
	var item cbor.RawMessage
	sum, err := cbor.UnmarshalFirst(raw, &item)
	if err != nil || len(sum) < checksumSize {
		return EdgeKey{}, fmt.Errorf("%w: its end is missing: copy it whole, from %s to the last character", ErrTruncated, keyPrefix)
	}
	want := sha256.Sum256(item)
	if !bytes.Equal(sum, want[:checksumSize]) {
		return EdgeKey{}, errAltered()
	}
	var k EdgeKey
	if err := protocol.Unmarshal(item, &k); err != nil {
		return EdgeKey{}, fmt.Errorf("%w: its checksum is right but its content is not: %w", ErrInvalidEdgeKey, err)
	}
	if err := k.Validate(); err != nil {
		return EdgeKey{}, err
	}
	return k, nil
}

func decodeText(s string) ([]byte, error) {
	if len(s) > maxEdgeKey {
		return nil, fmt.Errorf("%w: it has %d characters, an edge key at most %d", ErrNotEdgeKey, len(s), maxEdgeKey)
	}
	family, rest, _ := strings.Cut(s, "_")
	switch {
	case s == "":
		return nil, fmt.Errorf("%w: it is empty: give the text that `farshore keys create` printed", ErrNotEdgeKey)
	case family+"_" == keyPrefix:
	case strings.HasPrefix(keyPrefix, s):
		return nil, fmt.Errorf("%w: only its first %d characters are there: copy it whole", ErrTruncated, len(s))
	case strings.HasPrefix(s, "fst_"):
		return nil, fmt.Errorf("%w but an API token: an edge key begins with %s; make one with `farshore keys create`", ErrNotEdgeKey, keyPrefix)
	case newerFamily(family):
		return nil, fmt.Errorf("%w (%.8q): update this farshore-agent, or make an edge key with an older hub", ErrNewerKey, family)
	default:
		return nil, fmt.Errorf("%w: an edge key begins with %s: give the text that `farshore keys create` printed", ErrNotEdgeKey, keyPrefix)
	}
	if strings.ContainsFunc(rest, notBase64) {
		return nil, errAltered()
	}
	if len(rest)%4 == 1 {
		return nil, fmt.Errorf("%w: it ends in the middle: copy it whole, to the last character", ErrTruncated)
	}
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil {
		return nil, errAltered()
	}
	return raw, nil
}

func errAltered() error {
	return fmt.Errorf("%w: its checksum does not fit: copy it again from where it was made, without typing it", ErrAltered)
}

func newerFamily(family string) bool {
	number, ok := strings.CutPrefix(family, keyFamily)
	return ok && number != "" && number[0] != '0' && strings.Trim(number, "0123456789") == ""
}

func notBase64(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// Validate says with ErrInvalidEdgeKey which part of the key is missing or not valid.
func (k EdgeKey) Validate() error {
	for _, u := range []struct {
		name, scheme, value string
		optional            bool
	}{
		{"HTTPS", "https", k.HTTPS, false},
		{"MQTT", "mqtts", k.MQTT, true},
		{"tunnel", "https", k.Tunnel, true},
	} {
		if u.optional && u.value == "" {
			continue
		}
		p, err := url.Parse(u.value)
		if err != nil || p.Scheme != u.scheme || p.Hostname() == "" || p.User != nil || p.RawQuery != "" || p.Fragment != "" {
			return fmt.Errorf("%w: %s address %.200q: want %s://host:port", ErrInvalidEdgeKey, u.name, u.value, u.scheme)
		}
	}
	switch {
	case len(k.HubKey) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: the hub key has %d bytes, want %d", ErrInvalidEdgeKey, len(k.HubKey), ed25519.PublicKeySize)
	case k.KeyID == "" || len(k.KeyID) > protocol.MaxName:
		return fmt.Errorf("%w: the enrolment key's id has %d characters, want 1 to %d", ErrInvalidEdgeKey, len(k.KeyID), protocol.MaxName)
	case len(k.Secret) < minSecretSize || len(k.Secret) > maxSecretSize:
		return fmt.Errorf("%w: the secret has %d bytes, want %d to %d", ErrInvalidEdgeKey, len(k.Secret), minSecretSize, maxSecretSize)
	case len(k.Name) > protocol.MaxName:
		return fmt.Errorf("%w: the device name has %d bytes, at most %d", ErrInvalidEdgeKey, len(k.Name), protocol.MaxName)
	}
	return nil
}

// String says what the key is for, without its secret.
func (k EdgeKey) String() string {
	return fmt.Sprintf("edge key %s for %s", k.KeyID, k.HTTPS)
}

// GoString is String, so that %#v does not show the secret.
func (k EdgeKey) GoString() string { return k.String() }

// LogValue implements slog.LogValuer, without the secret.
func (k EdgeKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
