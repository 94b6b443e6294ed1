package protocol

import (
	"fmt"
	"time"
)

// Frequency is how often something happens: a whole number of seconds, or one of the words below.
// The zero value means "not set here": the next level up decides.
type Frequency int32

// Words in place of a duration.
const (
	// FrequencyOff: never by itself (pings: the device is not expected; commands: only when a session begins).
	FrequencyOff Frequency = -1
	// FrequencyPush: at once (commands are pushed; snapshots go when something changed, at most every 2 s).
	FrequencyPush Frequency = -2
)

// Every makes a Frequency of a duration, rounded up to whole seconds.
func Every(d time.Duration) Frequency { return Frequency((d + time.Second - 1) / time.Second) }

// Duration returns the interval, and false for zero, off and push.
func (f Frequency) Duration() (time.Duration, bool) { return time.Duration(f) * time.Second, f > 0 }

// String gives "60s"-like durations, "off", "push", or "" for not set.
func (f Frequency) String() string {
	switch {
	case f == 0:
		return ""
	case f == FrequencyPush:
		return "push"
	case f < 0:
		return "off"
	}
	return (time.Duration(f) * time.Second).String()
}

// ParseFrequency reads a Go duration of 1 s to 400 days, "off", "push", "change" (the same as push) or "".
func ParseFrequency(s string) (Frequency, error) {
	switch s {
	case "":
		return 0, nil
	case "off":
		return FrequencyOff, nil
	case "push", "change":
		return FrequencyPush, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > 400*24*time.Hour {
		return 0, fmt.Errorf("frequency %.40q: want a duration from 1s to 9600h such as 60s, 5m or 1h, or off, or push", s)
	}
	return Every(d), nil
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (f Frequency) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (f *Frequency) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFrequency(string(b))
	return err
}

// MarshalCBOR writes the number.
func (f Frequency) MarshalCBOR() ([]byte, error) { return Marshal(int32(f)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (f *Frequency) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*int32)(f)) }

// Settings are what an operator has set for a device, after inheritance: the effective values. A device that has
// none yet goes by DefaultSettings of its mode.
type Settings struct {
	Ping     Frequency `cbor:"1,keyasint,omitempty" json:"ping,omitempty"`
	Snapshot Frequency `cbor:"2,keyasint,omitempty" json:"snapshot,omitempty"`
	Command  Frequency `cbor:"3,keyasint,omitempty" json:"command,omitempty"`
	// Profile is the name of the link profile, for people.
	Profile string `cbor:"4,keyasint,omitempty" json:"profile,omitempty"`
	// Chunk is the most bytes of blob data in one message. Absent: MaxChunk.
	Chunk uint32 `cbor:"5,keyasint,omitempty" json:"chunk,omitempty"`
	// ConnectTimeout and ExchangeTimeout in seconds. Absent: the defaults of this package.
	ConnectTimeout  uint32 `cbor:"6,keyasint,omitempty" json:"connect_timeout,omitempty"`
	ExchangeTimeout uint32 `cbor:"7,keyasint,omitempty" json:"exchange_timeout,omitempty"`
	// KeyExchange of TLS. Absent: KeyExchangeHybrid.
	KeyExchange KeyExchange `cbor:"8,keyasint,omitempty" json:"key_exchange,omitempty"`
	// Link says what the device may spend, and when. Absent: all it likes, at any time. An agent below capability 4 is
	// not given it: it would leave it out of the hash of its settings.
	Link *LinkRules `cbor:"9,keyasint,omitempty" json:"link,omitempty"`
}

// For gives the settings as an agent of that capability understands them.
func (s Settings) For(capability uint) Settings {
	if capability < 4 {
		s.Link = nil
	}
	return s
}

// KeyExchange is the choice of TLS key exchange.
type KeyExchange uint8

// Key exchanges; zero means KeyExchangeHybrid.
const (
	// KeyExchangeHybrid is Go's default, X25519 with ML-KEM: safe against later quantum computers, 2.5 kB more per connection.
	KeyExchangeHybrid KeyExchange = 1
	// KeyExchangeClassic is X25519 alone.
	KeyExchangeClassic KeyExchange = 2
)

// String gives "hybrid" or "classic", "" for not set.
func (k KeyExchange) String() string { return [...]string{"", "hybrid", "classic"}[min(k, 2)] }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (k KeyExchange) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (k *KeyExchange) UnmarshalText(b []byte) error {
	switch string(b) {
	case "":
		*k = 0
	case "hybrid":
		*k = KeyExchangeHybrid
	case "classic":
		*k = KeyExchangeClassic
	default:
		return fmt.Errorf("key exchange %.40q: want hybrid or classic", b)
	}
	return nil
}

// MarshalCBOR writes the number.
func (k KeyExchange) MarshalCBOR() ([]byte, error) { return Marshal(uint8(k)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (k *KeyExchange) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(k)) }

// DefaultSettings is what a device of the given mode goes by until a hub says otherwise, and what the hub's own
// defaults are.
func DefaultSettings(m Mode) Settings {
	if m == ModeStandard {
		return Settings{Ping: 30, Snapshot: FrequencyPush, Command: FrequencyPush}
	}
	return Settings{Ping: 60, Snapshot: 300, Command: 60}
}

// Hash tells settings apart.
func (s *Settings) Hash() ShortHash {
	b, err := Marshal(s)
	if err != nil {
		panic(err) // Settings has no field that can fail to encode
	}
	return HashOf(b).Short()
}
