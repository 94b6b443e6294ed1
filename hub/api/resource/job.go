package resource

import (
	"time"

	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

// JobDefinition is what a job does, when, and on which devices.
type JobDefinition struct {
	Group   *string           `json:"group,omitempty" doc:"Its home: of the devices that are named those in this group or below it get it; absent: as it is, and the root for a new one" example:"norway"`
	Owner   *Owner            `json:"owner,omitempty" doc:"Whose it is; absent: as it is. A new one is administrators', or yours where you may not apply those"`
	Devices []string          `json:"devices,omitempty" maxItems:"10000" doc:"Devices that are meant by name or id, beside those that the rest names. Without selector and include, only they are meant"`
	Script  string            `json:"script,omitempty" doc:"Text of the script, beginning with its interpreter line; absent: the container's own program is run" example:"#!/bin/sh\nexec df -h /\n"`
	Args    []string          `json:"args,omitempty" doc:"Given to the script"`
	Env     map[string]string `json:"env,omitempty" doc:"Variables, all of them but those in keep_env and secret ones that are kept; kept encrypted. Values that you may not see are not given back"`
	Secret  []string          `json:"secret,omitempty" maxItems:"1000" doc:"Names of variables whose values nobody is given back, and that are sealed on their way to devices. One that env has not keeps its value"`
	Dir     string            `json:"dir,omitempty" doc:"Working folder; absent: on the host one of the run's own, in a container the image's"`
	User    string            `json:"user,omitempty" doc:"That it runs as; absent: on the host the agent's, in a container the image's" example:"nobody"`

	Selector  string        `json:"selector,omitempty" doc:"Devices that shall have the job, by their labels; absent, with neither include nor devices: all" example:"site=oslo"`
	Include   []string      `json:"include,omitempty" maxItems:"64" doc:"Names of edge groups: only devices that are in one of them; absent: any"`
	Exclude   []string      `json:"exclude,omitempty" maxItems:"64" doc:"Names of edge groups: no device that is in one of them"`
	Container *JobContainer `json:"container,omitempty" doc:"That each run makes and removes; absent: it runs on the host"`
	Schedule  JobSchedule   `json:"schedule"`

	TimeoutSeconds    uint32                   `json:"timeout_seconds,omitempty" doc:"Of one attempt; absent: an hour"`
	Retries           uint32                   `json:"retries,omitempty" doc:"How often a run that failed is tried again"`
	RetryDelaySeconds uint32                   `json:"retry_delay_seconds,omitempty" doc:"Absent: a minute"`
	Overlap           protocol.JobOverlap      `json:"overlap" required:"false" enum:"skip,queue,kill" doc:"What happens when a run is due while one is under way: it is skipped, follows, or the one under way is killed; absent: skip"`
	Missed            string                   `json:"missed,omitempty" enum:"skip,once,all" doc:"What is made up for that was due while the device was off; absent: nothing, and once for a job that runs once"`
	MissedLimit       uint32                   `json:"missed_limit,omitempty" doc:"With all: how many, the newest; absent: 10"`
	Output            protocol.JobOutputPolicy `json:"output" required:"false" enum:"on-failure,always,on-request,never" doc:"What of the output comes to the hub; absent: on-failure"`
	OutputCap         uint32                   `json:"output_cap,omitempty" doc:"Bytes of each stream that come at most, those at its end; absent: 65536"`
}

// JobSchedule says when a job runs.
type JobSchedule struct {
	Kind          string    `json:"kind" enum:"now,at,cron,manual" doc:"now: once, as soon as a device hears of it; at: once, at a time; cron: at times that come again; manual: only when somebody asks for it"`
	Cron          string    `json:"cron,omitempty" maxLength:"256" doc:"With cron: five fields, or a name such as @daily" example:"0 2 * * *"`
	At            time.Time `json:"at,omitzero" doc:"With at"`
	Zone          string    `json:"zone,omitempty" maxLength:"64" doc:"With cron: a name such as Europe/Oslo, hub, or device for each device's own (its label timezone); absent: hub"`
	JitterSeconds uint32    `json:"jitter_seconds,omitempty" doc:"Each device runs it by a time of its own later, up to this"`
	Start         time.Time `json:"start,omitzero" doc:"The first moment at which a run may be due"`
	End           time.Time `json:"end,omitzero" doc:"The last one"`
}

// JobContainer is the container of each run.
type JobContainer struct {
	Image    string              `json:"image" example:"alpine:3.22"`
	Pull     string              `json:"pull,omitempty" enum:"missing,always,never" doc:"When the image is asked of a registry; absent: missing"`
	Mounts   []protocol.JobMount `json:"mounts,omitempty"`
	Network  string              `json:"network,omitempty" doc:"none, host, or a network of the device; absent: the engine's default"`
	MilliCPU uint32              `json:"milli_cpus,omitempty" doc:"Thousandths of a processor; absent: no limit"`
	Memory   uint64              `json:"memory,omitempty" doc:"Bytes; absent: no limit"`
}

// PutJob makes a job what it says.
type PutJob struct {
	JobDefinition
	KeepEnv []string `json:"keep_env,omitempty" maxItems:"1000" doc:"Names of variables that keep the value of the latest version; what env gives counts more"`
	Paused  *bool    `json:"paused,omitempty" doc:"It is on no device; absent: as it is"`
	Message string   `json:"message,omitempty" maxLength:"1024"`
}

// Job is a job with all there is to say of it.
type Job struct {
	JobDefinition
	JobState
	Masked      bool              `json:"masked,omitempty" doc:"Values of env are hidden, as you may not see them: give their names as keep_env where you change the job"`
	DeviceNames map[string]string `json:"device_names,omitempty" doc:"Names of those in devices that are there, by id"`
	Unseen      int               `json:"unseen_edge_groups,omitempty" doc:"How many more edge groups it names, which you do not see; they stay when you change the others"`
	Upcoming    []time.Time       `json:"upcoming" nullable:"false" doc:"The next five times, without jitter; where zone is device, as for one in UTC"`
	ScriptSize  int64             `json:"script_size,omitempty" doc:"Bytes"`
	ScriptHash  string            `json:"script_sha256,omitempty" doc:"In hex"`
	Message     string            `json:"message,omitempty" doc:"Of the latest version"`
	Created     time.Time         `json:"created"`
	Etag        string            `json:"etag" doc:"Changes with what can be edited: give it as If-Match"`
}

// JobState is how a job stands.
type JobState struct {
	ID       uint64          `json:"id"`
	Name     string          `json:"name"`
	OneShot  bool            `json:"one_shot,omitempty" doc:"A script that was run once on one device"`
	IsPaused bool            `json:"paused,omitempty" doc:"It is on no device until somebody lets it go on"`
	Version  uint64          `json:"version" doc:"The latest, which is what devices have"`
	Words    string          `json:"words" doc:"The schedule in words"`
	Next     time.Time       `json:"next,omitzero" doc:"When it is due next, without jitter; absent: never by itself"`
	Assigned int             `json:"assigned" doc:"How many devices it is meant for"`
	Withheld int             `json:"withheld" doc:"How many of them are not given it: see its devices"`
	Last     dispatch.Counts `json:"last" doc:"Devices by what became of their latest run"`
	Strip    []dispatch.Beat `json:"strip" nullable:"false" doc:"The latest due times with what became of them on all devices, latest last"`
	Updated  time.Time       `json:"updated"`
	By       string          `json:"by,omitempty" doc:"Who made the latest version"`
}

// JobRow is a job in a list.
type JobRow struct {
	Group string `json:"group" doc:"Its home. Empty: the root"`
	Owner Owner  `json:"owner"`
	JobState
}

// JobVersion is one version of a job.
type JobVersion struct {
	Number     uint64    `json:"number"`
	Author     string    `json:"author,omitempty"`
	Message    string    `json:"message,omitempty"`
	ScriptSize int64     `json:"script_size,omitempty"`
	ScriptHash string    `json:"script_sha256,omitempty"`
	Words      string    `json:"words"`
	Created    time.Time `json:"created"`
}

// JobDevice is a job on a device.
type JobDevice struct {
	Job      string            `json:"job" doc:"Its name"`
	Words    string            `json:"words" doc:"Its schedule"`
	OneShot  bool              `json:"one_shot,omitempty"`
	Paused   bool              `json:"paused,omitempty"`
	Device   protocol.DeviceID `json:"device"`
	Name     string            `json:"name"`
	Group    string            `json:"group"`
	Withheld *dispatch.Reason  `json:"withheld,omitempty" doc:"Why the device is not given the job"`
	Next     []time.Time       `json:"next" nullable:"false" doc:"Its next five times, with its jitter, by its zone"`
	Last     *JobRun           `json:"last,omitempty"`
	Strip    []dispatch.Mark   `json:"strip" nullable:"false" doc:"Its latest runs, latest last"`
	Runs     int               `json:"runs" doc:"That are kept"`
	Failures int               `json:"failures" doc:"Among them"`
}

// JobDevices is a page of the devices of a job.
type JobDevices struct {
	Items []JobDevice       `json:"items" nullable:"false"`
	Total int               `json:"total" doc:"On all pages"`
	Next  protocol.DeviceID `json:"next,omitempty" doc:"Give it as after for the next page; absent: this is the last"`
}

// JobRun is one run of a job on a device, or several that were skipped or missed one after the other.
type JobRun struct {
	Run      uint64             `json:"run" doc:"Its number on the device"`
	Job      string             `json:"job,omitempty" doc:"Name"`
	Device   protocol.DeviceID  `json:"device"`
	Name     string             `json:"name" doc:"Of the device"`
	Version  uint64             `json:"version"`
	Due      time.Time          `json:"due" doc:"With jitter; of a run that was asked for, when that was"`
	State    protocol.JobState  `json:"state" enum:"running,done,failed,timed-out,cancelled,interrupted,skipped,missed,refused"`
	Final    bool               `json:"final" doc:"It will not change any more"`
	Attempt  uint32             `json:"attempt,omitempty" doc:"Which one ended it; absent: it did not start"`
	Code     int32              `json:"code,omitempty" doc:"Exit code; absent: 0, or it did not exit by itself"`
	Signal   string             `json:"signal,omitempty"`
	Started  time.Time          `json:"started,omitzero" doc:"By the device's clock; absent: it did not start"`
	TookMS   uint64             `json:"took_ms,omitempty" doc:"All attempts, with the delays between them"`
	Text     string             `json:"text,omitempty" doc:"A sentence for people, as the device said it"`
	Stdout   *JobStream         `json:"stdout,omitempty" doc:"Of the last attempt; absent: nothing was written"`
	Stderr   *JobStream         `json:"stderr,omitempty"`
	Writer   uint32             `json:"output_attempt,omitempty" doc:"Which attempt wrote what the hub has of its output"`
	By       string             `json:"by,omitempty" doc:"Who asked for it; absent: it ran by schedule"`
	Command  protocol.CommandID `json:"command,omitzero" doc:"That asked for it"`
	Until    time.Time          `json:"until,omitzero" doc:"When the last of several was due"`
	Count    uint64             `json:"count,omitempty" doc:"How many they are; absent: it is one"`
	OwnClock bool               `json:"own_clock,omitempty" doc:"The device had no contact since its start, and went by its own clock"`
	Told     time.Time          `json:"told" doc:"When the hub heard of its state"`
}

// JobStream says how much a run wrote, and how much of it the hub has.
type JobStream struct {
	Size     uint64 `json:"size" doc:"All that was written, in bytes"`
	Kept     uint64 `json:"kept" doc:"How much of it, at its end, the device kept"`
	HaveFrom uint64 `json:"have_from" doc:"The hub has the bytes from here"`
	HaveTo   uint64 `json:"have_to" doc:"to here; equal: none"`
	Coming   bool   `json:"coming,omitempty" doc:"More of it comes by itself"`
	Lost     bool   `json:"lost,omitempty" doc:"The rest was dropped on the device"`
}

// JobRuns is a page of runs, the latest first.
type JobRuns struct {
	Items []JobRun `json:"items" nullable:"false"`
	Next  string   `json:"next,omitempty" doc:"Give it as before for the next, older page; absent: this is the last"`
}

// RunJob asks for runs now.
type RunJob struct {
	Devices    []string `json:"devices,omitempty" maxItems:"10000" doc:"By name or id"`
	Selector   string   `json:"selector,omitempty" doc:"Of the job's devices those with such labels"`
	All        bool     `json:"all,omitempty" doc:"All of the job's devices"`
	TTLSeconds uint32   `json:"ttl_seconds,omitempty" doc:"How long a device may take to hear of it; absent: a day"`
	Note       string   `json:"note,omitempty" maxLength:"1024" doc:"For the audit trail"`
}

// JobAsked is which devices were asked, and which were not.
type JobAsked struct {
	Given    int                `json:"given" doc:"How many devices were asked"`
	Commands []dispatch.Given   `json:"commands" nullable:"false" doc:"At most 1000 of them"`
	Skipped  []dispatch.Skipped `json:"skipped" nullable:"false" doc:"At most 1000 of those that were not, and why"`
}

// AskOutput asks a device for more of a run's output.
type AskOutput struct {
	Max uint32 `json:"max,omitempty" doc:"Bytes of each stream, those at its end; absent: 65536"`
}

// JobCommand is the command by which a device was asked.
type JobCommand struct {
	Command protocol.CommandID `json:"command"`
}

// RunScript is a script that runs once on one device.
type RunScript struct {
	Script         string            `json:"script,omitempty" doc:"Text, beginning with its interpreter line; absent: the container's own program is run"`
	Args           []string          `json:"args,omitempty"`
	Env            map[string]string `json:"env,omitempty"`
	Secret         []string          `json:"secret,omitempty" doc:"Names of variables whose values nobody is given back"`
	Container      *JobContainer     `json:"container,omitempty" doc:"To run in; absent: on the host"`
	User           string            `json:"user,omitempty"`
	Dir            string            `json:"dir,omitempty"`
	TimeoutSeconds uint32            `json:"timeout_seconds,omitempty" doc:"Absent: an hour"`
	WaitSeconds    uint32            `json:"wait_seconds,omitempty" doc:"How long the device may take to hear of it; absent: 15 minutes"`
}

// ScriptRun is the job that was made of a script.
type ScriptRun struct {
	Job     string            `json:"job" doc:"Its name: see its runs"`
	Device  protocol.DeviceID `json:"device"`
	Expires time.Time         `json:"expires" doc:"The last moment at which it begins"`
}

// PreviewJob is a job that somebody thinks of.
type PreviewJob struct {
	Schedule JobSchedule `json:"schedule"`
	Script   string      `json:"script,omitempty" doc:"What is wrong with it is said too"`
	Device   string      `json:"device,omitempty" doc:"Whose zone counts; absent: the hub's view"`
}
