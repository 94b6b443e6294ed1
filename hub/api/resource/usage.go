package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// UpDown are bytes on the wire in each direction.
type UpDown struct {
	Up   uint64 `json:"up" doc:"Bytes towards the hub, TCP/IP included"`
	Down uint64 `json:"down"`
}

// UsageClasses are bytes by class. Classes of which there are none are left out.
type UsageClasses map[string]UpDown

// UsageStep is what was spent in one hour or day.
type UsageStep struct {
	At      time.Time    `json:"at" doc:"When the hour or day begins"`
	Classes UsageClasses `json:"classes"`
}

// UsageAlert is something about what a device spends that is worth a warning.
type UsageAlert struct {
	Kind  string    `json:"kind" enum:"soft-cap,hard-cap,projected,unusual"`
	Class string    `json:"class,omitempty" doc:"Of unusual use"`
	Since time.Time `json:"since"`
	Text  string    `json:"text" doc:"A sentence for people, as of when it began"`
}

// BillingCycle is the time over which a budget counts.
type BillingCycle struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end" doc:"When the next one begins"`
}

// UsageCaps are the caps of one cycle, with what was added to it.
type UsageCaps struct {
	Soft    uint64 `json:"soft,omitempty" doc:"Bytes; absent: there is none"`
	Hard    uint64 `json:"hard,omitempty" doc:"Bytes; absent: there is none"`
	Reserve uint64 `json:"reserve,omitempty" doc:"The last bytes below hard, for urgent work alone"`
}

// DeviceData is how far a device is through its billing cycle, as a list shows it.
type DeviceData struct {
	Spent     uint64            `json:"spent" doc:"Bytes of this cycle"`
	Cap       uint64            `json:"cap,omitempty" doc:"The hard cap, or else the soft one, in bytes; absent: there is none"`
	Stage     protocol.Spending `json:"stage" doc:"free, saving, last or silent, as the device says, or as it must be by what the hub has counted since"`
	Projected uint64            `json:"projected,omitempty" doc:"Bytes at the end of the cycle, by the use of the last days; absent: less than a day is known"`
}

// DeviceUsage is what a device spends on its link.
type DeviceUsage struct {
	Device        protocol.DeviceID `json:"device"`
	Name          string            `json:"name"`
	Profile       string            `json:"profile,omitempty" doc:"The link profile that holds"`
	Cycle         BillingCycle      `json:"cycle"`
	Stage         protocol.Spending `json:"stage" doc:"free, saving, last or silent, as the device says, or as it must be by what the hub has counted since"`
	Caps          UsageCaps         `json:"caps"`
	Spent         uint64            `json:"spent" doc:"Bytes of this cycle: what the device says of each day, and what the hub has counted since"`
	Projected     uint64            `json:"projected,omitempty" doc:"Bytes at the end of the cycle, by the use of the last seven full days; absent: less than a day is known"`
	Cost          string            `json:"cost,omitempty" doc:"Of this cycle; absent: the profile has no tariff" example:"4.20"`
	ProjectedCost string            `json:"projected_cost,omitempty" example:"12.60"`
	Currency      string            `json:"currency,omitempty" example:"EUR"`
	NextContact   time.Time         `json:"next_contact,omitzero" doc:"When the hub expects the device next; absent: it expects no contact"`
	Lift          *Lift             `json:"lift,omitempty" doc:"What was added to the caps of this cycle; absent: nothing"`
	Rate          uint32            `json:"rate,omitempty" doc:"Bytes a second at which bytes came down lately; absent: not measured"`
	AsOf          time.Time         `json:"as_of" doc:"When the hub counted last"`
	Alerts        []UsageAlert      `json:"alerts" nullable:"false"`
	From          time.Time         `json:"from" doc:"Totals and steps begin here"`
	To            time.Time         `json:"to"`
	Totals        UsageClasses      `json:"totals"`
	Steps         []UsageStep       `json:"steps" nullable:"false" doc:"Those in which something was spent"`
}

// Money is an amount in one currency.
type Money struct {
	Currency string `json:"currency" example:"EUR"`
	Amount   string `json:"amount" example:"4.20"`
}

// GroupUsage is what the devices of one group, without those below it, have spent.
type GroupUsage struct {
	Group string `json:"group"`
	Bytes uint64 `json:"bytes"`
}

// FleetUsage is what many devices have spent.
type FleetUsage struct {
	Devices       int            `json:"devices" doc:"How many fit"`
	Spent         uint64         `json:"spent" doc:"Bytes of their present cycles"`
	Projected     uint64         `json:"projected" doc:"Bytes at the end of their cycles; of those of which less than a day is known, what they have spent"`
	Cost          []Money        `json:"cost" nullable:"false" doc:"Of their present cycles"`
	ProjectedCost []Money        `json:"projected_cost" nullable:"false"`
	Stages        map[string]int `json:"stages" doc:"Devices by stage of spending"`
	Over          int            `json:"over" doc:"Devices that are over a cap, or will be by the end of their cycle"`
	Alerts        int            `json:"alerts" doc:"How many hold now"`
	AsOf          time.Time      `json:"as_of" doc:"When the hub counted last"`
	From          time.Time      `json:"from" doc:"Totals, steps and groups begin here"`
	To            time.Time      `json:"to"`
	Totals        UsageClasses   `json:"totals"`
	Groups        []GroupUsage   `json:"groups" nullable:"false" doc:"The dearest first; groups of which nothing was spent are left out"`
	Steps         []UsageStep    `json:"steps" nullable:"false" doc:"Those in which something was spent"`
}

// UsageRow is how one of many devices stands.
type UsageRow struct {
	Device        protocol.DeviceID `json:"device"`
	Name          string            `json:"name"`
	Group         string            `json:"group"`
	Profile       string            `json:"profile,omitempty" doc:"The link profile that holds"`
	Stage         protocol.Spending `json:"stage"`
	Spent         uint64            `json:"spent"`
	Soft          uint64            `json:"soft,omitempty"`
	Hard          uint64            `json:"hard,omitempty"`
	Share         float64           `json:"share,omitempty" doc:"Spent by the hard cap, or else by the soft one: 1 is all of it"`
	Projected     uint64            `json:"projected,omitempty"`
	ProjectedCost string            `json:"projected_cost,omitempty"`
	Currency      string            `json:"currency,omitempty"`
	NextContact   time.Time         `json:"next_contact,omitzero"`
	Alerts        []UsageAlert      `json:"alerts" nullable:"false"`
}

// UsagePage is a part of the devices asked for.
type UsagePage struct {
	Items []UsageRow `json:"items" nullable:"false"`
	Total int        `json:"total"`
	Next  string     `json:"next,omitempty" doc:"Give it as after for the next page; absent: this is the last"`
}
