package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/compose"
)

// Jobs are scripts with schedules; *dispatch.Desk is one.
type Jobs interface {
	Named(name string) (jobs.Job, bool)
	Has(name string, dev protocol.DeviceID) bool
	List(dispatch.OneShots, func(*jobs.Job) bool) []dispatch.Row
	Get(name string) (dispatch.View, error)
	Versions(name string) ([]*jobs.Version, error)
	Put(dispatch.Spec) (jobs.Job, jobs.Version, error)
	Try(dispatch.Spec) (dispatch.View, error)
	Remove(name, by string) error
	Pause(name, by string) (jobs.Job, error)
	Resume(name, by string) (jobs.Job, error)
	Devices(name string, f dispatch.DeviceFilter) ([]dispatch.DeviceRow, int, error)
	OfDevice(protocol.DeviceID, func(*jobs.Job) bool) []dispatch.DeviceRow
	Runs(dispatch.Filter) ([]jobs.RunRecord, error)
	OneRun(name string, dev protocol.DeviceID, run uint64) (jobs.RunRecord, error)
	ReadOutput(name string, dev protocol.DeviceID, at dispatch.Place) ([]byte, uint64, error)
	RunNow(dispatch.RunSpec) ([]dispatch.Given, []dispatch.Skipped, error)
	CancelAll(dispatch.RunSpec) ([]dispatch.Given, []dispatch.Skipped, error)
	Cancel(dispatch.RunAsk) (protocol.CommandID, error)
	AskOutput(dispatch.RunAsk) (protocol.CommandID, error)
	OneShot(dispatch.OneShotSpec) (jobs.Job, error)
	Preview(dispatch.PreviewSpec) dispatch.Preview
}

// JobRef is the part of a path that names a job. It is exported because only exported fields are filled.
type JobRef struct {
	Job string `path:"job" doc:"Name" maxLength:"63"`
}

type listJobsInput struct {
	Owner   string `query:"owner" doc:"Only jobs of this owner: mine, public, administrators, user:NAME or team:NAME"`
	OneShot bool   `query:"one_shot" doc:"Scripts that were run once, the latest first, in place of jobs"`
}

type putJobInput struct {
	JobRef
	Expect
	Body resource.PutJob
}

type previewJobInput struct{ Body resource.PreviewJob }

