package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// Profile is a link profile.
type Profile struct {
	Name     string   `json:"name"`
	Settings Settings `json:"settings"`
	Link     *Link    `json:"link,omitempty" doc:"What a device may spend, when it may use its link, and who fetches its images"`
	Tariff   *Tariff  `json:"tariff,omitempty" doc:"What the link costs; absent: it is not known"`
	Idle     Idle     `json:"idle" readOnly:"true" doc:"What a device costs with which nothing happens"`
	Warnings []string `json:"warnings" nullable:"false" readOnly:"true" doc:"What is allowed, and yet probably not meant"`
	BuiltIn  bool     `json:"built_in" readOnly:"true"`
	Groups   int      `json:"groups" readOnly:"true" doc:"How many groups name it, of those that you see"`
	Devices  int      `json:"devices" readOnly:"true" doc:"How many devices go by it, of those that you see"`
	Etag     string   `json:"etag" readOnly:"true" doc:"Changes with what can be edited: give it as If-Match"`
}

// PutProfile makes a link profile or replaces it.
type PutProfile struct {
	Settings Settings `json:"settings"`
	Link     *Link    `json:"link,omitempty" doc:"Absent: nothing is capped, the link may be used at any time, and the engine fetches images itself"`
	Tariff   *Tariff  `json:"tariff,omitempty"`
}

// Link are the rules of a link. Bytes are bytes on the wire, headers included, both directions together.
type Link struct {
	Budget     *Budget                `json:"budget,omitempty" doc:"Absent: nothing is capped"`
	Contact    *Contact               `json:"contact,omitempty" doc:"Absent: the link may be used at any time"`
	Images     protocol.ImageWay      `json:"images,omitempty" doc:"Who fetches images: engine, or agent, which counts them and goes on where it was cut off; absent: agent where there is a cap or a time of contact, else engine" example:"agent"`
	Connection protocol.ConnectionWay `json:"connection,omitempty" doc:"Between two contacts: kept, brief (made for each), or auto (whichever costs less); absent: auto" example:"auto"`
}

// Budget is what a device may spend in a billing cycle.
type Budget struct {
	CycleDay  uint8  `json:"cycle_day,omitempty" maximum:"31" doc:"Day of the month on which a cycle begins; in a shorter month its last day; absent: 1"`
	Zone      string `json:"zone,omitempty" doc:"Time zone in which days begin; absent: UTC" example:"Europe/Oslo"`
	Soft      uint64 `json:"soft,omitempty" doc:"Bytes from which on the device saves; absent: it does not before hard is near"`
	Hard      uint64 `json:"hard,omitempty" doc:"Bytes that are never passed; absent: nothing is capped" example:"20000000"`
	Reserve   uint64 `json:"reserve,omitempty" doc:"The last bytes below hard, for results and urgent work alone; absent: a twentieth of hard"`
	Floor     uint32 `json:"floor,omitempty" doc:"Every how many seconds the device pings near hard; absent: 21600, six hours"`
	DailyPing bool   `json:"daily_ping,omitempty" doc:"At hard there is still one ping a day, by which the device hears of a lift; else it is silent until the cycle ends"`
}

// Contact are the times at which a link may be used, beside passes, which are given to groups and devices.
type Contact struct {
	Windows []protocol.ContactWindow `json:"windows,omitempty" maxItems:"16" nullable:"false"`
	After   protocol.AfterPasses     `json:"after,omitempty" doc:"What holds after the last pass of a table that does not say it, where there are no windows: daily (five minutes a day), silent or open; absent: daily"`
}

// Tariff is what a link costs. Money is a decimal number in a text, so that it is exact.
type Tariff struct {
	PricePerMB string `json:"price_per_mb,omitempty" doc:"Price of 1,000,000 bytes, at most six digits behind the point" example:"4.20"`
	Currency   string `json:"currency,omitempty" doc:"Three letters" example:"EUR"`
	Included   uint64 `json:"included,omitempty" doc:"Bytes of each cycle that cost nothing"`
}

// Idle is what a device costs with which nothing happens.
type Idle struct {
	BytesPerDay   uint64 `json:"bytes_per_day"`
	BytesPerMonth uint64 `json:"bytes_per_month" doc:"Of 30.44 days"`
	CostPerMonth  string `json:"cost_per_month,omitempty" doc:"Absent: there is no tariff"`
}

