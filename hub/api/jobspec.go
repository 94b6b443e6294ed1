package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/compose"
)

// What a request to put a job says, as package dispatch is told it.

// defaultMissed is how many missed runs are made up for where all are wanted and nobody says how many.
const defaultMissed = 10

// onPutJob is the job that is to be changed, or the one that is to be made.
func (s *server) onPutJob(c *call, in *JobRef, b *resource.PutJob) (access.Resource, error) {
	rec, ok := s.Jobs.Named(in.Job)
	if ok && c.eyes().job(&rec) {
		return onJob(&rec), nil
	}
	group := ""
	if b.Group != nil {
		group = s.place(homeOf(*b.Group))
	}
	owner := c.ownerFor(group, b.Owner)
	on := access.Resource{Kind: "job", ID: in.Job, Group: group, Owner: &owner}
	if ok {
		return on, jobNameTaken(in.Job)
	}
	return on, nil
}

func jobNameTaken(name string) error {
	return fmt.Errorf("job %q %w: the name is taken: choose another", name, errTaken)
}

func (s *server) putJob(_ context.Context, c *call, in *putJobInput) (*reply[resource.Job], error) {
	spec, err := s.expectedSpec(c, in)
	if err != nil {
		return nil, err
	}
	rec, v, err := s.Jobs.Put(spec)
	if err != nil {
		return nil, jobFault(err)
	}
	c.detail = fmt.Sprintf("version %d", v.Number)
	if v.Script.Path != "" {
		c.detail += fmt.Sprintf(", script of %d bytes, SHA-256 %s", v.Script.Size, scriptHash(&v))
	}
	c.on = onJob(&rec)
	return s.getJob(c)
}

func (s *server) tryJob(_ context.Context, c *call, in *putJobInput) (*reply[resource.Job], error) {
	spec, err := s.expectedSpec(c, in)
	if err != nil {
		return nil, err
	}
	v, err := s.Jobs.Try(spec)
	if err != nil {
		return nil, jobFault(err)
	}
	return s.showJob(c, &v)
}

// expectedSpec is what somebody puts, if the job is still what they have seen.
func (s *server) expectedSpec(c *call, in *putJobInput) (dispatch.Spec, error) {
	spec, err := s.jobSpec(c, in.Job, &in.Body)
	if err != nil {
		return spec, err
	}
	want, same := s.expect(in.Expect, c.on), spec.Expect
	spec.Expect = func(now *jobs.Job) error {
		if now != nil && !c.eyes().job(now) {
			return jobNameTaken(in.Job)
		}
		if err := want.meets(jobEtag(now)); err != nil {
			return err
		}
		return same(now)
	}
	return spec, nil
}

func (s *server) jobSpec(c *call, name string, b *resource.PutJob) (dispatch.Spec, error) {
	rec, there := s.Jobs.Named(name)
	before := rec
	if there && rec.OneShot {
		return dispatch.Spec{}, invalid("path.job", "job %q was a script that ran once: give a job another name", name)
	}
	if err := c.checkOwner(b.Owner); err != nil {
		return dispatch.Spec{}, err
	}
	if !there {
		rec.Owner = *c.on.Owner
	} else if b.Owner != nil {
		rec.Owner = c.ownerFor(rec.Reach.Group, b.Owner)
	}
	if b.Group != nil {
		rec.Reach.Group = homeOf(*b.Group)
	}
	rec.Name = name
	on := onJob(&rec)
	on.Group = s.place(rec.Reach.Group)
	if err := c.may(on); err != nil {
		return dispatch.Spec{}, err
	}
	if err := s.mayHost(c, on, b.Container); err != nil {
		return dispatch.Spec{}, err
	}
	if err := s.checkTeam(before.Owner, rec.Owner); err != nil {
		return dispatch.Spec{}, err
	}
	if on.Group != rec.Reach.Group {
		return dispatch.Spec{}, inField("body.group", fmt.Errorf("group %.160q: %w: make it first", rec.Reach.Group, fleet.ErrNotFound))
	}
	spec := dispatch.Spec{
		Name: name, Owner: rec.Owner, Env: b.Env, Secret: b.Secret, Keep: keptEnv(b), Paused: b.Paused, Author: c.by(), Message: b.Message,
		Exempt: s.exempt(c, rec.Reach.Group), Zone: b.Schedule.Zone,
		Expect: func(now *jobs.Job) error {
			// The right was asked for where it was then, and for whose it was.
			if now == nil && there || now != nil && (!there || now.Reach.Group != before.Reach.Group || now.Owner != before.Owner) {
				return fmt.Errorf("job %q %w: look at it again", name, errChanged)
			}
			return nil
		},
	}
	if b.Script != "" {
		spec.Script = []byte(b.Script)
	}
	for name, value := range b.Env {
		if value == compose.Masked {
			return spec, invalid("body.env", "variable %.128q has a masked value: give its own, or keep it with keep_env", name)
		}
	}
	var err error
	if spec.Reach, err = s.jobReach(c, &before, rec.Reach.Group, &b.JobDefinition); err != nil {
		return spec, err
	}
	spec.Job, spec.Now, err = jobContent(&b.JobDefinition)
	return spec, err
}

