package protocol

import "fmt"

// LinkRules say what a device may spend on its link, when it may use it, and who fetches its images. Capability 4.
type LinkRules struct {
	// Budget of the billing cycle. Absent: nothing is capped.
	Budget *Budget `cbor:"1,keyasint,omitempty" json:"budget,omitempty"`
	// Contact says when the device may use the link. Absent: at any time.
	Contact *Contact `cbor:"2,keyasint,omitempty" json:"contact,omitempty"`
	// Images says who fetches images. Absent: ImagesByEngine.
	Images ImageWay `cbor:"3,keyasint,omitzero" json:"images,omitempty"`
	// Connection says whether a connection is kept between two contacts. Absent: ConnectionAuto.
	Connection ConnectionWay `cbor:"4,keyasint,omitzero" json:"connection,omitempty"`
}

// Budget is how many bytes on the wire, both directions together, a device may spend in a billing cycle.
type Budget struct {
	// Day of the month on which a cycle begins, 1 to 31; in a shorter month it is its last day.
	Day uint8 `cbor:"1,keyasint,omitempty" json:"cycle_day"`
	// Zone names the time zone in which days and cycles begin, such as Europe/Oslo. "": UTC.
	Zone string `cbor:"2,keyasint,omitempty" json:"zone,omitempty"`
	// Soft is from how many bytes on the device saves. Absent: it does not before Hard is near.
	Soft uint64 `cbor:"3,keyasint,omitempty" json:"soft,omitempty"`
	// Hard is how many bytes are never passed. Absent: nothing is capped.
	Hard uint64 `cbor:"4,keyasint,omitempty" json:"hard,omitempty"`
	// Reserve are the last bytes below Hard, which only urgent work may spend. Absent: a twentieth of Hard.
	Reserve uint64 `cbor:"5,keyasint,omitempty" json:"reserve,omitempty"`
	// Floor is every how many seconds the device pings near Hard. Absent: DefaultFloor.
	Floor uint32 `cbor:"6,keyasint,omitempty" json:"floor,omitempty"`
	// DailyPing: at Hard there is still one ping a day. Absent: silence until the cycle ends.
	DailyPing bool `cbor:"7,keyasint,omitempty" json:"daily_ping,omitempty"`
	// Lift is what an operator added to one cycle. Absent: nothing.
	Lift *Lift `cbor:"8,keyasint,omitempty" json:"lift,omitempty"`
}

// DefaultFloor is Budget.Floor in seconds where none is given: 6 h.
const DefaultFloor = 6 * 3600

// Lift raises Soft and Hard of one cycle.
type Lift struct {
	// Cycle is the first day of the cycle, as in UsageDay.
	Cycle uint32 `cbor:"1,keyasint" json:"cycle"`
	// Extra bytes on top.
	Extra uint64 `cbor:"2,keyasint" json:"extra"`
}

// Contact says at which times a device may use its link. It is open in each window and in each pass.
type Contact struct {
	// Windows that come again and again. Absent: none.
	Windows []ContactWindow `cbor:"1,keyasint,omitempty" json:"windows,omitempty"`
	// Passes are single times, such as those of a satellite, sorted by start. Absent: none.
	Passes []Pass `cbor:"2,keyasint,omitempty" json:"passes,omitempty"`
	// After is what holds when all passes are over and there are no windows. Absent: AfterDaily.
	After AfterPasses `cbor:"3,keyasint,omitzero" json:"after,omitempty"`
}

// ContactWindow is a time of contact that comes again and again.
type ContactWindow struct {
	// Start as cron writes it, such as "*/30 * * * *".
	Start string `cbor:"1,keyasint" json:"start" doc:"When it opens, as cron writes it: minute, hour, day of month, month, day of week" example:"0 */6 * * *"`
	// Seconds that it lasts.
	Seconds uint32 `cbor:"2,keyasint" json:"seconds" minimum:"10" maximum:"604800" doc:"How long it lasts"`
	// Zone names the time zone, such as Europe/Oslo. To a device it is always given.
	Zone string `cbor:"3,keyasint,omitempty" json:"zone,omitempty" doc:"Time zone such as Europe/Oslo; absent: that of the device's label timezone, such as Europe.Oslo, else UTC" example:"Europe/Oslo"`
}

// Pass is one time of contact.
type Pass struct {
	// Start, Unix seconds.
	Start int64 `cbor:"1,keyasint" json:"start"`
	// Seconds that it lasts.
	Seconds uint32 `cbor:"2,keyasint" json:"seconds"`
	// Bytes that are expected to fit, both directions together. Absent: not known.
	Bytes uint64 `cbor:"3,keyasint,omitempty" json:"bytes,omitempty"`
}

// MaxPasses is the most passes of one device.
const MaxPasses = 512

// AfterPasses is what holds when a table of passes has ended.
type AfterPasses uint8

// What holds after the last pass; zero means AfterDaily.
const (
	// AfterDaily: five minutes of contact each day, at the time of day of the last pass.
	AfterDaily AfterPasses = 1
	// AfterSilent: none, until a new table is given by somebody at the device.
	AfterSilent AfterPasses = 2
	// AfterOpen: at any time.
	AfterOpen AfterPasses = 3
)

var afterWords = words[AfterPasses]{"what holds after the last pass", []string{"", "daily", "silent", "open"}}

