package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/protocol"
)

// Registries of images; *registries.Book is one.
type Registries interface {
	List() []registries.Listed
	Get(id string) (registries.Listed, bool)
	Create(registries.Change) (registries.Listed, error)
	Edit(id string, c registries.Change) (registries.Listed, error)
	Remove(id string, expect func(*registries.Registry) error) error
	Check(ctx context.Context, id string) (registries.Finding, error)
}

// RegistryRef names a registry. It is exported because only exported fields are filled.
type RegistryRef struct {
	Registry string `path:"registry" doc:"Its id or name"`
}

type createRegistryInput struct {
	Body resource.PutRegistry
}

type putRegistryInput struct {
	RegistryRef
	IfMatch
	Body resource.PutRegistry
}

type removeRegistryInput struct {
	RegistryRef
	IfMatch
}

func (s *server) registryRoutes() {
	const tag = "Registries"
	add(s, route[struct{}, reply[resource.List[resource.Registry]]]{
		Method: http.MethodGet, Path: "/registries", ID: "list-registries", Tag: tag, Summary: "List registries of images by name",
		Description: "A device that has a stack with images of a registry is given the user and the password of the registry whose home group is nearest to it, sealed to its key.",
		Does:        access.RegistriesRead, On: onAny[struct{}]("registry"),
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Registry]], error) {
			return list(s.registriesOf(c), registry), nil
		},
	})
	add(s, route[RegistryRef, reply[resource.Registry]]{
		Method: http.MethodGet, Path: "/registries/{registry}", ID: "get-registry", Tag: tag, Summary: "Look at a registry",
		Does: access.RegistriesRead, On: s.onRegistry,
		Run: func(_ context.Context, c *call, _ *RegistryRef) (*reply[resource.Registry], error) {
			r, ok := s.Registries.Get(c.on.ID)
			if !ok {
				return nil, noRegistry(c.on.ID)
			}
			return replyWith(registry(r)), nil
		},
	})
	add(s, route[createRegistryInput, reply[resource.Registry]]{
		Method: http.MethodPost, Path: "/registries", ID: "create-registry", Tag: tag, Status: http.StatusCreated, Summary: "Add a registry",
		Does: access.RegistriesChange, On: func(_ *call, in *createRegistryInput) (access.Resource, error) {
			on, err := s.onGroup(in.Body.Group)
			on.Kind, on.ID = "registry", protocol.Printable(in.Body.Address, protocol.MaxName)
			return on, err
		},
		Run: func(_ context.Context, c *call, in *createRegistryInput) (*reply[resource.Registry], error) {
			change, err := s.registryChange(c, &in.Body)
			if err != nil {
				return nil, err
			}
			r, err := s.Registries.Create(change)
			if err != nil {
				return nil, err
			}
			c.on.ID, c.detail = r.ID, detailOf(r)
			return replyWith(registry(r)), nil
		},
	})
	add(s, route[putRegistryInput, reply[resource.Registry]]{
		Method: http.MethodPut, Path: "/registries/{registry}", ID: "put-registry", Tag: tag, Summary: "Change a registry",
		Description: "Without a password it keeps the one it has, but not for another address.",
		Does:        access.RegistriesChange, On: func(c *call, in *putRegistryInput) (access.Resource, error) { return s.onRegistry(c, &in.RegistryRef) },
		Run: func(_ context.Context, c *call, in *putRegistryInput) (*reply[resource.Registry], error) {
			change, err := s.registryChange(c, &in.Body)
			if err != nil {
				return nil, err
			}
			to := access.Resource{Kind: "registry", ID: c.on.ID, Group: change.Group}
			if err := c.may(to); err != nil {
				return nil, err
			}
			want := s.expect(Expect{IfMatch: in.IfMatch}, c.on)
			change.Expect = func(now *registries.Registry) error {
				if now.Group != c.on.Group {
					return fmt.Errorf("%s %w: it was moved to group /%s", c.on, errChanged, now.Group)
				}
				return want.meets(registryEtag(now))
			}
			r, err := s.Registries.Edit(c.on.ID, change)
			if err != nil {
				return nil, err
			}
			c.detail = detailOf(r)
			if change.Password != "" {
				c.detail += ", with a new password"
			}
			return replyWith(registry(r)), nil
		},
	})
	add(s, route[removeRegistryInput, none]{
		Method: http.MethodDelete, Path: "/registries/{registry}", ID: "remove-registry", Tag: tag, Status: http.StatusNoContent, Summary: "Remove a registry",
		Description: "Devices keep the images that they have.",
		Does:        access.RegistriesChange, On: func(c *call, in *removeRegistryInput) (access.Resource, error) {
			return s.onRegistry(c, &in.RegistryRef)
		},
		Run: func(_ context.Context, c *call, in *removeRegistryInput) (*none, error) {
			want := s.expect(Expect{IfMatch: in.IfMatch}, c.on)
			return nil, s.Registries.Remove(c.on.ID, func(now *registries.Registry) error { return want.meets(registryEtag(now)) })
		},
	})
	add(s, route[RegistryRef, reply[resource.RegistryCheck]]{
		Method: http.MethodPost, Path: "/registries/{registry}/check", ID: "check-registry", Tag: tag, Summary: "Ask a registry whether it lets its user in",
		Description: "The hub asks. That it cannot reach the registry is no error: devices may be elsewhere.",
		Does:        access.RegistriesChange, On: s.onRegistry, Records: "registries.check",
		Run: func(ctx context.Context, c *call, _ *RegistryRef) (*reply[resource.RegistryCheck], error) {
			found, err := s.Registries.Check(ctx, c.on.ID)
			if err != nil {
				return nil, err
			}
			c.detail = found.Text
			return replyWith(resource.RegistryCheck(found)), nil
		},
	})
}

