package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// DevicePage is a part of the devices asked for.
type DevicePage struct {
	Items []Device `json:"items" nullable:"false"`
	// Total is how many fit, on all pages; States counts them by liveness.
	Total  int            `json:"total"`
	States map[string]int `json:"states" doc:"Devices by liveness, on all pages"`
	// Next is the cursor of the next page.
	Next string `json:"next,omitempty" doc:"Give it as cursor for the next page; absent: this is the last"`
}

// Device is a device as a list shows it.
type Device struct {
	ID     protocol.DeviceID `json:"id"`
	Name   string            `json:"name"`
	Group  string            `json:"group"`
	Labels map[string]string `json:"labels" doc:"All that apply: inherited, own, and facts below farshore.io/"`
	Mode   protocol.Mode     `json:"mode" doc:"async or standard"`
	// Carrier of the last contact.
	Carrier    protocol.Carrier `json:"carrier,omitempty" doc:"mqtt or https; absent: no contact yet"`
	Liveness   Liveness         `json:"liveness"`
	Stacks     StackCounts      `json:"stacks"`
	Containers *ContainerCounts `json:"containers,omitempty" doc:"Absent: no snapshot yet"`
	Version    string           `json:"version,omitempty" doc:"Of the agent"`
	Confirmed  bool             `json:"confirmed" doc:"The approver had the pairing code, or the edge key was this device's own"`
	Profile    string           `json:"profile,omitempty" doc:"The device's own link profile; absent: inherited"`
	Data       *DeviceData      `json:"data,omitempty" doc:"What it spends on its link; absent: nothing is known yet"`
	Position   *Position        `json:"position,omitempty" doc:"From the labels farshore.io/lat and farshore.io/lon; absent: it has not both"`
	FoundIn    []FoundIn        `json:"found_in,omitempty" nullable:"false" maxItems:"3" doc:"Where q was found, if not in the name alone; only where q is given"`
}

// DeviceDetail is all that is known of a device but its snapshot.
type DeviceDetail struct {
	Device
	OwnLabels     map[string]string `json:"own_labels,omitempty" doc:"Given to this very device"`
	Wishes        map[string]string `json:"wishes,omitempty" doc:"Labels the device asked for: claims"`
	Facts         protocol.Facts    `json:"facts" doc:"What it said when it knocked: claims"`
	OwnSettings   Settings          `json:"own_settings,omitzero"`
	Effective     EffectiveSettings `json:"effective"`
	Lift          *Lift             `json:"lift,omitempty" doc:"What was added to the caps of the present billing cycle; absent: nothing"`
	StackStates   []DeviceStack     `json:"stack_states" nullable:"false"`
	OpenCommands  int               `json:"open_commands"`
	Capability    uint              `json:"capability,omitempty"`
	ClockOffsetMS int64             `json:"clock_offset_ms,omitempty" doc:"How far its wall clock was ahead of the hub's at its last hello; the device goes by the hub's time"`
	EnrolmentKey  string            `json:"enrolment_key,omitempty"`
	ApprovedBy    string            `json:"approved_by,omitempty"`
	Approved      time.Time         `json:"approved,omitzero"`
	Created       time.Time         `json:"created"`
	Revoked       time.Time         `json:"revoked,omitzero"`
	Replaces      protocol.DeviceID `json:"replaces,omitempty"`
	ReplacedBy    protocol.DeviceID `json:"replaced_by,omitempty"`
	Etag          string            `json:"etag" doc:"Changes with what can be edited: give it as If-Match"`
}

// Liveness is how a device is heard of.
type Liveness struct {
	State       string    `json:"state" enum:"on-time,late,overdue,quiet,never-seen,revoked"`
	Since       time.Time `json:"since"`
	LastContact time.Time `json:"last_contact,omitzero"`
	NextContact time.Time `json:"next_contact,omitzero" doc:"When the hub expects the next one; absent: it expects none"`
	Connected   bool      `json:"connected"`
	Reason      string    `json:"reason,omitempty" doc:"Why the device is in this state, what is expected of it and by which setting: a sentence or two for people"`
}

// StackCounts counts a device's stacks.
type StackCounts struct {
	All    int `json:"all"`
	OK     int `json:"ok" doc:"Running as wanted"`
	Failed int `json:"failed" doc:"Failed or degraded"`
}

// ContainerCounts counts a device's containers.
type ContainerCounts struct {
	All     int `json:"all"`
	Running int `json:"running"`
}

// DevicePatch changes a device. What is absent stays.
type DevicePatch struct {
	Name  *string `json:"name,omitempty" minLength:"1" maxLength:"128"`
	Group *string `json:"group,omitempty" doc:"It is made when it does not exist; empty: the root"`
	// Labels are merged: a null removes the label.
	Labels map[string]*string `json:"labels,omitempty" doc:"Merged with the device's own; null removes one"`
	// Settings are merged: an empty text or 0 lets the field be inherited.
	Settings *SettingsPatch `json:"settings,omitempty"`
	Profile  *string        `json:"profile,omitempty" doc:"Name of a link profile; empty: inherited"`
	Confirm  *bool          `json:"confirmed,omitempty" doc:"Note that the identity of the device was checked: from then on it is given secrets"`
	// PairingCode, where it is the device's, confirms it.
	PairingCode *string `json:"pairing_code,omitempty" maxLength:"40" doc:"As the device shows it: it is confirmed, if the code is its own"`
}

// SettingsPatch changes settings. What is absent stays; an empty text or 0 lets the field be inherited.
type SettingsPatch struct {
	Ping                   *protocol.Frequency   `json:"ping,omitempty"`
	Snapshot               *protocol.Frequency   `json:"snapshot,omitempty"`
	Command                *protocol.Frequency   `json:"command,omitempty"`
	ChunkBytes             *uint32               `json:"chunk_bytes,omitempty"`
	ConnectTimeoutSeconds  *uint32               `json:"connect_timeout_seconds,omitempty"`
	ExchangeTimeoutSeconds *uint32               `json:"exchange_timeout_seconds,omitempty"`
	KeyExchange            *protocol.KeyExchange `json:"key_exchange,omitempty"`
}

// Replace gives a device's place to another.
type Replace struct {
	By string `json:"by" doc:"Id or name of the approved device that takes over name, group, labels, settings and profile"`
}

// Snapshot is a device's observed state.
type Snapshot struct {
	Device protocol.DeviceID `json:"device"`
	// At is when the device captured it, and AsOf until when it is known to hold.
	At   time.Time          `json:"at" doc:"When the device was first seen in this state"`
	AsOf time.Time          `json:"as_of" doc:"Until when it is known to have been in this state: a contact vouches for the capture before it"`
	Hash protocol.ShortHash `json:"hash"`
	// OverdueSince is set where the device says that it cannot capture a newer one.
	OverdueSince  time.Time `json:"overdue_since,omitzero" doc:"The device has not been able to look at itself since then"`
	OverdueReason string    `json:"overdue_reason,omitempty"`
	// Snapshot as the device sent it.
	Snapshot protocol.Snapshot `json:"snapshot" doc:"As the device sent it; times in it are Unix seconds, sizes are bytes"`
}

// SnapshotTimes are the times at which a device's state is known.
type SnapshotTimes struct {
	Times []time.Time `json:"times" nullable:"false" doc:"Oldest first"`
}
