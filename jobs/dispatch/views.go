package dispatch

import (
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// Reason is why a device is not given a job.
type Reason struct {
	Code string `json:"code" doc:"A word for programs, such as agent-too-old, unconfirmed, policy, paused"`
	Text string `json:"text" doc:"A sentence for people, with what to do"`
}

// Counts are numbers of devices by the state of their latest run.
type Counts struct {
	Done    int `json:"done"`
	Failed  int `json:"failed" doc:"Failed, timed out, interrupted or refused"`
	Running int `json:"running"`
	Other   int `json:"other" doc:"Skipped, missed or cancelled"`
	Never   int `json:"never" doc:"No run is known"`
}

// Beat is what became of one due time on all devices.
type Beat struct {
	Due    time.Time `json:"due" doc:"Without jitter"`
	Done   int       `json:"done"`
	Failed int       `json:"failed"`
	Other  int       `json:"other"`
}

// Row is a job in a list.
type Row struct {
	Job jobs.Job
	// Version is the latest one; it is not changed. Env has values, which are not for everybody.
	Version *jobs.Version
	// Words is its schedule in words.
	Words string
	// Next is when it is due, in the hub's view and without jitter. Zero: never by itself.
	Next time.Time
	// Devices it is meant for, and how many of them are not given it.
	Devices, Withheld int
	Last              Counts
	// Strip has the latest due times, latest last.
	Strip []Beat
}

// View is a job with all there is to say of it.
type View struct {
	Row
	// Script's bytes.
	Script []byte
	// Upcoming are the next five times, in the hub's view and without jitter.
	Upcoming []time.Time
}

// Mark is one run in a strip.
type Mark struct {
	Run   uint64            `json:"run"`
	Due   time.Time         `json:"due"`
	State protocol.JobState `json:"state"`
}

// DeviceRow is a job on a device.
type DeviceRow struct {
	Job    jobs.Job
	Words  string
	Device protocol.DeviceID
	Name   string
	Group  string
	// Withheld says why it is not given the job. Nil: it is.
	Withheld *Reason
	// Next are its next five times, with jitter, in its zone.
	Next []time.Time
	// Last run. Nil: none is known.
	Last *jobs.RunRecord
	// Strip has the latest runs, latest last.
	Strip []Mark
	// Runs that are kept, and Failures among them.
	Runs, Failures int
}

// Filter chooses runs. Zero fields choose all.
type Filter struct {
	// Job by name.
	Job    string
	Device protocol.DeviceID
	// State that they are in.
	State protocol.JobState
	// After is the last run of the page before. Nil: the first page.
	After *RunPlace
	// Sees reports whether the caller may know of a device. Nil: all.
	Sees func(protocol.DeviceID) bool
	// Limit is the most runs; the latest come first. 0: 100.
	Limit int
}

// RunPlace is where a run stands in a list: the latest first.
type RunPlace struct {
	// Due in Unix seconds.
	Due    int64
	Run    uint64
	Device protocol.DeviceID
}

// PlaceOf is where a run stands.
func PlaceOf(r *jobs.RunRecord) RunPlace { return RunPlace{r.Due, r.ID, r.Device} }

// DeviceFilter chooses devices of a job.
type DeviceFilter struct {
	// Class of their latest run: done, failed, running, other or never; or withheld. "": all.
	Class string
	// After is the last device of the page before.
	After protocol.DeviceID
	// Limit. 0: 100.
	Limit int
	Sees  func(protocol.DeviceID) bool
}

// Spec is what an operator wants a job to be.
type Spec struct {
	// Name. One that does not exist is created.
	Name  string
	Reach jobs.Reach
	Owner protocol.Owner
	// Script's bytes. Nil: the container's own program.
	Script []byte
	// Job as devices get it. Where Now is set, Schedule.At is the moment when it is applied.
	Job protocol.Job
	Now bool
	// Zone: see jobs.Version.
	Zone string
	// Env are variables, all of them but those that are kept; Secret are names of those whose values are secret.
	Env    map[string]string
	Secret []string
	// Keep names variables that have the value of the latest version.
	Keep []string
	// Paused. Nil: as it is.
	Paused          *bool
	Author, Message string
	// Exempt: policies do not bind the author there.
	Exempt bool
	// Expect looks at the job as it is, nil where there is none; what it returns ends Put before anything is changed. Nil:
	// anything will do.
	Expect func(*jobs.Job) error
}

// Selection is which devices of a job somebody means.
type Selection struct {
	Devices []protocol.DeviceID
	// Selector over labels. "": none.
	Selector string
	All      bool
}

// RunSpec asks for something of a job on devices: a run now, or the end of what is under way.
type RunSpec struct {
	Job string
	On  Selection
	By  string
	// TTL is how long a device may take to hear of it. 0: a day.
	TTL time.Duration
	// May says why the caller may not run it on a device. Nil: the caller may.
	May func(protocol.DeviceID) error
}

// Given is a command that was given to a device.
type Given struct {
	Device  protocol.DeviceID  `json:"device"`
	Command protocol.CommandID `json:"command"`
}

// Skipped is a device that was given none.
type Skipped struct {
	Device protocol.DeviceID `json:"device"`
	Why    string            `json:"why"`
}

// OneShotSpec is a script that runs once on one device.
type OneShotSpec struct {
	Device protocol.DeviceID
	Script []byte
	// Job as the device gets it, without schedule.
	Job    protocol.Job
	Env    map[string]string
	Secret []string
	By     string
	Owner  protocol.Owner
	// Wait is how long the device may take to hear of it. 0: 15 minutes.
	Wait   time.Duration
	Exempt bool
}
