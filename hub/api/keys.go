package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/farshore/farshore/deploy"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

type keyInput struct {
	Key string `path:"key" doc:"Id, or a name that only it has"`
}

type newKeyInput struct{ Body resource.NewKey }

func (s *server) keyRoutes() {
	const tag = "Enrolment keys"
	add(s, route[struct{}, reply[resource.List[resource.Key]]]{
		Method: http.MethodGet, Path: "/keys", ID: "list-keys", Tag: tag, Summary: "List enrolment keys",
		Does: access.KeysRead, On: onAny[struct{}]("key"),
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Key]], error) {
			return list(s.keysOf(c), key), nil
		},
	})
	add(s, route[newKeyInput, reply[resource.Key]]{
		Method: http.MethodPost, Path: "/keys", ID: "create-key", Tag: tag, Summary: "Make an enrolment key",
		Description: "The answer has the edge key that devices are given. It is shown this once.", Status: http.StatusCreated,
		Does: access.KeysCreate, On: func(c *call, in *newKeyInput) (access.Resource, error) {
			return access.Resource{Kind: "key", ID: in.Body.Name, Group: s.place(in.Body.Group)}, nil
		},
		Run: s.createKey,
	})
	add(s, route[keyInput, reply[resource.Key]]{
		Method: http.MethodGet, Path: "/keys/{key}", ID: "get-key", Tag: tag, Summary: "Look at an enrolment key",
		Description: "Without the edge key: that is not kept.",
		Does:        access.KeysRead, On: s.onKey,
		Run: func(_ context.Context, c *call, _ *keyInput) (*reply[resource.Key], error) {
			k, err := s.findKey(c, c.on.ID)
			return replyWith(key(k)), err
		},
	})
	add(s, route[keyInput, none]{
		Method: http.MethodDelete, Path: "/keys/{key}", ID: "remove-key", Tag: tag, Summary: "Remove an enrolment key",
		Description: "Devices that wait for it leave the waiting room; devices that are in stay in.", Status: http.StatusNoContent,
		Does: access.KeysRemove, On: s.onKey,
		Run: func(_ context.Context, c *call, _ *keyInput) (*none, error) {
			_, err := s.Keys.RemoveKey(c.on.ID)
			return nil, err
		},
	})
}

func (s *server) createKey(_ context.Context, c *call, in *newKeyInput) (*reply[resource.Key], error) {
	b := in.Body
	if err := fleet.CheckLabels(b.Labels); err != nil {
		return nil, inField("body.labels", err)
	}
	if err := s.Groups.EnsureGroup(b.Group); err != nil {
		return nil, inField("body.group", err)
	}
	spec := admission.KeySpec{
		Name: b.Name, Uses: b.Uses, Expires: b.Expires, Group: b.Group, Labels: b.Labels, MaxWaiting: b.MaxWaiting,
		DeviceName: b.DeviceName, By: c.by(),
	}
	if b.AutoApprove != nil {
		rule := waitingroom.Rule(*b.AutoApprove)
		spec.AutoApprove = &rule
	}
	made, edgeKey, err := s.Keys.CreateKey(spec)
	if err != nil {
		return nil, err
	}
	c.on.ID = made.ID
	c.detail = fmt.Sprintf("enrolment key %q", made.Name)
	out := key(made)
	out.EdgeKey = edgeKey
	out.RunCommand = "FARSHORE_EDGE_KEY=" + edgeKey + " farshore-agent run --data " + deploy.DataFolder
	commands, err := deploy.For(edgeKey, s.AgentImage)
	if err != nil {
		return nil, fmt.Errorf("make the commands that start an agent: %w", err)
	}
	out.RunCommands = &resource.RunCommands{Container: commands.Container, Service: commands.Service}
	return replyWith(out), nil
}

func (s *server) onKey(c *call, in *keyInput) (access.Resource, error) {
	k, err := s.findKey(c, in.Key)
	if err != nil {
		return access.Resource{Kind: "key", ID: in.Key, Any: errors.Is(err, fleet.ErrAmbiguous)}, err
	}
	return access.Resource{Kind: "key", ID: k.ID, Group: k.Group}, nil
}

// keysOf are the enrolment keys that the caller may see.
func (s *server) keysOf(c *call) []waitingroom.EnrolmentKey {
	scope := s.Accounts.Scope(c.who, access.KeysRead)
	return slices.DeleteFunc(s.Keys.Keys(), func(k waitingroom.EnrolmentKey) bool {
		return !scope.Covers(access.Resource{Kind: "key", ID: k.ID, Group: k.Group})
	})
}

func (s *server) findKey(c *call, ref string) (waitingroom.EnrolmentKey, error) {
	all := s.keysOf(c)
	if i := slices.IndexFunc(all, func(k waitingroom.EnrolmentKey) bool { return k.ID == ref }); i >= 0 {
		return all[i], nil
	}
	named := slices.DeleteFunc(all, func(k waitingroom.EnrolmentKey) bool { return k.Name != ref })
	switch len(named) {
	case 0:
		return waitingroom.EnrolmentKey{}, fmt.Errorf("%w: %.160q: `farshore keys ls` lists all", admission.ErrKeyUnknown, ref)
	case 1:
		return named[0], nil
	}
	return waitingroom.EnrolmentKey{}, fmt.Errorf("enrolment key %.160q: %w: %d have this name: give the id", ref, fleet.ErrAmbiguous, len(named))
}

func key(k waitingroom.EnrolmentKey) resource.Key {
	out := resource.Key{
		ID: k.ID, Name: k.Name, Uses: k.Uses, Used: k.Used, Expires: at(k.Expires), Group: k.Group, Labels: k.Labels,
		MaxWaiting: k.MaxWaiting, SingleDevice: k.SingleDevice, DeviceName: k.DeviceName, Created: at(k.Created), CreatedBy: k.CreatedBy,
		Unusable: k.Unusable,
	}
	if k.AutoApprove != nil {
		rule := resource.Rule(*k.AutoApprove)
		out.AutoApprove = &rule
	}
	return out
}
