package resource

import "time"

// TimelinePage is a part of what happened to a device.
type TimelinePage struct {
	Items []TimelineEntry `json:"items" nullable:"false"`
	// Next is the cursor of the next page, which is older.
	Next string `json:"next,omitempty" doc:"Give it as before for the next, older page; absent: this is the last"`
}

// TimelineEntry is one thing that happened to a device, or several of a kind in a row.
type TimelineEntry struct {
	At   time.Time `json:"at" doc:"When; of several of a kind in a row, the last"`
	Kind string    `json:"kind" enum:"contact,liveness,approval,change,stack,job,command,identity,told,usage,left-out" doc:"contact: it connected or went; job: one began to fail, or to work again; told: the device's own words; identity: reasons to look twice; left-out: so much happened that some was not kept"`
	Text string    `json:"text" doc:"A sentence for people; text that a device sent is in it as it came"`
	By   string    `json:"by,omitempty" doc:"Who did it; absent: the device, or the hub"`
	// Data is more for programs.
	Data *TimelineData `json:"data,omitempty"`
}

// TimelineData is more of an entry for programs. What does not belong to the kind is absent.
type TimelineData struct {
	Carrier   string    `json:"carrier,omitempty" doc:"contact: mqtt or https"`
	Count     int       `json:"count,omitempty" doc:"contact: how often it connected; left-out: how many entries"`
	From      time.Time `json:"from,omitzero" doc:"contact, left-out: the first"`
	Connected bool      `json:"connected,omitempty" doc:"contact: it is connected by it since then"`
	State     string    `json:"state,omitempty" doc:"liveness, stack, job, command: the state it came to"`
	Was       string    `json:"was,omitempty" doc:"liveness: the state before"`
	Stack     string    `json:"stack,omitempty" doc:"stack: its name"`
	Job       string    `json:"job,omitempty" doc:"job: its name"`
	Version   uint64    `json:"version,omitempty" doc:"stack, job: its version"`
	Command   string    `json:"command,omitempty" doc:"command: its id"`
}
