package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/stacks"
)

// Policies say what stacks and live calls may ask of engines; *policy.Book is one.
type Policies interface {
	All() []policy.Policy
	Of(group string) policy.Policy
	Holding(group string) []policy.Policy
	Loosens(from, to string) (policy.Policy, bool)
	Put(p policy.Policy, expect func(policy.Policy) error) error
}

type policiesInput struct {
	Group string `query:"group" doc:"Only those that hold in this group: those of the groups above it that forbid something, and its own at the end; / is the root"`
}

type putPolicyInput struct {
	Expect
	Body resource.PutPolicy
}

func (s *server) policyRoutes() {
	const tag = "Policies"
	add(s, route[policiesInput, reply[resource.List[resource.Policy]]]{
		Method: http.MethodGet, Path: "/policies", ID: "list-policies", Tag: tag, Summary: "List what groups forbid stacks and live calls to ask of an engine",
		Description: "What a group forbids is forbidden in every group below it as well. Administrators and device administrators of a group are exempt there.",
		Does:        access.GroupsRead, On: func(_ *call, in *policiesInput) (access.Resource, error) {
			if in.Group != "" {
				return s.onGroup(in.Group)
			}
			return access.Resource{Kind: "policy", Any: true}, nil
		},
		Run: func(_ context.Context, c *call, in *policiesInput) (*reply[resource.List[resource.Policy]], error) {
			all := s.Policies.All()
			if in.Group != "" {
				group := pathOf(c.on)
				holding := s.Policies.Holding(group)
				if len(holding) == 0 || holding[len(holding)-1].Group != group {
					holding = append(holding, s.Policies.Of(group)) // with its etag
				}
				return list(holding, policyOut), nil
			}
			seen := s.Accounts.Scope(c.who, access.GroupsRead)
			return list(slices.DeleteFunc(all, func(p policy.Policy) bool { return !seen.Leads(p.Group) }), policyOut), nil
		},
	})
	add(s, route[putPolicyInput, reply[resource.Policy]]{
		Method: http.MethodPut, Path: "/policies", ID: "put-policy", Tag: tag, Summary: "Say what a group forbids; nothing: it forbids nothing of its own",
		Description: "It holds for what is applied from now on, and for devices that get a stack from now on; stacks that run are left alone. Jobs are taken from devices where they are not allowed any more.",
		Does:        access.PolicyChange, On: func(_ *call, in *putPolicyInput) (access.Resource, error) {
			on, err := s.onGroup(in.Body.Group)
			on.Kind = "policy"
			return on, err
		},
		Run: func(_ context.Context, c *call, in *putPolicyInput) (*reply[resource.Policy], error) {
			p := policy.Policy{Group: pathOf(c.on), Images: in.Body.Images, Note: strings.TrimSpace(in.Body.Note)}
			for _, r := range in.Body.Forbid {
				p.Forbid = append(p.Forbid, stacks.Rule(r))
			}
			if !p.Empty() && s.place(p.Group) != p.Group {
				return nil, inField("body.group", fmt.Errorf("group %.160q: %w: make it first", p.Group, fleet.ErrNotFound))
			}
			want := s.expect(in.Expect, c.on)
			err := s.Policies.Put(p, func(now policy.Policy) error { return want.meets(policyEtag(now)) })
			return replyWith(policyOut(s.Policies.Of(p.Group))), err
		},
	})
}

func policyOut(p policy.Policy) resource.Policy {
	out := resource.Policy{Group: p.Group, Forbid: []string{}, Images: append([]string{}, p.Images...), Note: p.Note, Etag: policyEtag(p)}
	for _, r := range p.Forbid {
		out.Forbid = append(out.Forbid, string(r))
	}
	return out
}

func policyEtag(p policy.Policy) string { return etagOf([]any{p.Group, p.Forbid, p.Images, p.Note}) }
