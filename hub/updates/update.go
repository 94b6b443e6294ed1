package updates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/internal/cron"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

// Spec is what an operator asks for.
type Spec struct {
	// Release is the version that devices shall have.
	Release string `cbor:"1,keyasint"`
	// Selector and Group name the devices: those of the group, and below it, that the selector matches. Empty: all.
	Selector string `cbor:"2,keyasint,omitempty"`
	Group    string `cbor:"3,keyasint,omitempty"`
	// Plan says in which steps.
	Plan rollout.Plan `cbor:"4,keyasint"`
	// OrderLabel is the label whose value, a number, is the order of a device for Plan.ByOrder. Devices without it go last.
	OrderLabel string `cbor:"5,keyasint,omitempty"`
	// Windows are the times at which a device may change. None: any time.
	Windows []Window `cbor:"6,keyasint,omitempty"`
	// Begin is when it begins, Unix seconds. 0: at once.
	Begin int64 `cbor:"7,keyasint,omitempty"`
	// Trial is within how many seconds a new agent must be in session with the hub. 0: protocol.DefaultTrial.
	Trial uint32 `cbor:"8,keyasint,omitempty"`
	// Downgrade: devices that run something newer get it too.
	Downgrade bool   `cbor:"9,keyasint,omitempty"`
	Message   string `cbor:"10,keyasint,omitempty"`
}

// Window is a time that comes again and again.
type Window struct {
	// Start as cron writes it, such as "0 2 * * 6,7".
	Start string `cbor:"1,keyasint" json:"start" doc:"When it opens, as cron writes it: minute, hour, day of month, month, day of week" example:"0 2 * * 6,7"`
	// Minutes that it lasts.
	Minutes uint32 `cbor:"2,keyasint" json:"minutes" minimum:"1" maximum:"10080" doc:"How long it lasts"`
	// Zone names the time zone, such as Europe/Oslo. "": that of the device's label timezone (Europe.Oslo), else UTC.
	Zone string `cbor:"3,keyasint,omitempty" json:"zone,omitempty" doc:"Time zone such as Europe/Oslo; absent: that of the device's label timezone, such as Europe.Oslo, else UTC" example:"Europe/Oslo"`
}

// zoneLabel is the label by which people say in which time zone a device is. Labels have no "/", so it has a ".".
const zoneLabel = "timezone"

const maxWindow = 7 * 24 * 60 // minutes

func (w Window) check() error {
	if _, err := cron.Parse(w.Start); err != nil {
		return fmt.Errorf("%w: change window: %w", ErrInvalid, err)
	}
	if w.Minutes < 1 || w.Minutes > maxWindow {
		return fmt.Errorf("%w: change window %q lasts %d minutes: want 1 to %d", ErrInvalid, w.Start, w.Minutes, maxWindow)
	}
	if _, err := time.LoadLocation(w.Zone); err != nil {
		return fmt.Errorf("%w: change window %q: time zone %.60q is not known here: want a name such as Europe/Oslo", ErrInvalid, w.Start, w.Zone)
	}
	return nil
}

// open reports until when the window is open at now, or else when it opens.
func (w Window) open(now time.Time, labels map[string]string) (until, next time.Time) {
	name := w.Zone
	if name == "" {
		name = strings.ReplaceAll(labels[zoneLabel], ".", "/")
	}
	zone, err := time.LoadLocation(name)
	if err != nil { // what a label says is not held to names of zones
		zone = time.UTC
	}
	times, err := cron.Parse(w.Start)
	if err != nil {
		return time.Time{}, time.Time{}
	}
	long := time.Duration(w.Minutes) * time.Minute
	if began := times.Next(now.In(zone).Add(-long)); !began.IsZero() && !began.After(now) {
		return began.Add(long), time.Time{}
	}
	return time.Time{}, times.Next(now.In(zone))
}

// windowAt reports until when a device may change at now (the zero time: for ever), or else when it may.
func windowAt(windows []Window, now time.Time, labels map[string]string) (until, next time.Time, open bool) {
	for _, w := range windows {
		end, opens := w.open(now, labels)
		if !end.IsZero() && end.After(until) {
			until = end
		}
		if !opens.IsZero() && (next.IsZero() || opens.Before(next)) {
			next = opens
		}
	}
	return until, next, len(windows) == 0 || !until.IsZero()
}