// ProfilePreview is what a link profile would mean.
type ProfilePreview struct {
	Idle     Idle      `json:"idle"`
	Always   bool      `json:"always" doc:"The link may be used at any time"`
	Openings []Opening `json:"openings" nullable:"false" doc:"The next ten; windows without a time zone are shown as UTC's, and go by each device's clock"`
	Warnings []string  `json:"warnings" nullable:"false" doc:"What is allowed, and yet probably not meant"`
}

// Passes are the table of passes that counts for a device or a group.
type Passes struct {
	Passes     []Pass               `json:"passes" nullable:"false"`
	After      protocol.AfterPasses `json:"after,omitempty" doc:"What holds after the last one where there are no contact windows: daily, silent or open; absent: there is no table"`
	Afterwards string               `json:"afterwards,omitempty" doc:"The same as a sentence"`
	Own        bool                 `json:"own" doc:"The table is of this device or group itself"`
	From       string               `json:"from,omitempty" doc:"Where the table comes from: device, or group norway; absent: there is none"`
	Warnings   []string             `json:"warnings" nullable:"false" doc:"Passes that are over or overlap, a table that ends soon"`
	Etag       string               `json:"etag" doc:"Of the own table: give it as If-Match; empty: there is none"`
}

// Pass is one time of contact.
type Pass struct {
	Start   time.Time `json:"start"`
	Seconds uint32    `json:"seconds" doc:"How long it lasts"`
	Bytes   uint64    `json:"bytes,omitempty" doc:"That are expected to fit, both directions together; absent: not known"`
}

// PutPasses gives a device or a group a table of passes.
type PutPasses struct {
	Passes []Pass               `json:"passes" minItems:"1" maxItems:"512" nullable:"false"`
	After  protocol.AfterPasses `json:"after,omitempty" doc:"What holds after the last one where there are no contact windows: daily, silent or open; absent: as the link profile says, else daily"`
}

// DeviceContact is when a device may use its link.
type DeviceContact struct {
	Now      bool      `json:"now" doc:"It may now"`
	Always   bool      `json:"always" doc:"It may at any time"`
	Openings []Opening `json:"openings" nullable:"false" doc:"The present one and the next, at most ten; those that overlap are one"`
	From     string    `json:"from" doc:"Where windows and passes come from"`
	Zone     string    `json:"zone" doc:"Time zone of the device"`
	Warnings []string  `json:"warnings" nullable:"false"`
}

// Opening is a time of contact.
type Opening struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero" doc:"Absent: it has none"`
	Bytes uint64    `json:"bytes,omitempty" doc:"That are expected to fit; absent: not known"`
}

// PutLift adds to the caps of a device's present billing cycle.
type PutLift struct {
	Extra uint64 `json:"extra" minimum:"1" doc:"Bytes, beside those that were added to this cycle before" example:"5000000"`
	Note  string `json:"note,omitempty" maxLength:"200" doc:"Why, for those who pay"`
}

// DroppedLift says what was taken back, and what follows.
type DroppedLift struct {
	Extra     uint64    `json:"extra" doc:"Bytes that were added to this cycle; 0: none were"`
	Spent     uint64    `json:"spent" doc:"Bytes of this cycle"`
	Soft      uint64    `json:"soft,omitempty" doc:"The cap without what was added"`
	Hard      uint64    `json:"hard,omitempty" doc:"The cap without what was added"`
	DailyPing bool      `json:"daily_ping,omitempty" doc:"At the hard cap there is still one ping a day"`
	End       time.Time `json:"end,omitzero" doc:"Of the cycle"`
	Silences  bool      `json:"silences" doc:"By that the device falls silent, as soon as it has heard of it"`
	Text      string    `json:"text,omitempty" doc:"What follows, for people; absent: nothing"`
}

// Lift is what was added to the caps of the present billing cycle.
type Lift struct {
	Start time.Time `json:"start" doc:"Of the cycle"`
	End   time.Time `json:"end" doc:"Of the cycle"`
	Extra uint64    `json:"extra" doc:"All that was added to it"`
	Soft  uint64    `json:"soft,omitempty" doc:"With it"`
	Hard  uint64    `json:"hard,omitempty" doc:"With it"`
	Note  string    `json:"note,omitempty"`
	By    string    `json:"by,omitempty"`
	At    time.Time `json:"at"`
}
