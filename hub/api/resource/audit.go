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