type jobDevicesInput struct {
	JobRef
	State string            `query:"state" enum:"done,failed,running,other,never,withheld" doc:"Only devices whose latest run came to this, that have none, or that are not given the job"`
	Limit int               `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	After protocol.DeviceID `query:"after" doc:"From next of the page before"`
}

func (s *server) jobRoutes() {
	const tag = "Jobs"
	add(s, route[listJobsInput, reply[resource.List[resource.JobRow]]]{
		Method: http.MethodGet, Path: "/jobs", ID: "list-jobs", Tag: tag, Summary: "List jobs",
		Does: access.JobsRead, On: onAny[listJobsInput]("job"), Run: s.listJobs,
	})
	add(s, route[JobRef, reply[resource.Job]]{
		Method: http.MethodGet, Path: "/jobs/{job}", ID: "get-job", Tag: tag, Summary: "Look at a job",
		Does: access.JobsRead, On: s.onJob,
		Run: func(_ context.Context, c *call, _ *JobRef) (*reply[resource.Job], error) { return s.getJob(c) },
	})
	add(s, route[putJobInput, reply[resource.Job]]{
		Method: http.MethodPut, Path: "/jobs/{job}", ID: "put-job", Tag: tag, Summary: "Make a job what it shall be",
		Description: "What is absent is not so any more, but for group, owner and paused, which stay. The same content makes no new version. " +
			"A new version counts from the next run on; a run that is under way ends as it began. " +
			"A script without container runs on the host, which needs the right jobs.host.",
		Does: access.JobsApply, On: func(c *call, in *putJobInput) (access.Resource, error) { return s.onPutJob(c, &in.JobRef, &in.Body) },
		Run: s.putJob,
	})
	add(s, route[JobRef, none]{
		Method: http.MethodDelete, Path: "/jobs/{job}", ID: "remove-job", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove a job from all devices, with its history", Does: access.JobsRemove, On: s.onJob,
		Description: "A run that is under way on a device is ended there when the device hears of it.",
		Run:         func(_ context.Context, c *call, _ *JobRef) (*none, error) { return nil, s.Jobs.Remove(c.on.ID, c.by()) },
	})
	add(s, route[putJobInput, reply[resource.Job]]{
		Method: http.MethodPost, Path: "/jobs/{job}/preview", ID: "try-job", Tag: tag, Summary: "See what a job would be, and change nothing",
		Description: "What is wrong is answered as when it is put. Of the answer assigned says how many devices it would be for; what came of runs is left out where it would change.",
		Does:        access.JobsApply, On: func(c *call, in *putJobInput) (access.Resource, error) { return s.onPutJob(c, &in.JobRef, &in.Body) },
		Looks: true, Run: s.tryJob,
	})
	for _, a := range []struct {
		word, summary string
		do            func(j Jobs, name, by string) (jobs.Job, error)
	}{
		{"pause", "Take a job off its devices until it is resumed", Jobs.Pause},
		{"resume", "Give a paused job back to its devices", Jobs.Resume},
	} {
		add(s, route[JobRef, reply[resource.Job]]{
			Method: http.MethodPost, Path: "/jobs/{job}/" + a.word, ID: a.word + "-job", Tag: tag, Summary: a.summary,
			Does: access.JobsOperate, On: s.onJob, Records: "jobs." + a.word,
			Run: func(_ context.Context, c *call, _ *JobRef) (*reply[resource.Job], error) {
				if _, err := a.do(s.Jobs, c.on.ID, c.by()); err != nil {
					return nil, err
				}
				return s.getJob(c)
			},
		})
	}
	add(s, route[JobRef, reply[resource.List[resource.JobVersion]]]{
		Method: http.MethodGet, Path: "/jobs/{job}/versions", ID: "list-job-versions", Tag: tag, Summary: "List the versions that are kept, the latest first",
		Does: access.JobsRead, On: s.onJob,
		Run: func(_ context.Context, c *call, _ *JobRef) (*reply[resource.List[resource.JobVersion]], error) {
			versions, err := s.Jobs.Versions(c.on.ID)
			return list(versions, jobVersion), err
		},
	})
	add(s, route[jobDevicesInput, reply[resource.JobDevices]]{
		Method: http.MethodGet, Path: "/jobs/{job}/devices", ID: "job-devices", Tag: tag, Summary: "See how a job does on each of its devices",
		Does: access.JobsRead, On: func(c *call, in *jobDevicesInput) (access.Resource, error) { return s.onJob(c, &in.JobRef) },
		Run: s.jobDevices,
	})
	add(s, route[DeviceRef, reply[resource.List[resource.JobDevice]]]{
		Method: http.MethodGet, Path: "/devices/{device}/jobs", ID: "device-jobs", Tag: tag, Summary: "See how a device does with each of its jobs",
		Does: access.DevicesRead, On: s.onDevice, Run: s.deviceJobs,
	})
	add(s, route[previewJobInput, reply[dispatch.Preview]]{
		Method: http.MethodPost, Path: "/jobs/preview", ID: "preview-job", Tag: tag, Summary: "See what a schedule means, and what is wrong with it",
		Does: access.JobsRead, On: onAny[previewJobInput]("job"), Looks: true, Run: s.previewJob,
	})
}

func noJob(name string) error { return fmt.Errorf("%w: %.80q", jobs.ErrNotFound, name) }

func (s *server) onJob(c *call, in *JobRef) (access.Resource, error) {
	rec, ok := s.Jobs.Named(in.Job)
	if !ok || !c.eyes().job(&rec) {
		return access.Resource{Kind: "job", ID: in.Job}, noJob(in.Job)
	}
	return onJob(&rec), nil
}

func (s *server) listJobs(_ context.Context, c *call, in *listJobsInput) (*reply[resource.List[resource.JobRow]], error) {
	wanted, err := ownedBy(c, in.Owner)
	if err != nil {
		return nil, err
	}
	which := dispatch.NoOneShots
	if in.OneShot {
		which = dispatch.OnlyOneShots
	}
	rows := s.Jobs.List(which, func(rec *jobs.Job) bool { return c.eyes().job(rec) && wanted(rec.Owner) })
	return list(rows, func(r dispatch.Row) resource.JobRow {
		return resource.JobRow{Group: r.Job.Reach.Group, Owner: ownerShown(r.Job.Owner), JobState: jobState(&r)}
	}), nil
}

func jobState(r *dispatch.Row) resource.JobState {
	return resource.JobState{
		ID: r.Job.ID, Name: r.Job.Name, OneShot: r.Job.OneShot, IsPaused: r.Job.Paused, Version: r.Job.Latest, Words: r.Words, Next: r.Next,
		Assigned: r.Devices, Withheld: r.Withheld, Last: r.Last, Strip: r.Strip, Updated: at(r.Job.Updated), By: r.Version.Author,
	}
}

func jobVersion(v *jobs.Version) resource.JobVersion {
	return resource.JobVersion{
		Number: v.Number, Author: v.Author, Message: v.Message, Created: at(v.Created), ScriptSize: v.Script.Size, ScriptHash: scriptHash(v),
		Words: jobs.Words(v.Spec.Schedule, cmpZone(v.Zone)),
	}
}

func scriptHash(v *jobs.Version) string {
	if v.Script.Path == "" {
		return ""
	}
	return hex.EncodeToString(v.Script.Hash[:])
}

// getJob shows the job that the caller was let to. Nobody is given values of variables without a record of it.
func (s *server) getJob(c *call) (*reply[resource.Job], error) {
	v, err := s.Jobs.Get(c.on.ID)
	if err != nil {
		return nil, err
	}
	return s.showJob(c, &v)
}

func (s *server) showJob(c *call, v *dispatch.View) (*reply[resource.Job], error) {
	out := resource.Job{
		JobDefinition: definition(v), JobState: jobState(&v.Row), Upcoming: v.Upcoming, Message: v.Version.Message,
		ScriptSize: v.Version.Script.Size, ScriptHash: scriptHash(v.Version), Created: at(v.Job.Created), Etag: jobEtag(&v.Job),
		DeviceNames: map[string]string{},
	}
	rec := &v.Job
	out.Include, out.Exclude = s.edgeGroupNames(c, rec.Reach.Include), s.edgeGroupNames(c, rec.Reach.Exclude)
	out.Unseen = len(rec.Reach.Include) + len(rec.Reach.Exclude) - len(out.Include) - len(out.Exclude)
	for _, id := range rec.Reach.Devices {
		if d, ok := s.Devices.Device(id); ok && c.eyes().device(&d) {
			out.DeviceNames[string(id)] = d.Name
		}
	}
	if len(out.Env) == 0 {
		return replyWith(out), nil
	}
	if c.maySeeSecrets(onJob(rec)) {
		return replyWith(out), s.recordSecrets(c, onJob(rec), "variables of a job")
	}
	out.Masked = true
	for name := range out.Env {
		out.Env[name] = compose.Masked
	}
	return replyWith(out), nil
}

// definition is what somebody would put to have the job as it is. Values of secret variables are not in it.
func definition(v *dispatch.View) resource.JobDefinition {
	spec, reach := &v.Version.Spec, &v.Job.Reach
	out := resource.JobDefinition{
		Group: &reach.Group, Owner: new(ownerShown(v.Job.Owner)), Selector: reach.Selector, Script: string(v.Script), Args: spec.Args,
		Secret: v.Version.Secret, Dir: spec.Dir, User: spec.User, Schedule: scheduleOut(spec.Schedule, v.Version.Zone),
		TimeoutSeconds: spec.Timeout, Retries: spec.Retries, RetryDelaySeconds: spec.RetryDelay, Overlap: spec.Overlap,
		Output: spec.Output, OutputCap: spec.OutputCap, Missed: "skip",
	}
	for _, id := range reach.Devices {
		out.Devices = append(out.Devices, string(id))
	}
	for name, text := range v.Version.Env {
		if !slices.Contains(v.Version.Secret, name) {
			if out.Env == nil {
				out.Env = map[string]string{}
			}
			out.Env[name] = text
		}
	}
	switch {
	case spec.Missed == 1:
		out.Missed = "once"
	case spec.Missed > 1:
		out.Missed, out.MissedLimit = "all", spec.Missed
	}
	if x := spec.Container; x != nil {
		out.Container = &resource.JobContainer{
			Image: x.Image, Pull: pullWords[min(int(x.Pull), len(pullWords)-1)], Mounts: x.Mounts, Network: x.Network, MilliCPU: x.CPUs, Memory: x.Memory,
		}
	}
	return out
}

func scheduleOut(s protocol.JobSchedule, zone string) resource.JobSchedule {
	out := resource.JobSchedule{Cron: s.Cron, At: at(s.At), JitterSeconds: s.Jitter, Start: at(s.Start), End: at(s.End)}
	switch {
	case s.Cron != "":
		out.Kind, out.Zone = "cron", cmpZone(zone)
	case s.At != 0:
		out.Kind = "at"
	default:
		out.Kind = "manual"
	}
	return out
}

// cmpZone is a zone as people say it.
func cmpZone(zone string) string {
	if zone == "" {
		return jobs.ZoneHub
	}
	return zone
}

func (s *server) jobDevices(_ context.Context, c *call, in *jobDevicesInput) (*reply[resource.JobDevices], error) {
	rows, total, err := s.Jobs.Devices(c.on.ID, dispatch.DeviceFilter{Class: in.State, After: in.After, Limit: in.Limit, Sees: s.seesJobOn(c, c.on.Owner)})
	if err != nil {
		return nil, err
	}
	out := resource.JobDevices{Items: list(rows, s.jobDevice).Body.Items, Total: total}
	if len(rows) == in.Limit {
		out.Next = rows[len(rows)-1].Device
	}
	return replyWith(out), nil
}

// seesJobOn reports of devices whether the caller may know of an owner's jobs there.
func (s *server) seesJobOn(c *call, owner *protocol.Owner) func(protocol.DeviceID) bool {
	if c.eyes().allParts && c.eyes().allDevices {
		return nil
	}
	return func(id protocol.DeviceID) bool {
		d, ok := s.Devices.Device(id)
		return ok && c.eyes().device(&d) && c.eyes().jobOn(&d, *owner)
	}
}

func (s *server) deviceJobs(_ context.Context, c *call, _ *DeviceRef) (*reply[resource.List[resource.JobDevice]], error) {
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	return list(s.Jobs.OfDevice(d.ID, func(rec *jobs.Job) bool { return c.eyes().jobOn(&d, rec.Owner) }), s.jobDevice), nil
}

func (s *server) jobDevice(r dispatch.DeviceRow) resource.JobDevice {
	out := resource.JobDevice{
		Job: r.Job.Name, Words: r.Words, OneShot: r.Job.OneShot, Paused: r.Job.Paused, Device: r.Device, Name: r.Name, Group: r.Group,
		Withheld: r.Withheld, Next: r.Next, Strip: r.Strip, Runs: r.Runs, Failures: r.Failures,
	}
	if r.Last != nil {
		out.Last = new(s.jobRun(r.Job.Name)(*r.Last))
	}
	return out
}

func (s *server) previewJob(_ context.Context, c *call, in *previewJobInput) (*reply[dispatch.Preview], error) {
	spec := dispatch.PreviewSpec{}
	schedule, now, err := scheduleIn(&in.Body.Schedule)
	if err != nil {
		return replyWith(dispatch.Preview{Next: []time.Time{}, Warnings: []string{}, Problems: []string{s.sentence(err)}}), nil
	}
	if now {
		schedule.At = time.Now().Unix()
	}
	spec.Schedule, spec.Zone = schedule, in.Body.Schedule.Zone
	if in.Body.Script != "" {
		spec.Script = []byte(in.Body.Script)
	}
	if in.Body.Device != "" {
		d, err := s.Devices.Find(in.Body.Device, func(d *fleet.Device) bool { return c.eyes().device(d) })
		if err != nil {
			return nil, inField("body.device", err)
		}
		spec.Device = d.ID
	}
	out := s.Jobs.Preview(spec)
	if now {
		out.Words, out.Next, out.Warnings = "once, as soon as a device hears of it", []time.Time{}, []string{}
	}
	return replyWith(out), nil
}
