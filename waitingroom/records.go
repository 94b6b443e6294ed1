package waitingroom

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
)

// DefaultMaxWaiting is how many devices may wait for one enrolment key.
const DefaultMaxWaiting = 100

// EnrolmentKey is the hub-side record behind edge keys. It is stored as it is, but for Unusable.
type EnrolmentKey struct {
	ID string `cbor:"1,keyasint" json:"id"`
	// Name for people.
	Name string `cbor:"2,keyasint" json:"name"`
	// SecretSealed is the secret of the edge keys, sealed by the hub's vault.
	SecretSealed []byte `cbor:"3,keyasint" json:"-"`
	// Uses is how many devices may join by it. 0: any number. Used is how many have.
	Uses uint32 `cbor:"4,keyasint,omitempty" json:"uses"`
	Used uint32 `cbor:"5,keyasint,omitempty" json:"used"`
	// Expires in Unix seconds: no new device enters the waiting room after it. 0: never.
	Expires int64 `cbor:"6,keyasint,omitempty" json:"expires,omitempty"`
	// AutoApprove is the rule by which devices come in without a person. Absent: each is approved by hand.
	AutoApprove *Rule `cbor:"7,keyasint,omitempty" json:"auto_approve,omitempty"`
	// Group and Labels are given to each device that joins.
	Group  string            `cbor:"8,keyasint,omitempty" json:"group,omitempty"`
	Labels map[string]string `cbor:"9,keyasint,omitempty" json:"labels,omitempty"`
	// MaxWaiting bounds how many devices may wait for this key.
	MaxWaiting uint32 `cbor:"10,keyasint,omitempty" json:"max_waiting"`
	// SingleDevice: the key was made for one device, named DeviceName. Whoever approves it, approves that device.
	SingleDevice bool   `cbor:"11,keyasint,omitempty" json:"single_device,omitempty"`
	DeviceName   string `cbor:"12,keyasint,omitempty" json:"device_name,omitempty"`
	// Created in Unix seconds, by whom.
	Created   int64  `cbor:"13,keyasint,omitempty" json:"created"`
	CreatedBy string `cbor:"14,keyasint,omitempty" json:"created_by,omitempty"`
	// Unusable says why no device can join by it any more since the hub cannot read its secret, and what to do. Empty:
	// it can be read.
	Unusable string `cbor:"-" json:"unusable,omitempty"`
}

// Refusal says why no new device can join by the key at the time now, nil when one can. The error is a *protocol.Error
// that travels to the device as it is.
func (k *EnrolmentKey) Refusal(now time.Time) error {
	switch {
	case k.Expires != 0 && now.Unix() >= k.Expires:
		return &protocol.Error{Code: protocol.CodeKeyExpired, Text: fmt.Sprintf(
			"the enrolment key %q expired on %s: ask for a new edge key", k.Name, time.Unix(k.Expires, 0).UTC().Format("2006-01-02 15:04 UTC"))}
	case k.UsedUp():
		return &protocol.Error{Code: protocol.CodeKeyUsed, Text: fmt.Sprintf(
			"the enrolment key %q has no uses left (%d of %d): ask for a new edge key", k.Name, k.Used, k.Uses)}
	}
	return nil
}

// UsedUp tells whether as many devices joined by the key as may.
func (k *EnrolmentKey) UsedUp() bool { return k.Uses != 0 && k.Used >= k.Uses }

// State is where a device in the waiting room stands.
type State string

// States. Approved devices are no longer in the waiting room.
const (
	// StateWaiting: nobody has decided yet.
	StateWaiting State = "waiting"
	// StateRejected: an operator said no. The device may still be approved.
	StateRejected State = "rejected"
	// StateBlocked: an operator said no for good: its knocks are neither counted nor shown among those that wait.
	StateBlocked State = "blocked"
)

// Waiting is the record of a device that knocked and was not approved. It is stored as it is.
type Waiting struct {
	ID protocol.DeviceID `cbor:"1,keyasint" json:"id"`
	// Key is the device's Ed25519 public key.
	Key         []byte `cbor:"2,keyasint" json:"-"`
	PairingCode string `cbor:"3,keyasint,omitempty" json:"pairing_code"`
	// EnrolmentKey is the id of the enrolment key it knocked with last.
	EnrolmentKey string `cbor:"4,keyasint" json:"enrolment_key"`
	// Facts and Labels (wishes) are claims of the device.
	Facts  protocol.Facts    `cbor:"5,keyasint" json:"facts"`
	Labels map[string]string `cbor:"6,keyasint,omitempty" json:"wishes,omitempty"`
	State  State             `cbor:"7,keyasint" json:"state"`
	// First and Last knock in Unix seconds; Count of them. Last and Count may lag behind after a crash of the hub.
	First int64  `cbor:"8,keyasint" json:"first"`
	Last  int64  `cbor:"9,keyasint" json:"last"`
	Count uint64 `cbor:"10,keyasint" json:"count"`
	// Remote is the address the last knock came from.
	Remote string `cbor:"11,keyasint,omitempty" json:"remote,omitempty"`
	// Marks say what an approver should know, such as that the key was revoked before. A marked device never comes in
	// by rule.
	Marks []string `cbor:"12,keyasint,omitempty" json:"marks,omitempty"`
	// Notes say what is worth knowing but stops no rule, such as that an approved device claims the same serial.
	Notes []string `cbor:"13,keyasint,omitempty" json:"notes,omitempty"`
	// Decided in Unix seconds and By whom, for a device that was rejected or blocked.
	Decided int64  `cbor:"14,keyasint,omitempty" json:"decided,omitempty"`
	By      string `cbor:"15,keyasint,omitempty" json:"decided_by,omitempty"`
	// Charged: a use of the enrolment key was counted for the device's approval, which is being carried out. It stays
	// set only when the hub died in between, and keeps the use from being counted twice.
	Charged bool `cbor:"16,keyasint,omitempty" json:"-"`
}
