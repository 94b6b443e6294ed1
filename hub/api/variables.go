package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/variables"
	"github.com/farshore/farshore/protocol"
)

// Variables of groups and devices; *variables.Book is one.
type Variables interface {
	List(variables.Scope) []variables.Listed
	Holding(device protocol.DeviceID, group string) []variables.Listed
	Set(variables.Scope, variables.Change) error
	Unset(scope variables.Scope, name string, expect func(*variables.Variable) error) error
}

// GroupPath names a group. It is exported because only exported fields are filled.
type GroupPath struct {
	Path string `query:"path" doc:"Such as norway/oslo; absent: the root"`
}

// VariableRef names a variable.
type VariableRef struct {
	Variable string `path:"variable" doc:"Its name"`
}

type putGroupVariableInput struct {
	GroupPath
	VariableRef
	Expect
	Body resource.PutVariable
}

type groupVariableInput struct {
	GroupPath
	VariableRef
	IfMatch
}

type putDeviceVariableInput struct {
	DeviceRef
	VariableRef
	Expect
	Body resource.PutVariable
}

type deviceVariableInput struct {
	DeviceRef
	VariableRef
	IfMatch
}

func (s *server) variableRoutes() {
	const tag = "Variables"
	const about = "They are given to Compose interpolation: the device's before its group's, and that before those of groups above; " +
		"a stack's own count least. A stack gets those that its bundle uses. "
	const secret = "Setting one that a stack uses changes that stack on the devices. A secret one is never shown again."
	type listed = reply[resource.List[resource.Variable]]
	add(s, route[GroupPath, listed]{
		Method: http.MethodGet, Path: "/groups/variables", ID: "list-group-variables", Tag: tag, Summary: "List the variables that hold in a group",
		Description: about + "Those of groups above are listed too, where the group has none of the name.",
		Does:        access.VariablesRead, On: func(_ *call, in *GroupPath) (access.Resource, error) { return s.onGroupVariable(in.Path, "") },
		Run: func(_ context.Context, _ *call, in *GroupPath) (*listed, error) {
			scope, err := s.groupScope(in.Path)
			return list(s.Variables.Holding("", scope.Group), variableIn(scope)), err
		},
	})
	add(s, route[putGroupVariableInput, reply[resource.Variable]]{
		Method: http.MethodPut, Path: "/groups/variables/{variable}", ID: "put-group-variable", Tag: tag, Summary: "Set a variable of a group",
		Description: about + secret,
		Does:        access.VariablesChange, On: func(_ *call, in *putGroupVariableInput) (access.Resource, error) {
			return s.onGroupVariable(in.Path, in.Variable)
		},
		Run: func(_ context.Context, c *call, in *putGroupVariableInput) (*reply[resource.Variable], error) {
			scope, err := s.groupScope(in.Path)
			if err != nil {
				return nil, err
			}
			return s.putVariable(c, scope, in.Variable, &in.Body, in.Expect)
		},
	})
	add(s, route[groupVariableInput, none]{
		Method: http.MethodDelete, Path: "/groups/variables/{variable}", ID: "remove-group-variable", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove a variable of a group",
		Does:    access.VariablesChange, On: func(_ *call, in *groupVariableInput) (access.Resource, error) {
			return s.onGroupVariable(in.Path, in.Variable)
		},
		Run: func(_ context.Context, c *call, in *groupVariableInput) (*none, error) {
			scope, err := s.groupScope(in.Path)
			if err != nil {
				return nil, err
			}
			return nil, s.removeVariable(c, scope, in.Variable, in.IfMatch)
		},
	})
	add(s, route[DeviceRef, listed]{
		Method: http.MethodGet, Path: "/devices/{device}/variables", ID: "list-device-variables", Tag: tag, Summary: "List the variables that hold on a device",
		Description: about + "Those of its groups are listed too, where the device has none of the name.",
		Does:        access.VariablesRead, On: func(c *call, in *DeviceRef) (access.Resource, error) { return s.onDeviceVariable(c, in, "") },
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*listed, error) {
			scope := variables.Scope{Device: protocol.DeviceID(c.on.Device)}
			return list(s.Variables.Holding(scope.Device, c.on.Group), variableIn(scope)), nil
		},
	})
	add(s, route[putDeviceVariableInput, reply[resource.Variable]]{
		Method: http.MethodPut, Path: "/devices/{device}/variables/{variable}", ID: "put-device-variable", Tag: tag, Summary: "Set a variable of a device",
		Description: about + secret,
		Does:        access.VariablesChange, On: func(c *call, in *putDeviceVariableInput) (access.Resource, error) {
			return s.onDeviceVariable(c, &in.DeviceRef, in.Variable)
		},
		Run: func(_ context.Context, c *call, in *putDeviceVariableInput) (*reply[resource.Variable], error) {
			return s.putVariable(c, variables.Scope{Device: protocol.DeviceID(c.on.Device)}, in.Variable, &in.Body, in.Expect)
		},
	})
	add(s, route[deviceVariableInput, none]{
		Method: http.MethodDelete, Path: "/devices/{device}/variables/{variable}", ID: "remove-device-variable", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove a variable of a device",
		Does:    access.VariablesChange, On: func(c *call, in *deviceVariableInput) (access.Resource, error) {
			return s.onDeviceVariable(c, &in.DeviceRef, in.Variable)
		},
		Run: func(_ context.Context, c *call, in *deviceVariableInput) (*none, error) {
			return nil, s.removeVariable(c, variables.Scope{Device: protocol.DeviceID(c.on.Device)}, in.Variable, in.IfMatch)
		},
	})
}

