package rollout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ErrInvalid is wrapped where a plan cannot be accepted as it is.
var ErrInvalid = errors.New("plan cannot be accepted")

// Bounds of a plan.
const (
	// MaxSoak is the longest time that a batch is watched, in seconds.
	MaxSoak = 30 * 24 * 3600
	// MaxDevices is the most devices of one rollout; see State.
	MaxDevices = 16_000
	// maxPlan is the most bytes of a plan as text.
	maxPlan = 4 << 10
)

// Plan says in which steps a fleet is changed. The zero value changes all devices at once, and pauses at the first
// failure.
type Plan struct {
	// Batch is how many devices change together. Zero: all.
	Batch Amount `cbor:"1,keyasint,omitzero" json:"batch,omitzero" doc:"Devices in a batch: a number such as 10, or a share of all such as 25%; absent: all"`
	// Doubling makes each batch twice as large as the one before; Batch is the size of the first.
	Doubling bool `cbor:"2,keyasint,omitempty" json:"doubling,omitempty" doc:"Each batch is twice as large as the one before"`
	// ByOrder keeps devices with different order keys in different batches, the lowest first.
	ByOrder bool `cbor:"3,keyasint,omitempty" json:"by_order,omitempty" doc:"Devices of a lower order go first, and in batches of their own"`
	// Soak is for how many seconds a batch is watched after it has succeeded, before the next one begins.
	Soak uint32 `cbor:"4,keyasint,omitempty" json:"soak_seconds,omitempty" doc:"How long a batch is watched before the next one begins"`
	// Success is how many of a hundred devices of a batch must succeed. 0: all but the failures that are allowed.
	Success uint8 `cbor:"5,keyasint,omitempty" json:"success_percent,omitempty" maximum:"100" doc:"Devices of a batch that must succeed, of a hundred; absent: all but the failures that are allowed"`
	// Failures are how many devices of a batch may fail. Zero: none.
	Failures Amount `cbor:"6,keyasint,omitzero" json:"failures,omitzero" doc:"Devices of a batch that may fail: a number, or a share such as 5%; absent: none"`
	// OnFailure is what is done when more do.
	OnFailure OnFailure `cbor:"7,keyasint,omitempty" json:"on_failure,omitempty" doc:"When more do: pause, continue, roll-back-batch or roll-back-all; absent: pause"`
	// PerGroup is how many devices of one group may be under way at once. 0: any number.
	PerGroup uint32 `cbor:"8,keyasint,omitempty" json:"per_group,omitempty" doc:"Devices of one group that may be under way at once; absent: any number"`
}

// ParsePlan reads a plan as JSON and checks it. Errors wrap ErrInvalid.
func ParsePlan(text []byte) (Plan, error) {
	if len(text) > maxPlan {
		return Plan{}, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrInvalid, len(text), maxPlan)
	}
	var p Plan
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Plan{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Plan{}, fmt.Errorf("%w: more follows after it: give one plan", ErrInvalid)
	}
	return p, p.Check()
}

// Check reports the first thing about a plan that cannot be done. Errors wrap ErrInvalid.
func (p Plan) Check() error {
	for _, a := range []struct {
		name string
		Amount
	}{{"batch", p.Batch}, {"failures", p.Failures}} {
		if a.Percent > 100 || a.Percent != 0 && a.Count != 0 {
			return fmt.Errorf("%w: %s is a number, or a share of at most 100%%", ErrInvalid, a.name)
		}
	}
	switch {
	case p.Doubling && p.Batch.IsZero():
		return fmt.Errorf("%w: to double, it needs the size of the first batch", ErrInvalid)
	case p.Soak > MaxSoak:
		return fmt.Errorf("%w: a batch is watched for %d s: want at most %d days", ErrInvalid, p.Soak, MaxSoak/24/3600)
	case p.Success > 100:
		return fmt.Errorf("%w: %d%% of a batch shall succeed: want at most 100%%", ErrInvalid, p.Success)
	case p.OnFailure > RollBackAll:
		return fmt.Errorf("%w: what to do on failure is not known: want pause, continue, roll-back-batch or roll-back-all", ErrInvalid)
	}
	return nil
}

// IsZero reports whether nothing was said: all devices change at once.
func (p Plan) IsZero() bool { return p == Plan{} }

