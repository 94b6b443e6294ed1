package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

type giveInput struct {
	DeviceRef
	Body resource.NewCommand
}

type listCommandsInput struct {
	Device string `query:"device" doc:"Id, name, or the beginning of either"`
	State  string `query:"state" enum:"queued,sent,done,failed,expired,interrupted,refused,withdrawn,waiting"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type commandInput struct {
	Command string `path:"command" doc:"Id"`
}

func (s *server) commandRoutes() {
	const tag = "Commands"
	add(s, route[giveInput, reply[resource.Command]]{
		Method: http.MethodPost, Path: "/devices/{device}/commands", ID: "give-command", Tag: tag, Status: http.StatusCreated,
		Summary: "Ask something of a device",
		Description: "It is queued until the device collects it, has its effect at most once, and always gets a result. After its expiry it is not started any more. " +
			"What changes something on the device needs more than the right to look: commands.give, commands.remove, or stacks.operate to redeploy a stack.",
		Does: access.CommandsLook, On: func(c *call, in *giveInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: s.giveCommand,
	})
	add(s, route[listCommandsInput, reply[resource.List[resource.Command]]]{
		Method: http.MethodGet, Path: "/commands", ID: "list-commands", Tag: tag, Summary: "List commands, the latest first",
		Does: access.CommandsRead, On: func(c *call, in *listCommandsInput) (access.Resource, error) {
			if in.Device == "" {
				return access.Resource{Kind: "device", Any: true}, nil
			}
			return s.onDevice(c, &DeviceRef{Device: in.Device})
		},
		Run: s.listCommands,
	})
	add(s, route[commandInput, reply[resource.Command]]{
		Method: http.MethodGet, Path: "/commands/{command}", ID: "get-command", Tag: tag, Summary: "See a command with its result and output",
		Does: access.CommandsRead, On: s.onCommand, Run: s.getCommand,
	})
	add(s, route[commandInput, reply[resource.Command]]{
		Method: http.MethodDelete, Path: "/commands/{command}", ID: "withdraw-command", Tag: tag, Summary: "Take a command back",
		Description: "One that the device may have already is taken back only if it has not started it: the device's word decides.",
		Does:        access.CommandsWithdraw, On: s.onCommand,
		Run: func(_ context.Context, c *call, in *commandInput) (*reply[resource.Command], error) {
			id, err := commandID(in)
			if err != nil {
				return nil, err
			}
			c.detail = "command " + id.String()
			r, err := s.Commands.Withdraw(id, c.by())
			if err != nil {
				return nil, err
			}
			return replyWith(s.command(r)), nil
		},
	})
}

func commandID(in *commandInput) (protocol.CommandID, error) {
	id, err := protocol.ParseCommandID(in.Command)
	if err != nil {
		return 0, invalid("path.command", "%v", err)
	}
	return id, nil
}

// onCommand is the device that a command is for.
func (s *server) onCommand(c *call, in *commandInput) (access.Resource, error) {
	id, err := commandID(in)
	if err != nil {
		return access.Resource{Kind: "device"}, err
	}
	r, err := s.Commands.Get(id)
	d, there := s.Devices.Device(r.Device)
	if !there {
		d.ID = r.Device // it was removed, and is in no group any more
	}
	switch {
	case err != nil && !errors.Is(err, commands.ErrNotFound):
		return access.Resource{Kind: "device"}, err
	case err != nil, !c.eyes().command(&d, &r):
		return access.Resource{Kind: "device"}, fmt.Errorf("%w: %s", commands.ErrNotFound, id)
	}
	return ownedOn(&d, r.Owner), nil
}

func (s *server) giveCommand(_ context.Context, c *call, in *giveInput) (*reply[resource.Command], error) {
	spec := s.commandSpec(c, &in.Body)
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	c.op = rightTo(spec.Command.Kind)
	if err := s.mayCommand(c, &d, &spec); err != nil {
		return nil, err
	}
	r, err := s.Commands.Give(spec)
	if err != nil {
		return nil, err
	}
	c.detail = strings.TrimSpace(r.Kind.String()+" "+r.Target) + ", command " + r.ID.String()
	return replyWith(s.command(r)), nil
}

// rightTo is the right that a kind of command asks for.
func rightTo(kind protocol.CommandKind) access.Operation {
	switch kind {
	case protocol.CommandSnapshot, protocol.CommandContainerLogs:
		return access.CommandsLook
	case protocol.CommandContainerStart, protocol.CommandContainerStop, protocol.CommandContainerRestart, protocol.CommandContainerKill:
		return access.CommandsGive
	case protocol.CommandStackRedeploy:
		return access.StacksOperate
	}
	return access.CommandsRemove
}

// commandSpec reads what is asked of a device, without the device.
func (s *server) commandSpec(c *call, b *resource.NewCommand) commands.Spec {
	return commands.Spec{
		By: c.by(), TTL: time.Duration(b.TTLSeconds) * time.Second,
		Command: protocol.Command{
			Kind: b.Kind, Target: b.Target, Tail: b.Tail, Signal: b.Signal, Timeout: b.TimeoutSeconds, Force: b.Force, Urgent: b.Urgent,
		},
	}
}

// mayCommand finds out whose the target is, and asks for the right to give the command. What the caller does not see is
// refused in the same words as what is not there.
func (s *server) mayCommand(c *call, d *fleet.Device, spec *commands.Spec) error {
	spec.Device = d.ID
	what := &spec.Command
	if what.Kind != protocol.CommandStackRedeploy || what.Target == "" {
		spec.Owner = s.targetOwner(d.ID, what.Kind, what.Target)
		return c.may(ownedOn(d, spec.Owner))
	}
	rec, ok := s.stackOfCommand(c, d, what.Target)
	spec.Owner = rec.Owner
	if err := c.may(ownedOn(d, spec.Owner)); err != nil {
		return err
	}
	if ok {
		what.Target = strconv.FormatUint(rec.ID, 10)
	} else if _, err := strconv.ParseUint(what.Target, 10, 64); err != nil {
		return inField("body.target", noStack(what.Target)) // a number is as the device knows it
	}
	return nil
}

// stackOfCommand is the stack that a redeploy is about, by name or id: one that the caller sees, by itself or on the
// device.
func (s *server) stackOfCommand(c *call, d *fleet.Device, target string) (stacks.Stack, bool) {
	rec, ok := s.Stacks.Named(target)
	if n, err := strconv.ParseUint(target, 10, 64); err == nil && !ok {
		rec, ok = s.Stacks.Record(n)
	}
	if !ok {
		return stacks.Stack{}, false
	}
	has := slices.ContainsFunc(s.Stacks.DeviceStacks(d.ID), func(st planner.DeviceStatus) bool { return st.Stack == rec.ID })
	if !c.eyes().stack(&rec) && (!has || !c.eyes().stackOn(d, rec.Owner)) {
		return stacks.Stack{}, false
	}
	return rec, true
}

func (s *server) listCommands(_ context.Context, c *call, in *listCommandsInput) (*reply[resource.List[resource.Command]], error) {
	f := commands.Filter{Device: protocol.DeviceID(c.on.ID), Limit: in.Limit}
	if in.State != "" {
		if err := f.State.UnmarshalText([]byte(in.State)); err != nil {
			return nil, invalid("query.state", "%v", err)
		}
	}
	y := c.eyes()
	f.Only = func(r *commands.Record) bool {
		d, ok := s.Devices.Device(r.Device)
		if !ok {
			d.ID = r.Device
		}
		return y.command(&d, r)
	}
	if y.allParts {
		f.Only = nil
	}
	records, err := s.Commands.List(f)
	if err != nil {
		return nil, err
	}
	return list(records, s.command), nil
}

func (s *server) getCommand(_ context.Context, _ *call, in *commandInput) (*reply[resource.Command], error) {
	id, err := commandID(in)
	if err != nil {
		return nil, err
	}
	r, err := s.Commands.Get(id)
	if err != nil {
		return nil, err
	}
	output, err := s.Commands.ReadOutput(id)
	if err != nil {
		return nil, err
	}
	out := s.command(r)
	out.Output = strings.ToValidUTF8(string(output), "\uFFFD")
	return replyWith(out), nil
}

func (s *server) command(r commands.Record) resource.Command {
	d, _ := s.Devices.Device(r.Device)
	out := resource.Command{
		ID: r.ID, Device: r.Device, DeviceName: d.Name, Kind: r.Kind.String(), Target: r.Target, Tail: r.Tail, Signal: r.Signal,
		TimeoutSeconds: r.Timeout, Force: r.Force, Urgent: r.Urgent, State: r.State.String(), Final: r.State.Final(), Text: r.Result.Text,
		By: r.By, Given: at(r.Given), Expires: at(r.NotAfter), Sent: at(r.SentAt), Ended: at(r.Ended), HubsWord: r.HubsWord,
		Withdrawing: r.Repealed && !r.State.Final(), OutputBytes: max(r.OutputEnd, r.Result.OutputSize),
		OutputDropped: r.Result.OutputDropped, OutputLost: r.OutputLost,
	}
	if r.Result.Started != 0 {
		out.Started = time.UnixMilli(r.Result.Started).UTC()
	}
	return out
}
