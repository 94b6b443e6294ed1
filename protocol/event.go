package protocol

// DeviceEvent is something worth telling that happened on a device.
type DeviceEvent struct {
	// ID grows with each event of the device, through restarts; the hub stores an id once.
	ID uint64 `cbor:"1,keyasint"`
	// Kind is a stable word: engine-absent, engine-back, output-dropped, disk-full, order-refused, carrier-changed …
	Kind string `cbor:"2,keyasint"`
	// Text is a sentence for people, at most MaxText bytes.
	Text string `cbor:"3,keyasint,omitempty"`
	// At is Unix seconds by the device's best time.
	At int64 `cbor:"4,keyasint,omitempty"`
}

// Overdue says that the device's last complete capture is older than it should be: until the next snapshot or an
// Overdue with Since 0, a contact does not vouch for the state.
type Overdue struct {
	// Since is when the last complete capture was, Unix seconds; 0: captures are on time again.
	Since int64 `cbor:"1,keyasint,omitempty"`
	// Reason is a sentence for people.
	Reason string `cbor:"2,keyasint,omitempty"`
}

// SnapshotUpdate reports a device's state: whole, or as a patch against the last acknowledged one.
type SnapshotUpdate struct {
	// Full is the canonical encoding (see package snapshot). Absent: Patch is given.
	Full []byte `cbor:"1,keyasint,omitempty"`
	// Patch is zstd with the canonical encoding of the base as raw dictionary; its dictionary id is made of the
	// base's hash.
	Patch []byte `cbor:"2,keyasint,omitempty"`
	// Hash is the short hash of the canonical encoding that results.
	Hash ShortHash `cbor:"3,keyasint"`
	// At is when the capture was complete, Unix seconds by the device's best time. Absent: when it was received.
	At int64 `cbor:"4,keyasint,omitempty"`
}