// Update is one update of many devices. It is the stored record.
type Update struct {
	ID   string `cbor:"1,keyasint"`
	Spec `cbor:"2,keyasint"`
	// By is who started it.
	By string `cbor:"11,keyasint"`
	// Created and Ended in Unix seconds. Ended 0: it is not over.
	Created int64 `cbor:"12,keyasint"`
	Ended   int64 `cbor:"13,keyasint,omitempty"`
	// Rollout is where it stands.
	Rollout rollout.State `cbor:"14,keyasint"`
}

// Job is what was last done on one device. It is the stored record.
type Job struct {
	Device  protocol.DeviceID `cbor:"1,keyasint"`
	Attempt uint32            `cbor:"2,keyasint,omitempty"`
	// Command that was given. 0: none was, since Code says why it cannot be.
	Command protocol.CommandID `cbor:"3,keyasint,omitempty"`
	// Back: it brings the device back.
	Back bool `cbor:"4,keyasint,omitempty"`
	// From is the version that the device ran before the update.
	From string `cbor:"5,keyasint,omitempty"`
	// State of the command as far as the hub knows.
	State protocol.CommandState `cbor:"6,keyasint,omitempty"`
	Code  string                `cbor:"7,keyasint,omitempty"`
	Text  string                `cbor:"8,keyasint,omitempty"`
	// Bytes that the programs take on the way, and whether they are patches.
	Bytes uint64 `cbor:"9,keyasint,omitempty"`
	Patch bool   `cbor:"10,keyasint,omitempty"`
	// Given and Ended in Unix seconds.
	Given int64 `cbor:"11,keyasint,omitempty"`
	Ended int64 `cbor:"12,keyasint,omitempty"`
}

func (j *Job) open() bool { return j.Command != 0 && !j.State.Final() }

// check reports the first thing about a spec that cannot be done, but for what depends on the fleet.
func (s *Spec) check() error {
	if err := s.Plan.Check(); err != nil {
		return err
	}
	switch {
	case s.Trial > protocol.MaxTrial:
		return fmt.Errorf("%w: a trial of %d s: want at most %d s", ErrInvalid, s.Trial, protocol.MaxTrial)
	case len(s.Windows) > maxWindows:
		return fmt.Errorf("%w: %d change windows: want at most %d", ErrInvalid, len(s.Windows), maxWindows)
	case s.Plan.ByOrder && s.OrderLabel == "":
		return fmt.Errorf("%w: to go by order, it needs the label that has the order: order_label", ErrInvalid)
	}
	for _, w := range s.Windows {
		if err := w.check(); err != nil {
			return err
		}
	}
	return nil
}

const maxWindows = 16

// Codes of devices that did not get an update, beside those of protocol.
const (
	CodeQuiet     = "quiet"             // it is not heard of
	CodeWindow    = "window"            // outside of its change windows
	CodePreparing = "preparing"         // its programs are being made ready on the hub
	CodeBusy      = "other-update"      // another update of it is under way
	CodeNoCollect = "does-not-collect"  // it is heard of, and did not collect the last command
	CodeUnable    = "update-unable"     // it says that it cannot update itself, or its agent is too old to
	CodePlatform  = "update-platform"   // the release has no program for it
	CodeNewer     = "update-newer"      // it runs something newer
	CodeNoRelease = "update-no-release" // the release is not on the hub (any more)
	CodeSilent    = "update-silent"     // it took the update and was not heard of for long
	CodeHub       = "update-hub"        // the hub could not give it
)

// Status is one device of an update, as it is shown.
type Status struct {
	Device  protocol.DeviceID
	Rollout rollout.Device
	Job     Job // zero: nothing was done on it
	// Version that it runs, as it said last.
	Version string
	// Standing, Code and Next are as seen now, where the device has not ended.
	Code string
	Next time.Time
}

// sortStatuses puts those first at which one looks first: failed, under way, waiting, and those that are done.
func sortStatuses(list []Status) {
	rank := map[rollout.Status]int{
		rollout.StatusStuck: 0, rollout.StatusFailed: 1, rollout.StatusReturning: 2, rollout.StatusGoing: 3, rollout.StatusChosen: 4,
		rollout.StatusWaiting: 5, rollout.StatusReturned: 6, rollout.StatusSucceeded: 7,
	}
	slices.SortFunc(list, func(a, b Status) int {
		if c := rank[a.Rollout.Status] - rank[b.Rollout.Status]; c != 0 {
			return c
		}
		return strings.Compare(string(a.Device), string(b.Device))
	})
}
