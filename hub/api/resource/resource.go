// Package resource has the JSON bodies of the hub's API, as the server and its clients in Go see them.
//
// It is data only: no method decides anything, and nothing here knows HTTP. What devices send (snapshots, facts) is
// used as package protocol declares it; times in those are Unix seconds. All other times are RFC 3339, and numbers
// have their unit in the name.
package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// List is a list that comes whole.
type List[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

// Login is a sign-in with a password.
type Login struct {
	Username string `json:"username" doc:"Name of the account" example:"admin"`
	Password string `json:"password" doc:"Its password"`
	Code     string `json:"code,omitempty" maxLength:"32" doc:"What the authenticator shows now, or a recovery code, where the account has a second factor"`
}

// FirstAdmin makes an administrator by a one-time link.
type FirstAdmin struct {
	Link     string `json:"link" doc:"The part of the one-time link behind the # character"`
	Username string `json:"username" doc:"1 to 64 characters a-z 0-9 . _ @ -" example:"admin"`
	Password string `json:"password" doc:"At least 12 characters"`
}

// Session is who is signed in.
type Session struct {
	// Token is the session's secret, given at sign-in only; it serves as a bearer token.
	Token string `json:"token,omitempty" doc:"Bearer token of the session; only at sign-in, and only where no cookie was asked for"`
	Name  string `json:"name"`
	Kind  string `json:"kind" enum:"user,token,link,system"`
	Admin bool   `json:"admin"`
	// Account that a token belongs to; the name itself for a user.
	Account      string `json:"account,omitempty"`
	BreakGlass   bool   `json:"break_glass,omitempty" doc:"It is the account of last resort: what it does is marked in the audit trail"`
	SecondFactor bool   `json:"second_factor,omitempty" doc:"The account has one"`
	SetupNeeded  bool   `json:"setup_needed,omitempty" doc:"The account needs a second factor: all that it can do is set one up"`
	// Operations are those that the caller may do on anything at all.
	Operations []string `json:"operations" nullable:"false" doc:"What the caller may do on anything at all; of what is about the whole hub, only what they may do there"`
	// Expires is given at sign-in.
	Expires time.Time `json:"expires,omitzero"`
	// Hub says what the caller speaks to.
	Hub Hub `json:"hub"`
}

// CurrentSession is a session, where there is one.
type CurrentSession struct {
	Session *Session `json:"session,omitempty" doc:"Absent: nobody is signed in"`
}

// Hub is the hub itself.
type Hub struct {
	Version string `json:"version"`
	// URL and MQTTURL are where devices reach it, as edge keys say.
	URL         string `json:"url"`
	MQTTURL     string `json:"mqtt_url,omitempty"`
	Fingerprint string `json:"fingerprint" doc:"SHA-256 of the certificate that browsers and the CLI see"`
}

// NewToken asks for an API token.
type NewToken struct {
	Name    string    `json:"name" minLength:"1" maxLength:"128" example:"ci"`
	Expires time.Time `json:"expires,omitzero" doc:"When it stops to work; absent: never"`
	Role    string    `json:"role,omitempty" doc:"It may at most what this role may, and never more than its owner; absent: what its owner may"`
	Groups  []string  `json:"groups,omitempty" maxItems:"64" doc:"It is for these groups and what is below; absent: wherever its owner may something"`
}

// Token is an API token.
type Token struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Owner string `json:"owner" doc:"Account whose rights it has"`
	// Secret is given once, when the token is made.
	Secret   string    `json:"secret,omitempty" doc:"Given once, when the token is made"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero" doc:"Absent: never"`
	LastUsed time.Time `json:"last_used,omitzero" doc:"Absent: never"`
	Role     string    `json:"role,omitempty"`
	Groups   []string  `json:"groups,omitempty"`
}

// Rule names the devices that come in without a person: each list that is given must have a match. The empty rule
// lets everybody in who has the edge key.
type Rule struct {
	Serials   []string `json:"serials,omitempty" doc:"Patterns with * and ?"`
	Hostnames []string `json:"hostnames,omitempty" doc:"Patterns with * and ?"`
	Networks  []string `json:"networks,omitempty" doc:"Addresses or prefixes such as 192.0.2.0/24"`
}