// String gives "daily", "silent" or "open", "" for not set.
func (a AfterPasses) String() string { return afterWords.of(a) }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (a AfterPasses) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (a *AfterPasses) UnmarshalText(b []byte) (err error) { *a, err = afterWords.read(b); return err }

// MarshalCBOR writes the number.
func (a AfterPasses) MarshalCBOR() ([]byte, error) { return Marshal(uint8(a)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (a *AfterPasses) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(a)) }

// ImageWay is who fetches images.
type ImageWay uint8

// Ways of images; zero means ImagesByEngine.
const (
	// ImagesByEngine: the engine asks registries itself. It is neither metered nor resumed.
	ImagesByEngine ImageWay = 1
	// ImagesByAgent: the agent fetches layers, within budget and windows, and hands them to the engine.
	ImagesByAgent ImageWay = 2
)

var imageWords = words[ImageWay]{"who fetches images", []string{"", "engine", "agent"}}

// String gives "engine" or "agent", "" for not set.
func (w ImageWay) String() string { return imageWords.of(w) }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (w ImageWay) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (w *ImageWay) UnmarshalText(b []byte) (err error) { *w, err = imageWords.read(b); return err }

// MarshalCBOR writes the number.
func (w ImageWay) MarshalCBOR() ([]byte, error) { return Marshal(uint8(w)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (w *ImageWay) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(w)) }

// ConnectionWay is whether a connection is kept between two contacts.
type ConnectionWay uint8

// Ways of connections; zero means ConnectionAuto.
const (
	// ConnectionAuto: whichever costs fewer bytes at the ping frequency, by how long the path was found to hold a
	// connection that is silent.
	ConnectionAuto ConnectionWay = 1
	// ConnectionKept: kept.
	ConnectionKept ConnectionWay = 2
	// ConnectionBrief: made for each contact, and closed after it.
	ConnectionBrief ConnectionWay = 3
)

var connectionWords = words[ConnectionWay]{"connection", []string{"", "auto", "kept", "brief"}}

// String gives "auto", "kept" or "brief", "" for not set.
func (w ConnectionWay) String() string { return connectionWords.of(w) }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (w ConnectionWay) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (w *ConnectionWay) UnmarshalText(b []byte) (err error) {
	*w, err = connectionWords.read(b)
	return err
}

// MarshalCBOR writes the number.
func (w ConnectionWay) MarshalCBOR() ([]byte, error) { return Marshal(uint8(w)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (w *ConnectionWay) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(w)) }

// words are the texts of a small number, the empty one for zero.
type words[T ~uint8] struct {
	what  string
	texts []string
}

func (w words[T]) of(v T) string {
	if int(v) < len(w.texts) {
		return w.texts[v]
	}
	return fmt.Sprintf("%d", v)
}

func (w words[T]) read(b []byte) (T, error) {
	for i, text := range w.texts {
		if text == string(b) {
			return T(i), nil
		}
	}
	return 0, fmt.Errorf("%s %.40q: want one of %q", w.what, b, w.texts[1:])
}

// Spending is how far a device is through its budget, and what it does about it.
type Spending uint8

// Stages of spending; zero means SpendingFree.
const (
	SpendingFree   Spending = 0 // below the soft cap, or without one
	SpendingSaving Spending = 1 // intervals are stretched; output waits
	SpendingLast   Spending = 2 // results, urgent commands, and pings at the floor interval
	SpendingSilent Spending = 3 // nothing, except one ping a day where that is allowed
)

var spendingWords = words[Spending]{"stage of spending", []string{"free", "saving", "last", "silent"}}

// String gives "free", "saving", "last" or "silent".
func (s Spending) String() string { return spendingWords.of(s) }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (s Spending) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (s *Spending) UnmarshalText(b []byte) (err error) { *s, err = spendingWords.read(b); return err }

// MarshalCBOR writes the number.
func (s Spending) MarshalCBOR() ([]byte, error) { return Marshal(uint8(s)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (s *Spending) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(s)) }

// Usage is what a device has spent on its link, by its own counters. It never is the reason for a frame.
// Each day is given as a whole, so one that comes twice counts once.
type Usage struct {
	// Days that have changed since the hub acknowledged them, the oldest first. Absent: none.
	Days []UsageDay `cbor:"1,keyasint,omitempty"`
	// Cycle is the first day of the present billing cycle, as in UsageDay. Absent: there is no budget.
	Cycle uint32 `cbor:"2,keyasint,omitempty"`
	// Spent bytes of this cycle, with what is reserved and perhaps not spent.
	Spent uint64 `cbor:"3,keyasint,omitempty"`
	// Stage of spending. Absent: SpendingFree.
	Stage Spending `cbor:"4,keyasint,omitzero"`
	// Rate at which bytes came down lately while some were wanted, in bytes a second. Absent: not measured.
	Rate uint32 `cbor:"5,keyasint,omitempty"`
}

// MaxUsageDays is the most days of one Usage.
const MaxUsageDays = 64

// UsageDay is what was spent on one day: a CBOR array.
type UsageDay struct {
	_ struct{} `cbor:",toarray"`
	// Day counts from 1970-01-01, which is 0, by the calendar of the budget's time zone (UTC without a budget).
	Day uint32
	// Counts by class, those that are not zero.
	Counts []UsageCount
}

// UsageCount is what one class has cost: a CBOR array of class and bytes on the wire up and down.
type UsageCount struct {
	_     struct{} `cbor:",toarray"`
	Class Class
	Up    uint64
	Down  uint64
}