// keptEnv are variables that keep their values: those that are named, and secret ones without a value.
func keptEnv(b *resource.PutJob) []string {
	kept := slices.Clone(b.KeepEnv)
	for _, name := range b.Secret {
		if _, anew := b.Env[name]; !anew {
			kept = append(kept, name)
		}
	}
	return kept
}

// mayHost asks for the right to have a script run on hosts, where it does.
func (s *server) mayHost(c *call, on access.Resource, x *resource.JobContainer) error {
	if x != nil {
		return nil
	}
	if err := s.Accounts.Authorize(c.who, access.JobsHost, on); err != nil {
		return fmt.Errorf("%w: a job without container runs on the host: give it a container, or ask somebody who may", err)
	}
	return nil
}

// exempt: policies of a group do not bind the caller.
func (s *server) exempt(c *call, group string) bool {
	return s.Accounts.Authorize(c.who, access.PolicyExempt, access.Resource{Kind: "group", ID: "/" + group, Group: group}) == nil
}

// jobReach reads which devices are meant. What the job names already, and the caller does not see, stays.
func (s *server) jobReach(c *call, before *jobs.Job, group string, b *resource.JobDefinition) (jobs.Reach, error) {
	r := jobs.Reach{Group: group, Selector: b.Selector}
	var err error
	if r.Include, err = s.edgeGroupsNamed(c, "body.include", b.Include, before.Reach.Include); err != nil {
		return r, err
	}
	if r.Exclude, err = s.edgeGroupsNamed(c, "body.exclude", b.Exclude, before.Reach.Exclude); err != nil {
		return r, err
	}
	for i, ref := range b.Devices {
		if slices.Contains(before.Reach.Devices, protocol.DeviceID(ref)) {
			r.Devices = append(r.Devices, protocol.DeviceID(ref))
			continue
		}
		d, err := s.Devices.Find(ref, func(d *fleet.Device) bool { return c.eyes().device(d) })
		if err != nil {
			return r, inField(fmt.Sprintf("body.devices[%d]", i), err)
		}
		if group != "" && d.Group != group && !strings.HasPrefix(d.Group, group+"/") {
			return r, invalid(fmt.Sprintf("body.devices[%d]", i), "device %s is in group /%s, not in the job's home /%s or below it: give the job a home that holds both", d.Name, d.Group, group)
		}
		r.Devices = append(r.Devices, d.ID)
	}
	slices.Sort(r.Devices)
	r.Devices = slices.Compact(r.Devices)
	return r, nil
}