// NewKey asks for an enrolment key.
type NewKey struct {
	Name        string            `json:"name" minLength:"1" maxLength:"128" example:"plant-oslo"`
	Uses        uint32            `json:"uses,omitempty" doc:"How many devices may join; 0: any number"`
	Expires     time.Time         `json:"expires,omitzero" doc:"No new device comes after it; absent: never"`
	AutoApprove *Rule             `json:"auto_approve,omitempty" doc:"Devices that come in without a person; absent: each is approved by hand"`
	Group       string            `json:"group,omitempty" doc:"Group of the devices; it is made when it does not exist" example:"norway/oslo"`
	Labels      map[string]string `json:"labels,omitempty" doc:"Given to each device"`
	MaxWaiting  uint32            `json:"max_waiting,omitempty" doc:"How many may wait at once; 0: 100"`
	DeviceName  string            `json:"device_name,omitempty" maxLength:"128" doc:"Makes the key good for one device of that name"`
}

// Key is an enrolment key.
type Key struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Uses         uint32            `json:"uses" doc:"0: any number"`
	Used         uint32            `json:"used"`
	Expires      time.Time         `json:"expires,omitzero"`
	AutoApprove  *Rule             `json:"auto_approve,omitempty"`
	Group        string            `json:"group,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	MaxWaiting   uint32            `json:"max_waiting"`
	SingleDevice bool              `json:"single_device,omitempty"`
	DeviceName   string            `json:"device_name,omitempty"`
	Created      time.Time         `json:"created"`
	CreatedBy    string            `json:"created_by,omitempty"`
	Unusable     string            `json:"unusable,omitempty" doc:"Why no device can join by it although it has uses left and has not expired; absent: it can be used"`
	// EdgeKey, RunCommand and RunCommands are given once, when the key is made.
	EdgeKey     string       `json:"edge_key,omitempty" doc:"What the device is given; shown once, when the key is made"`
	RunCommand  string       `json:"run_command,omitempty" doc:"Starts the agent on a device; with the edge key"`
	RunCommands *RunCommands `json:"run_commands,omitempty" doc:"Shell commands, with the edge key, that install the agent on a device; given once, when the key is made"`
}

// RunCommands install and start an agent on a device. They are shell commands of several lines, for root.
type RunCommands struct {
	Container string `json:"container" doc:"In a container of the device's Docker Engine"`
	Service   string `json:"service" doc:"As a systemd service; farshore-agent and farshore-composer have to be in /usr/local/bin"`
}

// Waiting is a device in the waiting room.
type Waiting struct {
	ID          protocol.DeviceID `json:"id"`
	PairingCode string            `json:"pairing_code" doc:"Compare it with the display of the device"`
	State       string            `json:"state" enum:"waiting,rejected,blocked"`
	Key         string            `json:"key" doc:"Id of the enrolment key it knocked with"`
	Facts       protocol.Facts    `json:"facts" doc:"What the device says of itself: claims"`
	Wishes      map[string]string `json:"wishes,omitempty" doc:"Labels it asks for"`
	FirstKnock  time.Time         `json:"first_knock"`
	LastKnock   time.Time         `json:"last_knock"`
	Knocks      uint64            `json:"knocks"`
	Remote      string            `json:"remote,omitempty" doc:"Address it knocked from"`
	Marks       []string          `json:"marks,omitempty" doc:"Reasons to look twice, such as a revoked device with the same serial number"`
	Notes       []string          `json:"notes,omitempty"`
	Decided     time.Time         `json:"decided,omitzero"`
	DecidedBy   string            `json:"decided_by,omitempty"`
}

// Approve lets devices in.
type Approve struct {
	Approvals []Approval `json:"approvals" minItems:"1" maxItems:"1000" nullable:"false"`
}

// Approval is a yes to one device.
type Approval struct {
	ID      protocol.DeviceID `json:"id,omitempty" doc:"Absent: the device with the pairing code"`
	Code    string            `json:"code,omitempty" doc:"Pairing code as read off the device: the approval is then confirmed"`
	Name    string            `json:"name,omitempty" maxLength:"128" doc:"Absent: that of the key, or the host name"`
	Group   string            `json:"group,omitempty" doc:"Absent: that of the key"`
	Profile string            `json:"profile,omitempty"`
	Labels  map[string]string `json:"labels,omitempty" doc:"Beside those of the key"`
}

// Reject says no to devices.
type Reject struct {
	IDs []protocol.DeviceID `json:"ids" minItems:"1" maxItems:"1000" nullable:"false"`
	// Block says no for good.
	Block bool `json:"block,omitempty" doc:"For good: further knocks are not shown"`
	// Undo takes an earlier no back.
	Undo bool `json:"undo,omitempty" doc:"Take an earlier no back: the devices wait again"`
}

// Outcome is what became of one of many.
type Outcome struct {
	ID   protocol.DeviceID `json:"id"`
	Name string            `json:"name,omitempty"`
	// Error says why it did not work. Empty: it did.
	Error string `json:"error,omitempty"`
}

// Group is a node of the device tree.
type Group struct {
	Path     string            `json:"path" doc:"Empty: the root, which holds all devices" example:"norway/oslo"`
	Labels   map[string]string `json:"labels,omitempty" doc:"Given to all devices below"`
	Settings Settings          `json:"settings,omitzero"`
	Profile  string            `json:"profile,omitempty"`
	// Devices is how many are in the group itself, not below it.
	Devices      int            `json:"devices" readOnly:"true"`
	DevicesBelow int            `json:"devices_below" readOnly:"true" doc:"Devices in the group and below it"`
	States       map[string]int `json:"states" readOnly:"true" doc:"Devices in the group and below it by liveness"`
	Etag         string         `json:"etag" readOnly:"true" doc:"Changes with what can be edited: give it as If-Match"`
}

// PutGroup makes a group or replaces what it says.
type PutGroup struct {
	Path     string            `json:"path" doc:"Empty: the root" example:"norway/oslo"`
	Labels   map[string]string `json:"labels,omitempty"`
	Settings Settings          `json:"settings,omitzero"`
	Profile  string            `json:"profile,omitempty"`
}

// Settings say how often a device makes contact, and how. What is absent is inherited.
type Settings struct {
	Ping                   protocol.Frequency   `json:"ping,omitempty" doc:"Such as 60s, 5m or off" example:"5m"`
	Snapshot               protocol.Frequency   `json:"snapshot,omitempty" doc:"Such as 5m, push (when something changed) or off" example:"push"`
	Command                protocol.Frequency   `json:"command,omitempty" doc:"Such as 1m, push (at once) or off" example:"push"`
	ChunkBytes             uint32               `json:"chunk_bytes,omitempty" doc:"Most bytes of file data in one message"`
	ConnectTimeoutSeconds  uint32               `json:"connect_timeout_seconds,omitempty"`
	ExchangeTimeoutSeconds uint32               `json:"exchange_timeout_seconds,omitempty"`
	KeyExchange            protocol.KeyExchange `json:"key_exchange,omitempty" doc:"hybrid or classic"`
}

// EffectiveSettings are the settings that hold for a device.
type EffectiveSettings struct {
	Settings Settings `json:"settings" doc:"All set"`
	Profile  string   `json:"profile,omitempty"`
	Link     *Link    `json:"link,omitempty" doc:"Of the link profile; absent: it has no rules of the link"`
	Tariff   *Tariff  `json:"tariff,omitempty" doc:"Of the link profile; absent: it is not known"`
	// From says for each field where it comes from.
	From map[string]string `json:"from" doc:"For each field: device, group norway, profile satellite (group norway), or hub default"`
}

// Event is one thing that happened.
type Event struct {
	ID     uint64            `json:"id"`
	At     time.Time         `json:"at"`
	Kind   string            `json:"kind" doc:"A stable word such as device.liveness or stack.failed; gap: events before this one are not kept any more"`
	Device protocol.DeviceID `json:"device,omitempty"`
	Group  string            `json:"group,omitempty"`
	Stack  string            `json:"stack,omitempty"`
	Text   string            `json:"text,omitempty"`
	Data   any               `json:"data,omitempty"`
}
