package resource

import "time"

// Audit is one entry of the audit trail.
type Audit struct {
	Seq        uint64    `json:"seq" doc:"Entries are counted, without gaps"`
	At         time.Time `json:"at"`
	Principal  string    `json:"principal"`
	BreakGlass bool      `json:"break_glass,omitempty" doc:"It was done with the break-glass account"`
	Remote     string    `json:"remote,omitempty"`
	Operation  string    `json:"operation"`
	Resource   string    `json:"resource,omitempty"`
	Group      string    `json:"group,omitempty" doc:"Of what it was done to"`
	Result     string    `json:"result" enum:"done,refused,failed"`
	Detail     string    `json:"detail,omitempty"`
	Hash       string    `json:"hash" doc:"SHA-256 that ties it to the entry before it"`
}

// AuditPage is a part of the audit trail, the latest first.
type AuditPage struct {
	Items  []Audit   `json:"items" nullable:"false"`
	Next   string    `json:"next,omitempty" doc:"Give it as before, for the next page; absent: there is none"`
	Looked int       `json:"looked" doc:"How many entries were read for this page"`
	Until  time.Time `json:"until,omitzero" doc:"The time of the last entry that was read"`
}

// AuditReport says whether the audit trail holds.
type AuditReport struct {
	Holds   bool          `json:"holds"`
	Text    string        `json:"text" doc:"The answer in a sentence"`
	Entries uint64        `json:"entries"`
	First   AuditMark     `json:"first"`
	Last    AuditMark     `json:"last"`
	Signed  uint64        `json:"signed" doc:"The last entry that a signature of the hub key vouches for"`
	Torn    int           `json:"torn" doc:"Places where the hub or its disk stopped within a line; they are no damage"`
	Problem *AuditProblem `json:"problem,omitempty" doc:"The first place that does not hold"`
}

// AuditMark is an entry by its number and time.
type AuditMark struct {
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at,omitzero"`
}

// AuditProblem is a place of the audit trail that does not hold.
type AuditProblem struct {
	Seq  uint64 `json:"seq" doc:"The number of the entry at or after which it is"`
	File string `json:"file"`
	Line int    `json:"line,omitempty" doc:"From 1; absent: the file as a whole"`
	Text string `json:"text"`
}

// AuditSettings say how much of the audit trail is kept, and how much there is.
type AuditSettings struct {
	Days      int       `json:"days"`
	Megabytes int       `json:"megabytes"`
	Etag      string    `json:"etag" doc:"Give it as If-Match"`
	HubKey    string    `json:"hub_key" doc:"The public key that signs the trail: write it down elsewhere, to verify exports by it"`
	First     uint64    `json:"first" doc:"Number of the oldest entry that is kept"`
	Last      uint64    `json:"last" doc:"Number of the latest entry"`
	Since     time.Time `json:"since,omitzero" doc:"When the oldest file was begun"`
	Bytes     uint64    `json:"bytes" doc:"Size of all files"`
}

// PutAuditSettings says how much of the audit trail is kept.
type PutAuditSettings struct {
	Days      int `json:"days" minimum:"7" maximum:"36500" doc:"Keep entries so long" example:"400"`
	Megabytes int `json:"megabytes" minimum:"64" maximum:"10000000" doc:"Keep at most so much" example:"1024"`
}

// AuditDestination is where the audit trail is forwarded to, and how that stands.
type AuditDestination struct {
	Name       string `json:"name"`
	Kind       string `json:"kind" enum:"syslog,webhook"`
	URL        string `json:"url"`
	ServerName string `json:"server_name,omitempty"`
	CA         string `json:"ca,omitempty"`
	Pin        string `json:"pin,omitempty"`
	Header     string `json:"header,omitempty"`
	HasSecret  bool   `json:"has_secret,omitempty" doc:"There is a secret; it is never given back"`
	// Sent is the last entry that was sent; Arrived the last that has surely arrived, from which on it goes on after a
	// broken connection.
	Sent         uint64    `json:"sent" doc:"Number of the last entry that was sent"`
	SentAt       time.Time `json:"sent_at,omitzero"`
	Arrived      uint64    `json:"arrived" doc:"Number of the last entry that has surely arrived"`
	Backlog      uint64    `json:"backlog" doc:"How many entries are still to be sent"`
	Lost         uint64    `json:"lost,omitempty" doc:"How many were removed from the trail before they could be sent"`
	Problem      string    `json:"problem,omitempty" doc:"Why it does not work now"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	Etag         string    `json:"etag" doc:"Give it as If-Match"`
}

// PutAuditDestination forwards the audit trail to a receiver.
type PutAuditDestination struct {
	URL        string  `json:"url" doc:"tls://HOST:PORT or tcp://HOST:PORT for syslog, https://HOST/PATH for a webhook" example:"tls://log.example.com:6514"`
	ServerName string  `json:"server_name,omitempty" doc:"Expected in the receiver's certificate, in place of the host"`
	CA         string  `json:"ca,omitempty" maxLength:"100000" doc:"PEM of the authority, in place of the system's"`
	Pin        string  `json:"pin,omitempty" doc:"SHA256:… of the only certificate that is accepted, in place of an authority"`
	Header     string  `json:"header,omitempty" doc:"Webhook: the header that the secret is sent in, such as Authorization; absent: the secret signs"`
	Secret     *string `json:"secret,omitempty" maxLength:"4096" doc:"Webhook: write-only; absent: the one there is stays, for the same URL"`
	FromNow    bool    `json:"from_now,omitempty" doc:"A new one begins with what comes; else with all that is kept"`
}

// AuditTest is how a test of a destination went.
type AuditTest struct {
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}
