package updates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
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
type Window = protocol.ChangeWindow

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
	case s.Plan.ByOrder && s.OrderLabel == "":
		return fmt.Errorf("%w: to go by order, it needs the label that has the order: order_label", ErrInvalid)
	}
	if err := stacks.CheckWindows(s.Windows); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

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