// edgeGroupsNamed reads names of edge groups. Those of has that the caller does not see stay.
func (s *server) edgeGroupsNamed(c *call, field string, names []string, has []uint64) (ids []uint64, err error) {
	for _, name := range names {
		g, ok := s.EdgeGroups.Named(name)
		if !ok || !c.eyes().edgeGroup(&g) {
			return nil, inField(field, fmt.Errorf("%w: `edge-groups` lists those that there are", edgegroups.NotFound(name)))
		}
		ids = append(ids, g.ID)
	}
	seen := s.edgeGroupsByID(c, has)
	for _, id := range has {
		if !slices.ContainsFunc(seen, func(g edgegroups.Group) bool { return g.ID == id }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// edgeGroupNames are the names of those edge groups that the caller sees.
func (s *server) edgeGroupNames(c *call, ids []uint64) (names []string) {
	for _, g := range s.edgeGroupsByID(c, ids) {
		names = append(names, g.Name)
	}
	return names
}

// jobContent reads what devices are to do. Now: the schedule says at once.
func jobContent(b *resource.JobDefinition) (j protocol.Job, now bool, err error) {
	j = protocol.Job{
		Args: b.Args, Dir: b.Dir, User: b.User, Timeout: b.TimeoutSeconds, Retries: b.Retries, RetryDelay: b.RetryDelaySeconds,
		Overlap: b.Overlap, Output: b.Output, OutputCap: b.OutputCap,
	}
	if j.Schedule, now, err = scheduleIn(&b.Schedule); err != nil {
		return j, now, err
	}
	if j.Container, err = containerIn(b.Container); err != nil {
		return j, now, err
	}
	if b.MissedLimit != 0 && b.Missed != "all" {
		return j, now, invalid("body.missed_limit", "missed_limit goes with missed: all: leave it out, or say all")
	}
	switch b.Missed {
	case "":
		if b.Schedule.Kind == "at" {
			j.Missed = 1
		}
	case "skip":
	case "once":
		j.Missed = 1
	case "all":
		if j.Missed = b.MissedLimit; j.Missed == 0 {
			j.Missed = defaultMissed
		}
	}
	return j, now, nil
}

func containerIn(x *resource.JobContainer) (*protocol.JobContainer, error) {
	if x == nil {
		return nil, nil
	}
	out := &protocol.JobContainer{Image: x.Image, Mounts: x.Mounts, Network: x.Network, CPUs: x.MilliCPU, Memory: x.Memory, Pull: protocol.PullMissing}
	if x.Pull == "" {
		return out, nil
	}
	pull, err := parsePull(x.Pull)
	if err != nil {
		return nil, inField("body.container.pull", err)
	}
	out.Pull = pull
	return out, nil
}

func scheduleIn(b *resource.JobSchedule) (s protocol.JobSchedule, now bool, err error) {
	s = protocol.JobSchedule{Cron: b.Cron, Jitter: b.JitterSeconds}
	for _, t := range []struct {
		field string
		to    *int64
		unset bool
		at    int64
	}{
		{"at", &s.At, b.At.IsZero(), b.At.Unix()}, {"start", &s.Start, b.Start.IsZero(), b.Start.Unix()}, {"end", &s.End, b.End.IsZero(), b.End.Unix()},
	} {
		if t.unset {
			continue
		}
		if *t.to = t.at; t.at <= 0 {
			return s, false, invalid("body.schedule."+t.field, "%s lies before 1970: give a time to come", t.field)
		}
	}
	bad := func(field, why string) (protocol.JobSchedule, bool, error) {
		return s, false, invalid("body.schedule."+field, "schedule of kind %q: %s", b.Kind, why)
	}
	switch {
	case b.Kind == "cron" && b.Cron == "":
		return bad("cron", "it has no cron text: give one such as 0 2 * * *")
	case b.Kind == "at" && b.At.IsZero():
		return bad("at", "it has no time: give one such as 2027-01-31T02:00:00Z")
	case b.Kind != "cron" && b.Cron != "":
		return bad("cron", "cron text goes with kind cron: leave it out, or say cron")
	case b.Kind != "at" && !b.At.IsZero():
		return bad("at", "a time goes with kind at: leave it out, or say at")
	case b.Kind != "cron" && b.Zone != "" && b.Zone != jobs.ZoneHub:
		return bad("zone", "a zone goes with kind cron: leave it out")
	case b.Kind == "manual" && (b.JitterSeconds != 0 || !b.Start.IsZero() || !b.End.IsZero()):
		return bad("kind", "it never runs by itself: leave jitter_seconds, start and end out")
	}
	return s, b.Kind == "now", nil
}

// jobFault says which part of the request an error about a definition is about.
func jobFault(err error) error {
	if f, ok := errors.AsType[*jobs.FieldError](err); ok {
		return inField("body."+f.Field, err)
	}
	return err
}