// onGroupVariable is a variable where the group is. "" names them all.
func (s *server) onGroupVariable(path, name string) (access.Resource, error) {
	on, err := s.onGroup(path)
	on.Kind, on.ID = "variable", strings.TrimSpace(protocol.Printable(name, protocol.MaxName)+" of group "+on.ID)
	return on, err
}

// onDeviceVariable is a variable where the device is.
func (s *server) onDeviceVariable(c *call, in *DeviceRef, name string) (access.Resource, error) {
	on, err := s.onDevice(c, in)
	if err != nil {
		return on, err
	}
	on.Kind, on.ID = "variable", strings.TrimSpace(protocol.Printable(name, protocol.MaxName)+" of device "+on.ID)
	return on, nil
}

// groupScope is a group that is there.
func (s *server) groupScope(path string) (variables.Scope, error) {
	path = strings.Trim(path, "/")
	if s.place(path) != path {
		return variables.Scope{}, inField("query.path", fmt.Errorf("group %.160q: %w: make it first", path, fleet.ErrNotFound))
	}
	return variables.Scope{Group: path}, nil
}

func (s *server) putVariable(c *call, scope variables.Scope, name string, b *resource.PutVariable, e Expect) (*reply[resource.Variable], error) {
	c.detail = "not secret"
	if b.Secret {
		c.detail = "secret"
	}
	want := s.expect(e, c.on)
	err := s.Variables.Set(scope, variables.Change{
		Name: name, Text: b.Value, Secret: b.Secret, By: c.by(),
		Expect: func(now *variables.Variable) error { return want.meets(variableEtag(now)) },
	})
	if err != nil {
		return nil, err
	}
	for _, v := range s.Variables.List(scope) {
		if v.Name == name {
			return replyWith(variableIn(scope)(v)), nil
		}
	}
	return nil, fmt.Errorf("variable %s: %w: it was removed meanwhile", name, errNotFound)
}

func (s *server) removeVariable(c *call, scope variables.Scope, name string, m IfMatch) error {
	want := s.expect(Expect{IfMatch: m}, c.on)
	return s.Variables.Unset(scope, name, func(now *variables.Variable) error { return want.meets(variableEtag(now)) })
}

// variableEtag goes by how the value is sealed, which differs each time.
func variableEtag(v *variables.Variable) string {
	if v == nil {
		return ""
	}
	return etagOf([]any{v.Name, v.Secret, v.Sealed})
}

// variableIn shows variables where somebody looks at a scope.
func variableIn(scope variables.Scope) func(variables.Listed) resource.Variable {
	return func(v variables.Listed) resource.Variable {
		out := resource.Variable{
			Name: v.Name, Value: v.Text, Secret: v.Secret, Lost: v.Lost, Scope: "group", Group: v.From.Group, Own: v.From == scope,
			Updated: at(v.Updated), By: v.By, Etag: variableEtag(&v.Variable),
		}
		if v.From.Device != "" {
			out.Scope = "device"
		}
		return out
	}
}
