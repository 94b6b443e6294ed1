package protocol

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Frame is the unit that a carrier is handed. In both directions it looks the same.
//
// Frames of one session are numbered from 1 in each direction. A receiver processes them in order and exactly once:
// a number it has processed is dropped and acknowledged again, a number beyond the next is dropped without being
// acknowledged, so that the sender repeats from the gap. See package protocol/window.
type Frame struct {
	// Session is the number the agent chose in its latest Hello; frames of an earlier session are dropped.
	Session uint64 `cbor:"1,keyasint,omitempty"`
	// Seq is the number of this frame. Absent (0): the frame is not numbered, carries at most an Error message,
	// and is not acknowledged.
	Seq uint64 `cbor:"2,keyasint,omitempty"`
	// Ack is the highest frame number processed, and made durable where that matters, from the other side.
	Ack uint64 `cbor:"3,keyasint,omitempty"`
	// Messages are processed in order. Empty is legal: a frame that only acknowledges.
	Messages []Message `cbor:"4,keyasint,omitempty"`
	// Repeat asks the other side to send again everything after Ack: a frame was missing. Absent: nothing is missing.
	Repeat bool `cbor:"5,keyasint,omitempty"`
}

// Message is one typed item in a frame: a CBOR array of kind and body.
type Message struct {
	_    struct{} `cbor:",toarray"`
	Kind Kind
	Body cbor.RawMessage
}

// NewMessage encodes body as a message of the given kind.
func NewMessage(kind Kind, body any) (Message, error) {
	b, err := Marshal(body)
	if err != nil {
		return Message{}, fmt.Errorf("encode %s: %w", kind, err)
	}
	return Message{Kind: kind, Body: b}, nil
}

// Decode reads the body into v. Errors name the kind and wrap ErrMalformed.
func (m Message) Decode(v any) error {
	if err := Unmarshal(m.Body, v); err != nil {
		return fmt.Errorf("message %s: %w", m.Kind, err)
	}
	return nil
}

// Kind tells what a message is. Numbers are never used again for something else. Numbers up to 23 take one byte.
type Kind uint

// Kinds that go up, from agent to hub.
const (
	KindHello     Kind = 1  // Hello
	KindSnapshot  Kind = 2  // SnapshotUpdate
	KindStatus    Kind = 3  // StackStatus
	KindResult    Kind = 4  // CommandResult
	KindOutput    Kind = 5  // Output
	KindEvent     Kind = 6  // DeviceEvent
	KindWant      Kind = 7  // Want
	KindOverdue   Kind = 8  // Overdue
	KindUsage     Kind = 9  // Usage
	KindJobRun    Kind = 10 // JobRun
	KindJobOutput Kind = 11 // JobOutput
	KindTunnel    Kind = 12 // TunnelRefusal
)

// Kinds that go down, from hub to agent.
const (
	KindWelcome    Kind = 16 // Welcome
	KindOrders     Kind = 17 // Orders
	KindChunk      Kind = 18 // BlobChunk
	KindFullWanted Kind = 19 // empty map: send the whole snapshot
)

// KindError goes both ways.
const KindError Kind = 23 // Error

// String names the kind as in docs/protocol.md; unknown ones as "kind 99".
func (k Kind) String() string {
	switch k {
	case KindHello:
		return "hello"
	case KindSnapshot:
		return "snapshot"
	case KindStatus:
		return "status"
	case KindResult:
		return "result"
	case KindOutput:
		return "output"
	case KindEvent:
		return "event"
	case KindWant:
		return "want"
	case KindOverdue:
		return "overdue"
	case KindUsage:
		return "usage"
	case KindJobRun:
		return "job-run"
	case KindJobOutput:
		return "job-output"
	case KindTunnel:
		return "tunnel"
	case KindWelcome:
		return "welcome"
	case KindOrders:
		return "orders"
	case KindChunk:
		return "chunk"
	case KindFullWanted:
		return "full-wanted"
	case KindError:
		return "error"
	}
	return fmt.Sprintf("kind %d", uint(k))
}

// Class is what bytes are spent on. Every connection and every queued item carries one, so that each byte can be
// accounted for.
type Class uint8

// The classes, in the order in which a full link serves them (lower first), except ClassSession, ClassTunnel,
// ClassPull and ClassOther, which are never queued.
const (
	ClassSession  Class = iota // connecting, pings, hello, welcome, acknowledgements, usage
	ClassResults               // command results, stack status, job runs, events
	ClassDesired               // orders: desired state, settings, commands
	ClassSnapshot              // snapshots
	ClassBlob                  // bundle files, scripts
	ClassOutput                // job output and logs
	ClassTunnel                // live work through the tunnel
	ClassPull                  // image layers
	ClassOther                 // knocks, names that were looked up
)

// Classes is how many classes there are.
const Classes = int(ClassOther) + 1

// String names the class as metrics and the API do.
func (c Class) String() string {
	names := [...]string{"session", "results", "desired", "snapshot", "blob", "output", "tunnel", "pull", "other"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("class-%d", uint8(c))
}

// Class tells what the bytes of a message of this kind are spent on.
func (k Kind) Class() Class {
	switch k {
	case KindStatus, KindResult, KindEvent, KindJobRun, KindTunnel:
		return ClassResults
	case KindOrders:
		return ClassDesired
	case KindSnapshot, KindFullWanted, KindOverdue:
		return ClassSnapshot
	case KindWant, KindChunk:
		return ClassBlob
	case KindOutput, KindJobOutput:
		return ClassOutput
	}
	return ClassSession
}

// ClassOf is the class that most of the messages' bytes belong to; ClassSession for none.
func ClassOf(messages []Message) (most Class) {
	var bytes [Classes]int
	for _, m := range messages {
		bytes[m.Kind.Class()] += len(m.Body)
	}
	for c, n := range bytes {
		if n > bytes[most] {
			most = Class(c)
		}
	}
	return most
}