// registriesOf are those that the caller sees.
func (s *server) registriesOf(c *call) []registries.Listed {
	seen := s.Accounts.Scope(c.who, access.RegistriesRead)
	var out []registries.Listed
	for _, r := range s.Registries.List() {
		if seen.Covers(onRegistry(&r.Registry)) {
			out = append(out, r)
		}
	}
	return out
}

func onRegistry(r *registries.Registry) access.Resource {
	return access.Resource{Kind: "registry", ID: r.ID, Group: r.Group}
}

// onRegistry finds the registry that a path names.
func (s *server) onRegistry(c *call, in *RegistryRef) (access.Resource, error) {
	all := s.registriesOf(c)
	for _, is := range []func(*registries.Registry) bool{
		func(r *registries.Registry) bool { return r.ID == in.Registry },
		func(r *registries.Registry) bool { return r.Name == in.Registry },
	} {
		for i := range all {
			if is(&all[i].Registry) {
				return onRegistry(&all[i].Registry), nil
			}
		}
	}
	return access.Resource{Kind: "registry", ID: protocol.Printable(in.Registry, protocol.MaxName)}, noRegistry(in.Registry)
}

func noRegistry(ref string) error {
	return fmt.Errorf("registry %.160q: %w: `farshore registries ls` lists all", ref, errNotFound)
}

// registryChange is what a body asks for, in a group that is there.
func (s *server) registryChange(c *call, b *resource.PutRegistry) (registries.Change, error) {
	group := strings.Trim(b.Group, "/")
	if s.place(group) != group {
		return registries.Change{}, inField("body.group", fmt.Errorf("group %.160q: %w: make it first", group, fleet.ErrNotFound))
	}
	return registries.Change{
		Name: b.Name, Address: b.Address, User: b.User, Password: b.Password, Group: group, Note: strings.TrimSpace(b.Note), CA: b.CA, By: c.by(),
	}, nil
}

// detailOf says in the audit trail which one it is.
func detailOf(r registries.Listed) string {
	return fmt.Sprintf("%q: %s as %s in group /%s", r.Name, r.Address, r.User, r.Group)
}

func registryEtag(r *registries.Registry) string {
	if r == nil {
		return ""
	}
	return etagOf([]any{r.ID, r.Name, r.Address, r.User, r.Sealed, r.Group, r.Note, r.CA})
}

func registry(r registries.Listed) resource.Registry {
	return resource.Registry{
		ID: r.ID, Name: r.Name, Address: r.Address, User: r.User, Lost: r.Lost, Group: r.Group, Note: r.Note, CA: r.CA,
		Created: at(r.Created), Updated: at(r.Updated), By: r.By, Etag: registryEtag(&r.Registry),
	}
}
