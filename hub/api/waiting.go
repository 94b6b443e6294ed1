package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
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
		Does: access.WaitingRead, On: onAll[waitingInput]("waiting"),
		Run: func(_ context.Context, _ *call, in *waitingInput) (*reply[resource.List[resource.Waiting]], error) {
			all := slices.DeleteFunc(s.Waiting.List(), func(w waitingroom.Waiting) bool {
				return in.State != "all" && string(w.State) != in.State
			})
			return list(all, waiting), nil
		},
	})
	add(s, route[approveInput, reply[outcomes]]{
		Method: http.MethodPost, Path: "/waiting/approve", ID: "approve", Tag: tag, Summary: "Let devices in",
		Description: "Each by its id, or by the pairing code alone. Of one device, a failure is a problem; of several, " +
			"each has its outcome, and those that worked are in.",
		Does: access.WaitingApprove, On: onAll[approveInput]("waiting"), Run: s.approve,
	})
	add(s, route[rejectInput, reply[outcomes]]{
		Method: http.MethodPost, Path: "/waiting/reject", ID: "reject", Tag: tag, Summary: "Say no to devices",
		Description: "They can still be approved, and the no can be taken back. A blocked device is not shown again when it knocks.",
		Does:        access.WaitingReject, On: onAll[rejectInput]("waiting"), Run: s.reject,
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
	on := access.Resource{Kind: "device", ID: string(a.ID), Group: a.Group}
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
	on := access.Resource{Kind: "device", ID: string(no.ID)}
	defer func() { c.note(on, err) }()
	if err := c.may(on); err != nil {
		return err
	}
	return s.Waiting.Reject(no)
}

func waiting(w waitingroom.Waiting) resource.Waiting {
	return resource.Waiting{
		ID: w.ID, PairingCode: w.PairingCode, State: string(w.State), Key: w.EnrolmentKey, Facts: w.Facts, Wishes: w.Labels,
		FirstKnock: at(w.First), LastKnock: at(w.Last), Knocks: w.Count, Remote: w.Remote, Marks: w.Marks, Notes: w.Notes,
		Decided: at(w.Decided), DecidedBy: w.By,
	}
}