// Words gives the plan as sentences.
func (p Plan) Words() string {
	var b strings.Builder
	switch {
	case p.Batch.IsZero() && p.ByOrder:
		b.WriteString("All devices of an order at once, the lowest order first")
	case p.Batch.IsZero():
		b.WriteString("All devices at once")
	case p.Doubling:
		fmt.Fprintf(&b, "Batches that double, from %s", p.Batch.devices())
	default:
		fmt.Fprintf(&b, "Batches of %s", p.Batch.devices())
	}
	if p.ByOrder && !p.Batch.IsZero() {
		b.WriteString(", those of the lowest order first")
	}
	if p.PerGroup > 0 {
		fmt.Fprintf(&b, ", at most %d of a group at once", p.PerGroup)
	}
	b.WriteString(". ")
	if p.Soak > 0 {
		fmt.Fprintf(&b, "Each is watched for %s before the next begins. ", time.Duration(p.Soak)*time.Second)
	}
	if p.Success > 0 {
		fmt.Fprintf(&b, "%d%% of a batch must succeed. ", p.Success)
	}
	switch {
	case p.OnFailure == Continue:
		b.WriteString("Failures do not stop it.")
	case p.Failures.IsZero():
		fmt.Fprintf(&b, "At the first failure: %s.", p.OnFailure.words())
	default:
		fmt.Fprintf(&b, "When more than %s of a batch fail: %s.", p.Failures, p.OnFailure.words())
	}
	return b.String()
}

// Amount is a number of devices, or a share of some. Its text is such as 10 or 25%.
type Amount struct {
	Count   uint32 `cbor:"1,keyasint,omitempty"`
	Percent uint8  `cbor:"2,keyasint,omitempty"`
}

// IsZero reports whether nothing was said.
func (a Amount) IsZero() bool { return a == Amount{} }

// String gives 10 or 25%.
func (a Amount) String() string {
	if a.Percent != 0 {
		return strconv.Itoa(int(a.Percent)) + "%"
	}
	return strconv.FormatUint(uint64(a.Count), 10)
}

func (a Amount) devices() string {
	switch {
	case a.Percent != 0:
		return a.String() + " of the devices"
	case a.Count == 1:
		return "1 device"
	}
	return a.String() + " devices"
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText gives. Errors wrap ErrInvalid.
func (a *Amount) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	share, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseUint(strings.TrimSpace(share), 10, 32)
	if err != nil || percent && n > 100 {
		return fmt.Errorf("%w: %.40q: want a number of devices such as 10, or a share such as 25%%", ErrInvalid, text)
	}
	*a = Amount{Count: uint32(n)}
	if percent {
		*a = Amount{Percent: uint8(n)}
	}
	return nil
}

// of gives how many of n devices are meant, shares rounded down.
func (a Amount) of(n int) int {
	if a.Percent != 0 {
		return n * int(a.Percent) / 100
	}
	return int(a.Count)
}

// OnFailure is what is done when more devices of a batch fail than may.
type OnFailure uint8

// What can be done.
const (
	Pause         OnFailure = 0 // start nobody more until an operator decides
	Continue      OnFailure = 1 // go on all the same
	RollBackBatch OnFailure = 2 // bring the devices of the batch back, then pause
	RollBackAll   OnFailure = 3 // bring all devices back that the rollout has changed, and end
)

var failureWords = [...]string{"pause", "continue", "roll-back-batch", "roll-back-all"}

// String gives the word of API and CLI.
func (o OnFailure) String() string {
	if int(o) < len(failureWords) {
		return failureWords[o]
	}
	return fmt.Sprintf("on-failure-%d", uint8(o))
}

func (o OnFailure) words() string {
	return map[OnFailure]string{
		Pause: "pause", Continue: "go on", RollBackBatch: "bring the batch back, and pause", RollBackAll: "bring all back, and end",
	}[o]
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (o OnFailure) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText gives. Errors wrap ErrInvalid.
func (o *OnFailure) UnmarshalText(b []byte) error {
	for i, w := range failureWords {
		if w == string(b) {
			*o = OnFailure(i)
			return nil
		}
	}
	return fmt.Errorf("%w: on failure %.40q: want pause, continue, roll-back-batch or roll-back-all", ErrInvalid, b)
}
