package commands

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// Record is a command and what became of it. It is the stored record.
type Record struct {
	// Command as the device gets it.
	protocol.Command `cbor:"1,keyasint"`
	// Device that it is for.
	Device protocol.DeviceID `cbor:"2,keyasint" json:"device"`
	// By is who gave it.
	By string `cbor:"3,keyasint" json:"by"`
	// Given is when, Unix seconds of the hub.
	Given int64 `cbor:"4,keyasint" json:"given"`
	// State it is in, as far as the hub knows.
	State protocol.CommandState `cbor:"5,keyasint" json:"state"`
	// Result is the device's word, or the hub's where HubsWord is set. State 0: none yet.
	Result protocol.CommandResult `cbor:"6,keyasint" json:"result,omitzero"`
	// HubsWord: the hub ended it (expired, withdrawn, device gone) without word from the device. A later word from
	// the device goes before it.
	HubsWord bool `cbor:"7,keyasint,omitempty" json:"hubs_word,omitempty"`
	// SentAt is when the device took it, Unix seconds of the hub. 0: it has not, as far as the hub knows.
	SentAt int64 `cbor:"8,keyasint,omitempty" json:"sent,omitempty"`
	// Repealed: an operator withdrew it after it was sent; the device is asked not to start it.
	Repealed bool `cbor:"9,keyasint,omitempty" json:"repealed,omitempty"`
	// RepealedBy is who withdrew it.
	RepealedBy string `cbor:"10,keyasint,omitempty" json:"repealed_by,omitempty"`
	// OutputEnd is up to which byte of the output pieces have come.
	OutputEnd uint64 `cbor:"11,keyasint,omitempty" json:"output_end,omitempty"`
	// OutputLost: pieces of the output were dropped on the way.
	OutputLost bool `cbor:"12,keyasint,omitempty" json:"output_lost,omitempty"`
	// Ended is when the hub learned of the end, Unix seconds of the hub. 0: it is open.
	Ended int64 `cbor:"13,keyasint,omitempty" json:"ended,omitempty"`
	// Owner says whose its target was when it was given. The zero value: administrators'.
	Owner protocol.Owner `cbor:"14,keyasint,omitzero" json:"owner,omitzero"`
}

// Spec is what an operator asks for.
type Spec struct {
	Device protocol.DeviceID
	// Command without ID and NotAfter.
	Command protocol.Command
	// By is who asks, and Owner whose the target is.
	By    string
	Owner protocol.Owner
	// TTL is how long from now it may still start. 0: DefaultTTL. At least 1 s, at most MaxTTL.
	TTL time.Duration
}

// Filter chooses records. Zero fields choose all.
type Filter struct {
	Device protocol.DeviceID
	State  protocol.CommandState
	// Only keeps the records that it is true for; it does not wait for anything. Nil: all.
	Only func(*Record) bool
	// Limit is the most records; the latest come first. 0: 100.
	Limit int
}

// DefaultLimit is Filter.Limit where it is 0.
const DefaultLimit = 100

// Piece is one piece of a command's output.
type Piece struct {
	Offset uint64
	Data   []byte
}

// Store keeps records. One method is one transaction.
type Store interface {
	// OpenCommands returns all records whose state is not final.
	OpenCommands() ([]Record, error)
	// PutCommand stores a new or changed record. When it is final, the oldest final records of its device beyond keep
	// are dropped with their output.
	PutCommand(r Record, keep int) error
	// AddCommandOutput stores the record and a piece of its output. A record that is not there is an error.
	AddCommandOutput(r Record, p Piece) error
	// Command returns one record; the error wraps ErrNotFound where there is none.
	Command(id protocol.CommandID) (Record, error)
	// Commands returns records, latest first.
	Commands(f Filter) ([]Record, error)
	// CommandOutput returns the pieces of a command's output by offset.
	CommandOutput(id protocol.CommandID) ([]Piece, error)
}
