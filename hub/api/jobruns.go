package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

// RunRef is the part of a path that names a run. It is exported because only exported fields are filled.
type RunRef struct {
	JobRef
	DeviceRef
	Run uint64 `path:"run" doc:"Its number on the device"`
}

type jobRunsInput struct {
	JobRef
	Device string `query:"device" doc:"Id, name, or the beginning of either"`
	State  string `query:"state" enum:"running,done,failed,timed-out,cancelled,interrupted,skipped,missed,refused"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Before string `query:"before" doc:"From next of the page before"`
}

type outputInput struct {
	RunRef
	Stream string `query:"stream" enum:"stdout,stderr" default:"stdout"`
}

type askOutputInput struct {
	RunRef
	Body resource.AskOutput
}

type runJobInput struct {
	JobRef
	Body resource.RunJob
}

// maxAsked is how many devices are named in an answer.
const maxAsked = 1000

func (s *server) jobRunRoutes() {
	const tag = "Jobs"
	add(s, route[runJobInput, reply[resource.JobAsked]]{
		Method: http.MethodPost, Path: "/jobs/{job}/run", ID: "run-job", Tag: tag, Status: http.StatusAccepted, Summary: "Run a job now on some of its devices",
		Description: "Each device runs it when it hears of it, beside its schedule; the job's overlap rule counts.",
		Does:        access.JobsOperate, On: s.onRunJob, Records: "jobs.run",
		Run: func(_ context.Context, c *call, in *runJobInput) (*reply[resource.JobAsked], error) {
			return s.onDevices(c, in, Jobs.RunNow)
		},
	})
	add(s, route[runJobInput, reply[resource.JobAsked]]{
		Method: http.MethodPost, Path: "/jobs/{job}/cancel", ID: "cancel-job", Tag: tag, Status: http.StatusAccepted,
		Summary:     "End what is under way of a job on some of its devices, and what waits there",
		Description: "For runs of which the hub knows nothing yet: those by schedule are told when they are over.",
		Does:        access.JobsOperate, On: s.onRunJob, Records: "jobs.cancel",
		Run: func(_ context.Context, c *call, in *runJobInput) (*reply[resource.JobAsked], error) {
			return s.onDevices(c, in, Jobs.CancelAll)
		},
	})
	add(s, route[jobRunsInput, reply[resource.JobRuns]]{
		Method: http.MethodGet, Path: "/jobs/{job}/runs", ID: "list-job-runs", Tag: tag, Summary: "List the runs of a job, the latest first",
		Does: access.JobsRead, On: func(c *call, in *jobRunsInput) (access.Resource, error) {
			if in.Device == "" {
				return s.onJob(c, &in.JobRef)
			}
			return s.onJobOn(c, &in.JobRef, &DeviceRef{in.Device})
		},
		Run: s.jobRuns,
	})
	add(s, route[RunRef, reply[resource.JobRun]]{
		Method: http.MethodGet, Path: "/jobs/{job}/runs/{device}/{run}", ID: "get-job-run", Tag: tag, Summary: "Look at a run",
		Does: access.JobsRead, On: s.onRun,
		Run: func(_ context.Context, c *call, in *RunRef) (*reply[resource.JobRun], error) {
			r, err := s.Jobs.OneRun(in.Job, protocol.DeviceID(c.on.ID), in.Run)
			if err != nil {
				return nil, err
			}
			return replyWith(s.jobRun(in.Job)(r)), nil
		},
	})
	add(s, route[outputInput, huma.StreamResponse]{
		Method: http.MethodGet, Path: "/jobs/{job}/runs/{device}/{run}/output", ID: "get-job-output", Tag: tag, Summary: "Get what a run wrote, as far as the hub has it",
		Description: "The bytes as they are. The header X-Farshore-From says at which offset of all that was written they begin.",
		Does:        access.JobsOutput, On: func(c *call, in *outputInput) (access.Resource, error) { return s.onRun(c, &in.RunRef) },
		Streams: "application/octet-stream", Run: s.jobOutput,
	})
	add(s, route[askOutputInput, reply[resource.JobCommand]]{
		Method: http.MethodPost, Path: "/jobs/{job}/runs/{device}/{run}/output", ID: "ask-job-output", Tag: tag, Status: http.StatusAccepted,
		Summary: "Ask the device for more of what a run wrote, or has written so far",
		Does:    access.JobsOutput, On: func(c *call, in *askOutputInput) (access.Resource, error) { return s.onRun(c, &in.RunRef) },
		Run: func(_ context.Context, c *call, in *askOutputInput) (*reply[resource.JobCommand], error) {
			return s.askRun(c, &in.RunRef, in.Body.Max, Jobs.AskOutput)
		},
	})
	add(s, route[RunRef, reply[resource.JobCommand]]{
		Method: http.MethodPost, Path: "/jobs/{job}/runs/{device}/{run}/cancel", ID: "cancel-job-run", Tag: tag, Status: http.StatusAccepted,
		Summary: "End a run that is under way, or take it from the queue",
		Does:    access.JobsOperate, On: s.onRun, Records: "jobs.cancel",
		Run: func(_ context.Context, c *call, in *RunRef) (*reply[resource.JobCommand], error) {
			return s.askRun(c, in, 0, Jobs.Cancel)
		},
	})
}

// onJobOn is a job where a device is: it is there for who sees the job as a whole, or on that device.
func (s *server) onJobOn(c *call, in *JobRef, ref *DeviceRef) (access.Resource, error) {
	d, err := s.Devices.Find(ref.Device, c.eyes().device)
	if err != nil {
		return access.Resource{Kind: "device", ID: ref.Device}, err
	}
	rec, ok := s.Jobs.Named(in.Job)
	if !ok || !c.eyes().jobOn(&d, rec.Owner) || !s.Jobs.Has(in.Job, d.ID) && !c.eyes().job(&rec) {
		return access.Resource{Kind: "job", ID: in.Job}, noJob(in.Job)
	}
	return ownedOn(&d, rec.Owner), nil
}

func (s *server) onRun(c *call, in *RunRef) (access.Resource, error) {
	return s.onJobOn(c, &in.JobRef, &in.DeviceRef)
}

// onRunJob is the job, or the job on the first device for who sees it only there: each device is asked about anyway.
func (s *server) onRunJob(c *call, in *runJobInput) (access.Resource, error) {
	on, err := s.onJob(c, &in.JobRef)
	if err == nil || len(in.Body.Devices) == 0 {
		return on, err
	}
	return s.onJobOn(c, &in.JobRef, &DeviceRef{in.Body.Devices[0]})
}

// onDevices asks devices for something of a job.
func (s *server) onDevices(c *call, in *runJobInput, do func(Jobs, dispatch.RunSpec) ([]dispatch.Given, []dispatch.Skipped, error)) (*reply[resource.JobAsked], error) {
	rec, ok := s.Jobs.Named(in.Job)
	if !ok {
		return nil, noJob(in.Job)
	}
	on := dispatch.Selection{Selector: in.Body.Selector, All: in.Body.All}
	ways := 0
	for _, is := range []bool{len(in.Body.Devices) > 0, in.Body.Selector != "", in.Body.All} {
		if is {
			ways++
		}
	}
	if ways != 1 {
		return nil, invalid("body", "the devices are said in %d ways: give exactly one of devices, selector and all", ways)
	}
	for i, ref := range in.Body.Devices {
		d, err := s.Devices.Find(ref, c.eyes().device)
		if err != nil {
			return nil, inField(fmt.Sprintf("body.devices[%d]", i), err)
		}
		on.Devices = append(on.Devices, d.ID)
	}
	given, skipped, err := do(s.Jobs, dispatch.RunSpec{
		Job: in.Job, On: on, By: c.by(), TTL: time.Duration(in.Body.TTLSeconds) * time.Second,
		May: func(id protocol.DeviceID) error {
			d, ok := s.Devices.Device(id)
			if !ok {
				return fmt.Errorf("device %.40q: %w", id, errNotFound)
			}
			return c.may(ownedOn(&d, rec.Owner))
		},
	})
	if err != nil {
		return nil, err
	}
	c.detail = fmt.Sprintf("on %d devices, %d left out", len(given), len(skipped))
	if in.Body.Note != "" {
		c.detail += ": " + protocol.Printable(in.Body.Note, protocol.MaxText)
	}
	c.on = onJob(&rec)
	return replyWith(resource.JobAsked{Given: len(given), Commands: given[:min(len(given), maxAsked)], Skipped: skipped[:min(len(skipped), maxAsked)]}), nil
}

func (s *server) jobRuns(_ context.Context, c *call, in *jobRunsInput) (*reply[resource.JobRuns], error) {
	rec, ok := s.Jobs.Named(in.Job)
	if !ok {
		return nil, noJob(in.Job)
	}
	f := dispatch.Filter{Job: in.Job, Limit: in.Limit, Sees: s.seesJobOn(c, &rec.Owner)}
	if in.Device != "" {
		f.Device = protocol.DeviceID(c.on.ID)
	}
	if in.State != "" {
		if err := f.State.UnmarshalText([]byte(in.State)); err != nil {
			return nil, invalid("query.state", "%v", err)
		}
	}
	if in.Before != "" {
		place, err := readRunPlace(in.Before)
		if err != nil {
			return nil, err
		}
		f.After = &place
	}
	runs, err := s.Jobs.Runs(f)
	if err != nil {
		return nil, err
	}
	out := resource.JobRuns{Items: list(runs, s.jobRun("")).Body.Items}
	if len(runs) == in.Limit {
		out.Next = runPlace(dispatch.PlaceOf(&runs[len(runs)-1]))
	}
	return replyWith(out), nil
}

// runPlace is a cursor.
func runPlace(p dispatch.RunPlace) string { return fmt.Sprintf("%d.%d.%s", p.Due, p.Run, p.Device) }

func readRunPlace(text string) (p dispatch.RunPlace, err error) {
	due, rest, _ := strings.Cut(text, ".")
	run, dev, ok := strings.Cut(rest, ".")
	if p.Due, err = strconv.ParseInt(due, 10, 64); err == nil {
		p.Run, err = strconv.ParseUint(run, 10, 64)
	}
	if err != nil || !ok {
		return p, invalid("query.before", "%.80q is no place in a list: take it from next of the page before", text)
	}
	p.Device = protocol.DeviceID(dev)
	return p, nil
}

func (s *server) jobOutput(_ context.Context, c *call, in *outputInput) (*huma.StreamResponse, error) {
	at := dispatch.Place{Run: in.Run}
	if in.Stream == "stderr" {
		at.Stream = protocol.StreamStderr
	}
	data, from, err := s.Jobs.ReadOutput(in.Job, protocol.DeviceID(c.on.ID), at)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		media := "application/octet-stream"
		if utf8.Valid(data) {
			media = "text/plain; charset=utf-8"
		}
		ctx.SetHeader("Content-Type", media)
		ctx.SetHeader("Content-Length", strconv.Itoa(len(data)))
		ctx.SetHeader("X-Farshore-From", strconv.FormatUint(from, 10))
		_, _ = ctx.BodyWriter().Write(data) // a client that has gone needs no answer
	}}, nil
}

// askRun asks the device of a run for something.
func (s *server) askRun(c *call, in *RunRef, most uint32, do func(Jobs, dispatch.RunAsk) (protocol.CommandID, error)) (*reply[resource.JobCommand], error) {
	c.detail = fmt.Sprintf("run %d of job %s", in.Run, protocol.Printable(in.Job, protocol.MaxName))
	id, err := do(s.Jobs, dispatch.RunAsk{Job: in.Job, Device: protocol.DeviceID(c.on.ID), Run: in.Run, By: c.by(), Max: most})
	if err != nil {
		return nil, err
	}
	return replyWith(resource.JobCommand{Command: id}), nil
}

// jobRun shows a run of a job; "": it need not be named.
func (s *server) jobRun(job string) func(jobs.RunRecord) resource.JobRun {
	return func(r jobs.RunRecord) resource.JobRun {
		d, _ := s.Devices.Device(r.Device)
		out := resource.JobRun{
			Run: r.ID, Job: job, Device: r.Device, Name: d.Name, Version: r.Version, Due: at(r.Due), State: r.State, Final: r.State.Final(),
			Attempt: r.Attempt, Code: r.Code, Signal: r.Signal, Started: ofMilli(r.Started), TookMS: r.Took, Text: r.Text,
			Stdout: jobStream(r.JobRun.Stdout, r.Stdout), Stderr: jobStream(r.JobRun.Stderr, r.Stderr), Writer: r.OutputAttempt,
			By: r.By, Command: r.Command, Until: at(r.Until), Count: r.Count, OwnClock: r.Clock, Told: at(r.Told),
		}
		if out.Attempt == 0 && r.Started != 0 {
			out.Attempt = 1
		}
		return out
	}
}

func jobStream(said *protocol.JobStream, have jobs.Have) *resource.JobStream {
	if said == nil && have == (jobs.Have{}) {
		return nil
	}
	out := resource.JobStream{HaveFrom: have.From, HaveTo: have.To, Lost: have.Lost, Size: have.To}
	if said != nil {
		out.Size, out.Kept = said.Size, said.Kept
		out.Coming = said.Follow > 0 && have.To < said.Size && !have.Lost
	}
	return &out
}
