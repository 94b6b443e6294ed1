package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/protocol"
)

type giveInput struct {
	DeviceRef
	Body resource.NewCommand
}

type listCommandsInput struct {
	Device string `query:"device" doc:"Id, name, or the beginning of either"`
	State  string `query:"state" enum:"queued,sent,done,failed,expired,interrupted,refused,withdrawn"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type commandInput struct {
	Command string `path:"command" doc:"Id"`
}

func (s *server) commandRoutes() {
	const tag = "Commands"
	add(s, route[giveInput, reply[resource.Command]]{
		Method: http.MethodPost, Path: "/devices/{device}/commands", ID: "give-command", Tag: tag, Status: http.StatusCreated,
		Summary:     "Ask something of a device",
		Description: "It is queued until the device collects it, has its effect at most once, and always gets a result. After its expiry it is not started any more.",
		Does:        access.CommandsGive, On: func(in *giveInput) (access.Resource, error) { return s.onDevice(&in.DeviceRef) },
		Run: s.giveCommand,
	})
	add(s, route[listCommandsInput, reply[resource.List[resource.Command]]]{
		Method: http.MethodGet, Path: "/commands", ID: "list-commands", Tag: tag, Summary: "List commands, the latest first",
		Does: access.CommandsRead, On: func(in *listCommandsInput) (access.Resource, error) {
			if in.Device == "" {
				return access.Resource{Kind: "device"}, nil
			}
			return s.onDevice(&DeviceRef{Device: in.Device})
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
func (s *server) onCommand(in *commandInput) (access.Resource, error) {
	id, err := commandID(in)
	if err != nil {
		return access.Resource{Kind: "device"}, err
	}
	r, err := s.Commands.Get(id)
	if err != nil {
		return access.Resource{Kind: "device"}, err
	}
	d, _ := s.Devices.Device(r.Device)
	return access.Resource{Kind: "device", ID: string(r.Device), Group: d.Group}, nil
}

func (s *server) giveCommand(_ context.Context, c *call, in *giveInput) (*reply[resource.Command], error) {
	b := in.Body
	target, err := s.target(b.Kind, b.Target)
	if err != nil {
		return nil, err
	}
	r, err := s.Commands.Give(commands.Spec{
		Device: protocol.DeviceID(c.on.ID), By: c.by(), TTL: time.Duration(b.TTLSeconds) * time.Second,
		Command: protocol.Command{
			Kind: b.Kind, Target: target, Tail: b.Tail, Signal: b.Signal, Timeout: b.TimeoutSeconds, Force: b.Force, Urgent: b.Urgent,
		},
	})
	if err != nil {
		return nil, err
	}
	c.detail = strings.TrimSpace(r.Kind.String()+" "+r.Target) + ", command " + r.ID.String()
	return replyWith(s.command(r)), nil
}

// target gives a stack's id for its name; all else is as the device knows it.
func (s *server) target(kind protocol.CommandKind, target string) (string, error) {
	if kind != protocol.CommandStackRedeploy || target == "" {
		return target, nil
	}
	if o, err := s.Stacks.Get(target); err == nil {
		return strconv.FormatUint(o.ID, 10), nil
	}
	if n, err := strconv.ParseUint(target, 10, 64); err == nil && n > 0 {
		return target, nil
	}
	_, err := s.Stacks.Get(target)
	return "", inField("body.target", err)
}

func (s *server) listCommands(_ context.Context, c *call, in *listCommandsInput) (*reply[resource.List[resource.Command]], error) {
	f := commands.Filter{Device: protocol.DeviceID(c.on.ID), Limit: in.Limit}
	if in.State != "" {
		if err := f.State.UnmarshalText([]byte(in.State)); err != nil {
			return nil, invalid("query.state", "%v", err)
		}
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
