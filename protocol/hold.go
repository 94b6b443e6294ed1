package protocol

import "fmt"

// Hold is what somebody at a device decided about a stack. It stands until it is released there, or by the hub's order.
type Hold uint8

// The holds.
const (
	HoldKept    Hold = 1 // it stays as it is, whatever the hub wants
	HoldStopped Hold = 2 // its containers are stopped
	HoldBack    Hold = 3 // it was brought back to the last good version, and stays there
)

var holdWords = [...]string{"", "held", "stopped", "rolled-back"}

// String names the hold as API and console do; "" for none.
func (h Hold) String() string {
	if int(h) < len(holdWords) {
		return holdWords[h]
	}
	return fmt.Sprintf("hold-%d", uint8(h))
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (h Hold) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (h *Hold) UnmarshalText(b []byte) error {
	for i, w := range holdWords {
		if w == string(b) {
			*h = Hold(i)
			return nil
		}
	}
	return fmt.Errorf("hold %.40q is not known", b)
}

// MarshalCBOR writes the number.
func (h Hold) MarshalCBOR() ([]byte, error) { return Marshal(uint8(h)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (h *Hold) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(h)) }
