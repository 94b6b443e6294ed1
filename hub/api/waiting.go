package api

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

type waitingInput struct {
	State string `query:"state" enum:"waiting,rejected,blocked,all" default:"waiting"`
}

type approveInput struct{ Body resource.Approve }

type rejectInput struct{ Body resource.Reject }

type outcomes = resource.List[resource.Outcome]

func (s *server) waitingRoutes() {
	const tag = "Waiting room"
	add(s, route[waitingInput, reply[resource.List[resource.Waiting]]]{
		Method: http.MethodGet, Path: "/waiting", ID: "list-waiting", Tag: tag, Summary: "List the devices that wait, the longest waiting first",
		Does: access.WaitingRead, On: onAny[waitingInput]("waiting"),
		Run: func(_ context.Context, c *call, in *waitingInput) (*reply[resource.List[resource.Waiting]], error) {
			all := slices.DeleteFunc(s.waitingFor(c), func(w waitingroom.Waiting) bool {
				return in.State != "all" && string(w.State) != in.State
			})
			return list(all, func(w waitingroom.Waiting) resource.Waiting { return waiting(c.eyes(), w) }), nil
		},
	})
	add(s, route[approveInput, reply[outcomes]]{
		Method: http.MethodPost, Path: "/waiting/approve", ID: "approve", Tag: tag, Summary: "Let devices in",
		Description: "Each by its id, or by the pairing code alone. Of one device, a failure is a problem; of several, " +
			"each has its outcome, and those that worked are in.",
		Does: access.WaitingApprove, On: onAny[approveInput]("waiting"), Run: s.approve,
	})
	add(s, route[rejectInput, reply[outcomes]]{
		Method: http.MethodPost, Path: "/waiting/reject", ID: "reject", Tag: tag, Summary: "Say no to devices",
		Description: "They can still be approved, and the no can be taken back. A blocked device is not shown again when it knocks.",
		Does:        access.WaitingReject, On: onAny[rejectInput]("waiting"), Run: s.reject,
	})
}

func (s *server) approve(ctx context.Context, c *call, in *approveInput) (*reply[outcomes], error) {
	out := make([]resource.Outcome, 0, len(in.Body.Approvals))
	for _, a := range in.Body.Approvals {
		in, err := s.approveOne(ctx, c, a)
		if err != nil && len(out) == 0 && cap(out) == 1 {
			return nil, err
		}
		o := resource.Outcome{ID: a.ID}
		if err != nil {
			o.Error = s.sentence(err)
		} else {
			o.ID, o.Name = in.ID, in.Name
		}
		out = append(out, o)
	}
	return replyWith(outcomes{Items: out}), nil
}

func (s *server) approveOne(ctx context.Context, c *call, a resource.Approval) (in admission.Admitted, err error) {
	on := s.onWaiting(c, a.ID, a.Code)
	detail := ""
	defer func() { c.noted = append(c.noted, outcome{on, err, detail}) }()
	if a.ID == "" && a.Code == "" {
		return in, invalid("body.approvals", "an approval has neither id nor code: give one of them")
	}
	if err := fleet.CheckLabels(a.Labels); err != nil {
		return in, inField("body.approvals.labels", err)
	}
	if err := c.may(on); err != nil {
		return in, err
	}
	if a.Group != "" { // it is to be in another group than its enrolment key says
		if err := c.may(access.Resource{Kind: "device", ID: on.ID, Group: s.place(a.Group)}); err != nil {
			return in, err
		}
	}
	in, err = s.Waiting.Approve(ctx, admission.Approval{
		ID: a.ID, Code: a.Code, Name: a.Name, Group: a.Group, Profile: a.Profile, Labels: a.Labels, By: c.by(),
	})
	if err == nil {
		on.ID = string(in.ID)
		if d, ok := s.Devices.Device(in.ID); ok {
			in.Name = d.Name // it may have been made unique
			detail = admitted(&d)
		}
	}
	return in, err
}

// admitted says in the audit trail how a device was let in.
func admitted(d *fleet.Device) string {
	compared := "pairing code not compared"
	if d.Confirmed {
		compared = "confirmed"
	}
	return fmt.Sprintf("%s, as %q in group %q", compared, d.Name, d.Group)
}

func (s *server) reject(_ context.Context, c *call, in *rejectInput) (*reply[outcomes], error) {
	out := make([]resource.Outcome, 0, len(in.Body.IDs))
	for _, id := range in.Body.IDs {
		err := s.rejectOne(c, admission.Rejection{ID: id, Block: in.Body.Block, Undo: in.Body.Undo, By: c.by()})
		if err != nil && cap(out) == 1 {
			return nil, err
		}
		o := resource.Outcome{ID: id}
		if err != nil {
			o.Error = s.sentence(err)
		}
		out = append(out, o)
	}
	return replyWith(outcomes{Items: out}), nil
}

func (s *server) rejectOne(c *call, no admission.Rejection) (err error) {
	on := s.onWaiting(c, no.ID, "")
	defer func() { c.note(on, err) }()
	if err := c.may(on); err != nil {
		return err
	}
	return s.Waiting.Reject(no)
}

// waitingFor are the devices in the waiting room that the caller may do the call's operation on. They belong to the group
// of the enrolment key that they knocked with, and to the root where it was removed.
func (s *server) waitingFor(c *call) []waitingroom.Waiting {
	scope, groups := c.scope(), s.groupsOfKeys()
	all := s.Waiting.List()
	if scope.All() {
		return all
	}
	return slices.DeleteFunc(all, func(w waitingroom.Waiting) bool { return !scope.Covers(onWaiting(&w, groups)) })
}

// groupsOfKeys are the groups of enrolment keys by their ids.
func (s *server) groupsOfKeys() map[string]string {
	groups := map[string]string{}
	for _, k := range s.Keys.Keys() {
		groups[k.ID] = s.place(k.Group)
	}
	return groups
}

// onWaiting is the device with an id, or with a pairing code. One that does not wait, or not for the caller, is at the
// root: who may not approve there is told the same of both.
func (s *server) onWaiting(c *call, id protocol.DeviceID, code string) access.Resource {
	if id == "" {
		code, _ = waitingroom.NormalizeCode(code)
	}
	for _, w := range s.waitingFor(c) {
		if w.ID == id || id == "" && w.PairingCode == code && code != "" {
			return onWaiting(&w, s.groupsOfKeys())
		}
	}
	return access.Resource{Kind: "device", ID: string(id)}
}

// named finds the name and the id of another device in a note of the waiting room.
var named = regexp.MustCompile(` of .* \([a-z2-7]{16}\)(, which)`)

// unnamed takes other devices out of notes for those who may not see all devices.
func (y *eyes) unnamed(notes []string) []string {
	if y.allDevices {
		return notes
	}
	out := make([]string, len(notes))
	for i, n := range notes {
		out[i] = named.ReplaceAllString(n, " of another device$1")
	}
	return out
}

func waiting(y *eyes, w waitingroom.Waiting) resource.Waiting {
	return resource.Waiting{
		ID: w.ID, PairingCode: w.PairingCode, State: string(w.State), Key: w.EnrolmentKey, Facts: w.Facts, Wishes: w.Labels,
		FirstKnock: at(w.First), LastKnock: at(w.Last), Knocks: w.Count, Remote: w.Remote, Marks: y.unnamed(w.Marks), Notes: y.unnamed(w.Notes),
		Decided: at(w.Decided), DecidedBy: w.By,
	}
}
