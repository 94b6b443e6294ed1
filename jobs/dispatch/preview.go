package dispatch

import (
	"errors"
	"fmt"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// PreviewSpec is a schedule that somebody thinks of.
type PreviewSpec struct {
	Schedule protocol.JobSchedule
	Zone     string
	// Script that is looked at too. Nil: none is.
	Script []byte
	// Device whose zone and jitter count. "": the hub's view, without jitter.
	Device protocol.DeviceID
}

// Preview says what a schedule means.
type Preview struct {
	Words    string      `json:"words"`
	Next     []time.Time `json:"next"`
	Warnings []string    `json:"warnings"`
	Problems []string    `json:"problems"`
}

// Preview says what a schedule means.
func (d *Desk) Preview(spec PreviewSpec) Preview {
	out := Preview{Next: []time.Time{}, Warnings: []string{}, Problems: []string{}}
	if spec.Script != nil {
		out.problem(jobs.CheckScript(spec.Script))
	}
	if err := jobs.CheckSchedule(spec.Schedule, spec.Zone); err != nil {
		out.problem(err)
		return out
	}
	zone := "UTC"
	if x, there := d.cfg.Fleet.Device(spec.Device); there {
		zone = x.Zone
	}
	v := jobs.Version{Zone: spec.Zone}
	v.Spec.Schedule = spec.Schedule
	s := v.Zoned(d.cfg.Zone, zone)
	out.Words = jobs.Words(s, zoneWords(spec.Zone))
	now := d.cfg.Now()
	out.Warnings = append(out.Warnings, jobs.Warnings(s, now)...)
	if spec.Device == "" && s.Jitter != 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("Each device runs it by a time of its own later than said here, up to %s.", jobs.Span(s.Jitter)))
		s.Jitter = 0
	}
	plan, err := jobs.NewPlan(s, 1, spec.Device)
	if err != nil {
		out.problem(err)
		return out
	}
	for _, at := range plan.Upcoming(now, 5) {
		out.Next = append(out.Next, at.UTC())
	}
	if len(out.Next) == 0 && (s.Cron != "" || s.At != 0) {
		out.Warnings = append(out.Warnings, "No run is due any more: the time is over.")
	}
	return out
}

// problem adds what is wrong, if anything is.
func (p *Preview) problem(err error) {
	var f *jobs.FieldError
	switch {
	case err == nil:
	case errors.As(err, &f):
		p.Problems = append(p.Problems, f.Field+": "+f.Reason)
	default:
		p.Problems = append(p.Problems, err.Error())
	}
}
