package protocol

// SignedKnock is the body of a knock: the encoded Knock and its signature over the connection.
type SignedKnock struct {
	// Knock is an encoded Knock.
	Knock []byte `cbor:"1,keyasint"`
	// Sig is SignConnection with PurposeKnock and Knock as detail.
	Sig []byte `cbor:"2,keyasint"`
}

// Knock asks a hub to be let in. Everything in it but the key is a claim.
type Knock struct {
	// Key is the device's Ed25519 public key, 32 bytes.
	Key []byte `cbor:"1,keyasint"`
	// EnrolmentKey is the id of the enrolment key; Proof shows that its secret is known: HMAC-SHA-256 with the secret
	// over exporter and Key. The secret never travels.
	EnrolmentKey string `cbor:"2,keyasint"`
	Proof        []byte `cbor:"3,keyasint"`
	Facts        Facts  `cbor:"4,keyasint"`
	// Labels the device wishes for. At most MaxLabels.
	Labels map[string]string `cbor:"5,keyasint,omitempty"`
	// Hold asks the hub to hold the answer until something changes, at most WaitingHold.
	Hold bool `cbor:"6,keyasint,omitempty"`
}

// Facts are what a device says of itself. They are claims, and shown as such.
type Facts struct {
	Hostname string `cbor:"1,keyasint,omitempty" json:"hostname,omitempty"`
	OS       string `cbor:"2,keyasint,omitempty" json:"os,omitempty"`
	// Arch as GOARCH, arm with its version.
	Arch string `cbor:"3,keyasint,omitempty" json:"arch,omitempty"`
	// Engine is kind and version, such as "docker 20.10.24". Absent: none found.
	Engine string `cbor:"4,keyasint,omitempty" json:"engine,omitempty"`
	// Serial of the machine or board. Absent: none found.
	Serial string `cbor:"5,keyasint,omitempty" json:"serial,omitempty"`
	// MachineID is the first half of SHA-256 over /etc/machine-id and a constant, in hex: tells machines apart
	// without giving away the id itself.
	MachineID  string `cbor:"6,keyasint,omitempty" json:"machine_id,omitempty"`
	Version    string `cbor:"7,keyasint,omitempty" json:"version,omitempty"`
	Capability uint   `cbor:"8,keyasint,omitempty" json:"capability,omitempty"`
	Mode       Mode   `cbor:"9,keyasint,omitempty" json:"mode,omitempty"`
	// Name the device was given by its edge key. Absent: none.
	Name string `cbor:"10,keyasint,omitempty" json:"name,omitempty"`
}

// KnockState is the answer to a knock.
type KnockState uint8

// Knock states.
const (
	KnockWaiting  KnockState = 1 // known, nobody has decided yet
	KnockApproved KnockState = 2 // connect
	KnockRejected KnockState = 3 // an operator said no; knock again every WaitingKnock
	KnockRefused  KnockState = 4 // not even in the waiting room: Code and Text say why
)

// KnockAnswer is the hub's answer.
type KnockAnswer struct {
	State KnockState `cbor:"1,keyasint"`
	// Code and Text explain KnockRefused and KnockRejected.
	Code Code   `cbor:"2,keyasint,omitempty"`
	Text string `cbor:"3,keyasint,omitempty"`
	// Time is the hub's clock, Unix milliseconds.
	Time int64 `cbor:"4,keyasint,omitempty"`
	// RetryAfter in seconds until the next knock. Absent: WaitingKnock.
	RetryAfter uint32 `cbor:"5,keyasint,omitempty"`
	// PairingCode as the hub has it, for the device to show it alike.
	PairingCode string `cbor:"6,keyasint,omitempty"`
}
