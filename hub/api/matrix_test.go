package api_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

var updateMatrix = flag.Bool("matrix", false, "write testdata/matrix.txt anew, to be read before it is kept")

// plainly says what each role may do, written by hand and not taken from the table in hub/access: all are things of the
// group, own are those that are the person's, their team's or public.
var plainly = map[access.Role]struct{ all, own string }{
	access.RoleAdministrator: {all: "devices.read devices.change devices.revoke devices.lift groups.read groups.change policy.change profiles.read profiles.change snapshots.read " +
		"waiting.read waiting.approve waiting.reject keys.read keys.create keys.remove stacks.read stacks.apply stacks.remove stacks.operate rollouts.approve edge-groups.read edge-groups.change edge-groups.remove stacks.source " +
		"policy.exempt commands.give commands.remove secrets.read commands.read commands.look commands.withdraw events.read access.read access.change people.change audit.read hub.read hub.change updates.read updates.start releases.read releases.change backup.make variables.read variables.change registries.read registries.change jobs.read jobs.apply jobs.remove jobs.operate jobs.output jobs.host scripts.run live.engine"},
	access.RoleDeviceAdministrator: {all: "devices.read devices.change devices.revoke devices.lift groups.read groups.change policy.change profiles.read snapshots.read " +
		"waiting.read waiting.approve waiting.reject keys.read keys.create keys.remove stacks.read stacks.apply stacks.remove stacks.operate rollouts.approve edge-groups.read edge-groups.change edge-groups.remove stacks.source " +
		"policy.exempt commands.give commands.remove secrets.read commands.read commands.look commands.withdraw events.read access.read access.change updates.read updates.start releases.read variables.read variables.change registries.read registries.change jobs.read jobs.apply jobs.remove jobs.operate jobs.output jobs.host scripts.run live.engine"},
	access.RoleEdgeAdministrator: {all: "devices.read devices.change devices.revoke devices.lift groups.read groups.change profiles.read profiles.change snapshots.read " +
		"waiting.read waiting.approve waiting.reject keys.read keys.create keys.remove stacks.read stacks.apply stacks.remove stacks.operate rollouts.approve edge-groups.read edge-groups.change edge-groups.remove stacks.source " +
		"commands.give commands.remove secrets.read commands.read commands.look commands.withdraw events.read hub.read updates.read updates.start releases.read releases.change variables.read variables.change registries.read registries.change jobs.read jobs.apply jobs.remove jobs.operate jobs.output jobs.host scripts.run"},
	access.RoleOperator: {all: "devices.read devices.lift groups.read profiles.read snapshots.read stacks.read stacks.operate rollouts.approve edge-groups.read commands.read commands.look commands.give commands.withdraw events.read updates.read releases.read variables.read registries.read jobs.read jobs.operate jobs.output"},
	access.RoleHelpdesk: {all: "devices.read groups.read profiles.read snapshots.read stacks.read edge-groups.read commands.read commands.look events.read updates.read releases.read variables.read registries.read jobs.read jobs.output"},
	access.RoleStandardUser: {
		all: "devices.read groups.read profiles.read events.read variables.read registries.read",
		own: "snapshots.read stacks.read stacks.apply stacks.remove stacks.operate edge-groups.read edge-groups.change edge-groups.remove commands.read commands.look commands.give commands.remove commands.withdraw secrets.read jobs.read jobs.apply jobs.remove jobs.operate jobs.output",
	},
	access.RoleReadOnlyUser: {all: "devices.read groups.read profiles.read events.read updates.read releases.read", own: "snapshots.read stacks.read edge-groups.read commands.read commands.look jobs.read jobs.output"},
	access.RoleInstaller:    {all: "groups.read profiles.read waiting.read waiting.approve waiting.reject events.read"},
}

// person is somebody with one role on one group.
type person struct {
	name string
	role access.Role
	at   string
}

func (p person) may(op, group string, owner *protocol.Owner) bool {
	if p.at != "" && group != p.at && !strings.HasPrefix(group, p.at+"/") {
		return false
	}
	does := plainly[p.role]
	if slices.Contains(strings.Fields(does.all), op) {
		return true
	}
	shared := owner == nil || owner.Visibility == protocol.ForAll || owner.Team == "crew" || owner.Account == p.name
	return shared && slices.Contains(strings.Fields(does.own), op)
}

// subject is something that a route is asked about.
type subject struct {
	name, ref, group string
	owner            *protocol.Owner
	sees             string // the right by which one knows that it is there; "": it is no secret
}

// matrixRoute is how a route is asked about things.
type matrixRoute struct {
	things string // a key of the things; any: whatever there is; hub: what needs a role on the root group
	body   func(subject) string
	query  func(subject) string
	door   bool // what is allowed ends at the door; so does all that changes the hub
}

func body(text string) func(subject) string {
	return func(s subject) string {
		return strings.ReplaceAll(strings.ReplaceAll(text, "REF", s.ref), "GROUP", s.group)
	}
}

const oneFile = `{"files":{"compose.yml":"c2VydmljZXM6CiAgd2ViOgogICAgaW1hZ2U6IHdlYjoxCg=="}}`

const oneJob = `{"schedule":{"kind":"manual"},"container":{"image":"busybox"}}`

const onePass = `{"passes":[{"start":"2030-01-01T00:00:00Z","seconds":60}]}`

// matrixRoutes has an entry for each route of the document that asks for a right.
var matrixRoutes = map[string]matrixRoute{
	"list-devices": {things: "any"}, "list-positions": {things: "any"}, "export-devices": {things: "any"}, "change-devices": {things: "any", body: body(`{"ids":["x"],"do":{"revoke":true}}`)},
	"get-device": {things: "device"}, "change-device": {things: "device", body: body(`{"name":"x"}`)}, "revoke-device": {things: "device"},
	"remove-device": {things: "device"}, "replace-device": {things: "device", body: body(`{"by":"REF"}`)}, "device-timeline": {things: "device"},
	"get-snapshot": {things: "device"}, "list-snapshots": {things: "device"}, "give-command": {things: "device", body: body(`{"kind":"snapshot"}`)},
	"list-commands": {things: "any"}, "get-command": {things: "command"}, "withdraw-command": {things: "command"},
	"list-groups": {things: "any"}, "put-group": {things: "group", body: body(`{"path":"REF"}`)}, "remove-group": {things: "child", query: body("path=REF")},
	"list-policies": {things: "any"}, "put-policy": {things: "group", body: body(`{"group":"REF"}`)},
	"list-group-variables": {things: "group", query: body("path=REF")}, "list-device-variables": {things: "device"},
	"put-group-variable": {things: "group", door: true, query: body("path=REF")}, "remove-group-variable": {things: "group", door: true, query: body("path=REF")},
	"put-device-variable": {things: "device", door: true}, "remove-device-variable": {things: "device", door: true},
	"list-registries": {things: "any"}, "create-registry": {things: "group", door: true, body: body(`{"address":"registry.example.com","user":"bot","group":"REF"}`)},
	"get-registry": {things: "registry"}, "put-registry": {things: "registry", door: true}, "remove-registry": {things: "registry", door: true}, "check-registry": {things: "registry", door: true},
	"get-device-passes": {things: "device"}, "put-device-passes": {things: "device", door: true, body: body(onePass)}, "remove-device-passes": {things: "device", door: true},
	"get-group-passes": {things: "group", query: body("path=REF")}, "put-group-passes": {things: "group", door: true, query: body("path=REF"), body: body(onePass)},
	"remove-group-passes": {things: "group", door: true, query: body("path=REF")}, "get-device-contact": {things: "device"},
	"lift-device": {things: "device", door: true, body: body(`{"extra":1}`)}, "drop-lift": {things: "device", door: true},
	"list-profiles": {things: "any"}, "put-profile": {things: "hub", body: body(`{"settings":{}}`)}, "preview-profile": {things: "any", body: body(`{"settings":{}}`)}, "remove-profile": {things: "hub"}, "compose-schema": {things: "any"},
	"list-keys": {things: "any"}, "get-key": {things: "key"}, "remove-key": {things: "key"}, "create-key": {things: "group", body: body(`{"name":"x","group":"REF"}`)},
	"list-waiting": {things: "any"}, "approve": {things: "waiting", body: body(`{"approvals":[{"id":"REF"}]}`)}, "reject": {things: "waiting", body: body(`{"ids":["REF"]}`)},
	"list-stacks": {things: "any"}, "get-stack": {things: "stack"}, "apply-stack": {things: "stack", body: body(oneFile)}, "preview-stack": {things: "stack", body: body(oneFile)}, "estimate-stack": {things: "stack", body: body(oneFile)},
	"remove-stack": {things: "stack"}, "list-versions": {things: "stack"}, "get-bundle": {things: "stack"}, "stack-status": {things: "stack"},
	"deploy-stack": {things: "stack", body: body(`{"version":1,"force":true}`)}, "list-rollouts": {things: "any"}, "list-stack-rollouts": {things: "stack"}, "get-rollout": {things: "stack"},
	"rollout-devices": {things: "stack"}, "pause-rollout": {things: "stack"}, "continue-rollout": {things: "stack"}, "abort-rollout": {things: "stack"},
	"skip-rollout": {things: "stack"}, "retry-rollout": {things: "stack"}, "approve-rollout": {things: "stack"},
	"diff-versions": {things: "stack"}, "stack-groups": {things: "stack"}, "device-bundle": {things: "stack"},
	"list-jobs": {things: "any"}, "get-job": {things: "job"}, "put-job": {things: "job", body: body(oneJob)}, "try-job": {things: "job", body: body(oneJob)}, "remove-job": {things: "job"},
	"pause-job": {things: "job"}, "resume-job": {things: "job"}, "list-job-versions": {things: "job"}, "job-devices": {things: "job"},
	"device-jobs": {things: "device"}, "preview-job": {things: "any", body: body(`{"schedule":{"kind":"manual"}}`)}, "run-job": {things: "job", body: body(`{"all":true}`)},
	"cancel-job": {things: "job", body: body(`{"all":true}`)}, "list-job-runs": {things: "job"}, "get-job-run": {things: "job"}, "get-job-output": {things: "job"}, "ask-job-output": {things: "job", body: body(`{}`)},
	"cancel-job-run": {things: "job"}, "get-tunnel": {things: "device"}, "close-tunnel": {things: "device", door: true},
	"engine-get": {things: "device", door: true}, "engine-head": {things: "device", door: true}, "engine-post": {things: "device", door: true},
	"engine-put": {things: "device", door: true}, "engine-delete": {things: "device", door: true}, "run-script": {things: "device", body: body(`{"script":"#!/bin/sh\n"}`)},
	"list-edge-groups": {things: "any"}, "get-edge-group": {things: "edge-group"}, "put-edge-group": {things: "edge-group", body: body(`{"selector":"x=y"}`)},
	"remove-edge-group": {things: "edge-group"}, "edge-group-devices": {things: "edge-group"}, "preview-edge-group": {things: "any", body: body(`{"selector":"x=y"}`)},
	"list-sources": {things: "any"}, "get-source": {things: "stack"}, "put-source": {things: "stack", body: body(`{"url":"https://git.example.com/x.git"}`)},
	"remove-source": {things: "stack"}, "sync-source": {things: "stack"},
	"start-update": {things: "group", door: true, body: body(`{"release":"v1","group":"REF"}`)}, "preview-update": {things: "group", door: true, body: body(`{"release":"v1","group":"REF"}`)},
	"estimate-update": {things: "group", door: true, body: body(`{"release":"v1","group":"REF"}`)},
	"list-updates":    {things: "any"}, "list-releases": {things: "any"},
	"usage": {things: "any"}, "usage-devices": {things: "any"}, "device-usage": {things: "device"},
	"events": {things: "any", query: body("follow=false")},
}

// hubRoutes are about the hub as a whole.
var hubRoutes = strings.Fields(`list-audit export-audit verify-audit get-audit-settings put-audit-settings get-log-settings put-log-settings
	get-protection put-protection get-certificate put-certificate remove-certificate get-access-settings put-access-settings
	put-team remove-team create-user get-user change-user remove-user link-user reset-second-factor list-user-sessions end-user-sessions list-user-tokens
	add-release remove-release get-update update-devices pause-update continue-update abort-update retry-update skip-update
	make-backup get-backup-plan put-backup-plan run-backup-plan list-destinations put-destination remove-destination test-destination`)

// byTheirOwnTests are routes whose rights depend on more than a place; their rights are tested beside them.
var byTheirOwnTests = strings.Fields(`list-grants create-grant remove-grant list-users`)

// brakes keep what is allowed from being done, so that all are asked about the same world.
type (
	changesBrake  struct{ api.DeviceChanges }
	groupsBrake   struct{ noGroups }
	deskBrake     struct{ api.StackDesk }
	commandsBrake struct{ noCommands }
	waitingBrake  struct{ api.WaitingRoom }
	keysBrake     struct{ noKeys }
	setsBrake     struct{ api.EdgeGroups }
	sourcesBrake  struct{ api.Sources }
	jobsBrake     struct{ api.Jobs }
	noCommands    = api.Commands
)

var errBrake = fmt.Errorf("the brake is on: %w", fleet.ErrInUse)

func (changesBrake) Update(protocol.DeviceID, func(*fleet.Device) error) (fleet.Device, error) {
	return fleet.Device{}, errBrake
}

func (changesBrake) Revoke(protocol.DeviceID) error { return errBrake }

func (changesBrake) Remove(protocol.DeviceID) error { return errBrake }

func (changesBrake) Replace(_, _ protocol.DeviceID) error { return errBrake }

func (groupsBrake) EnsureGroup(string) error { return errBrake }

func (groupsBrake) RemoveGroup(string) error { return errBrake }

func (groupsBrake) PutGroup(fleet.Group, func(*fleet.Group) error) (fleet.Group, error) {
	return fleet.Group{}, errBrake
}

func (deskBrake) Apply(planner.ApplySpec) (stacks.Stack, stacks.Version, error) {
	return stacks.Stack{}, stacks.Version{}, errBrake
}

func (jobsBrake) Put(dispatch.Spec) (jobs.Job, jobs.Version, error) {
	return jobs.Job{}, jobs.Version{}, errBrake
}

// OneRun and ReadOutput have each run of each job.
func (jobsBrake) OneRun(string, protocol.DeviceID, uint64) (jobs.RunRecord, error) {
	return jobs.RunRecord{}, nil
}

func (jobsBrake) ReadOutput(string, protocol.DeviceID, dispatch.Place) ([]byte, uint64, error) {
	return nil, 0, nil
}
func (jobsBrake) Remove(_, _ string) error             { return errBrake }
func (jobsBrake) Pause(_, _ string) (jobs.Job, error)  { return jobs.Job{}, errBrake }
func (jobsBrake) Resume(_, _ string) (jobs.Job, error) { return jobs.Job{}, errBrake }
func (jobsBrake) RunNow(dispatch.RunSpec) ([]dispatch.Given, []dispatch.Skipped, error) {
	return nil, nil, errBrake
}

func (jobsBrake) CancelAll(dispatch.RunSpec) ([]dispatch.Given, []dispatch.Skipped, error) {
	return nil, nil, errBrake
}
func (jobsBrake) Cancel(dispatch.RunAsk) (protocol.CommandID, error)    { return 0, errBrake }
func (jobsBrake) AskOutput(dispatch.RunAsk) (protocol.CommandID, error) { return 0, errBrake }
func (jobsBrake) OneShot(dispatch.OneShotSpec) (jobs.Job, error)        { return jobs.Job{}, errBrake }

func (deskBrake) Remove(_, _ string) error                         { return errBrake }
func (deskBrake) Deploy(planner.DeploySpec) (uint64, error)        { return 0, errBrake }
func (deskBrake) Act(string, uint64, rollout.Action, string) error { return errBrake }
func (commandsBrake) Give(commands.Spec) (commands.Record, error) {
	return commands.Record{}, errBrake
}

func (commandsBrake) Withdraw(protocol.CommandID, string) (commands.Record, error) {
	return commands.Record{}, errBrake
}

func (setsBrake) Put(edgegroups.Spec, func(*edgegroups.Group) error) (edgegroups.Group, error) {
	return edgegroups.Group{}, errBrake
}

func (setsBrake) Remove(_, _ string, _ func(*edgegroups.Group) error) error { return errBrake }
func (sourcesBrake) Put(gitsource.Change) (gitsource.State, error) {
	return gitsource.State{}, errBrake
}
func (sourcesBrake) Remove(string) error { return errBrake }
func (sourcesBrake) Sync(context.Context, string) (gitsource.Outcome, error) {
	return gitsource.Outcome{}, errBrake
}

// Get has a source for each stack.
func (sourcesBrake) Get(stack string) (gitsource.State, bool) {
	return gitsource.State{Source: gitsource.Source{Stack: stack}}, true
}

func (waitingBrake) Approve(context.Context, admission.Approval) (admission.Admitted, error) {
	return admission.Admitted{}, errBrake
}
func (waitingBrake) Reject(admission.Rejection) error { return errBrake }
func (keysBrake) RemoveKey(string) (waitingroom.EnrolmentKey, error) {
	return waitingroom.EnrolmentKey{}, errBrake
}

// doorBrake stops what is allowed at the door: of what changes the hub, nothing is done.
type doorBrake struct{ people }

func (b doorBrake) Authorize(p access.Principal, op access.Operation, on access.Resource) error {
	if err := b.people.Authorize(p, op, on); err != nil {
		return err
	}
	return errBrake
}

// people lets anybody in by name, so that thousands of requests need no sign-in.
type people struct{ api.Accounts }

func (people) Authenticate(secret string) (access.Principal, error) {
	name, ok := strings.CutPrefix(secret, "as-")
	if !ok {
		return access.Principal{}, access.ErrUnauthenticated
	}
	return access.Principal{Name: name, Kind: access.KindUser, Owner: name}, nil
}

func (w *world) person(p person) person {
	w.t.Helper()
	a := w.Hub().Access
	if _, _, err := a.AddAccount(access.NewAccount{Name: p.name}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := a.Grant(access.System(), access.Grant{User: p.name, Role: p.role, Group: p.at}); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// matrixWorld has things in two groups, of several owners, and a person for each role on each of the root and a group.
func matrixWorld(t *testing.T) (*world, []person, map[string][]subject) {
	w := newWorld(t)
	const own, other = "norway/oslo", "norway/bergen"
	devices := []fleet.Device{planted(0, own), planted(1, other)}
	devices[0].Name, devices[1].Name = "crane", "lock"
	w.plant(devices, func(n int) *protocol.Snapshot { return machine(n, 2) })
	var all []person
	for _, role := range access.Roles() {
		all = append(all, w.person(person{string(role) + ".oslo", role, own}), w.person(person{string(role) + ".root", role, ""}))
	}
	var names []string
	for _, p := range all {
		names = append(names, p.name)
	}
	if _, err := w.Hub().Access.PutTeam(access.Team{Name: "crew", Members: names}, nil); err != nil {
		t.Fatal(err)
	}
	things := map[string][]subject{
		"any": {{name: "anything"}}, "hub": {{name: "the hub", ref: "x"}},
		"device": {{name: "in oslo", ref: "crane", group: own, sees: "devices.read"}, {name: "in bergen", ref: "lock", group: other, sees: "devices.read"}},
	}
	for _, g := range []string{own, other} {
		w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: g + "/line"}, nil)
		things["group"] = append(things["group"], subject{name: g, ref: g, group: g})
		things["child"] = append(things["child"], subject{name: g, ref: g + "/line", group: g})
		var k resource.Key
		w.ask(http.MethodPost, "/keys", resource.NewKey{Name: "key of " + g, Group: g}, &k)
		things["key"] = append(things["key"], subject{name: "in " + g, ref: k.ID, group: g, sees: "keys.read"})
		var r resource.Registry
		w.ask(http.MethodPost, "/registries", resource.PutRegistry{Name: "of " + g, Address: "registry.example.com", User: "bot", Password: "x", Group: g}, &r)
		things["registry"] = append(things["registry"], subject{name: "in " + g, ref: r.ID, group: g, sees: "registries.read"})
		d := w.Device(fleettest.DeviceSpec{EdgeKey: w.EdgeKey(admission.KeySpec{Group: g}), Seed: uint64(len(g))})
		w.Until("it waits", 30*time.Second, func() bool {
			return slices.ContainsFunc(w.Hub().Waiting.List(), func(x waitingroom.Waiting) bool { return x.ID == d.ID })
		})
		things["waiting"] = append(things["waiting"], subject{name: "with a key of " + g, ref: string(d.ID), group: g})
	}
	for _, s := range []struct {
		name, group string
		owner       resource.Owner
	}{
		{"own", own, resource.Owner{Visibility: "private", Account: "standard-user.oslo"}},
		{"of-team", own, resource.Owner{Visibility: "team", Team: "crew"}},
		{"public", own, resource.Owner{Visibility: "public"}},
		{"admins", own, resource.Owner{Visibility: "administrators"}},
		{"of-other", own, resource.Owner{Visibility: "private", Account: "somebody"}},
		{"far", other, resource.Owner{Visibility: "public"}},
	} {
		w.ask(http.MethodPut, "/stacks/"+s.name, resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose)}, Group: &s.group, Owner: &s.owner}, nil)
		owner := protocol.Owner{Visibility: s.owner.Visibility, Account: s.owner.Account, Team: s.owner.Team}
		things["stack"] = append(things["stack"], subject{name: s.name, ref: s.name, group: s.group, owner: &owner, sees: "stacks.read"})
		w.ask(http.MethodPut, "/jobs/"+s.name, resource.PutJob{JobDefinition: resource.JobDefinition{
			Group: &s.group, Owner: &s.owner, Schedule: resource.JobSchedule{Kind: "manual"}, Container: &resource.JobContainer{Image: "busybox"},
		}}, nil)
		things["job"] = append(things["job"], subject{name: s.name, ref: s.name, group: s.group, owner: &owner, sees: "jobs.read"})
		w.ask(http.MethodPut, "/edge-groups/"+s.name, resource.PutEdgeGroup{Group: &s.group, Owner: &s.owner}, nil)
		things["edge-group"] = append(things["edge-group"], subject{name: s.name, ref: s.name, group: s.group, owner: &owner, sees: "edge-groups.read"})
		d := devices[0]
		if s.group == other {
			d = devices[1]
		}
		r, err := w.Hub().Commands.Give(commands.Spec{Device: d.ID, By: "test", Owner: owner, Command: protocol.Command{Kind: protocol.CommandSnapshot}})
		if err != nil {
			t.Fatal(err)
		}
		things["command"] = append(things["command"], subject{name: "about " + s.name, ref: r.ID.String(), group: s.group, owner: &owner, sees: "commands.read"})
	}
	return w, all, things
}

// Every route of the document, asked by every role about things here and there, of several owners. testdata/matrix.txt is
// for people to read; what is expected comes of plainly.
func TestMatrix(t *testing.T) {
	w, everybody, things := matrixWorld(t)
	c := w.config
	c.Accounts = people{c.Accounts}
	atDoor := c
	atDoor.Accounts = doorBrake{people{w.config.Accounts}}
	door, err := api.New(atDoor)
	if err != nil {
		t.Fatal(err)
	}
	c.Changes, c.Groups, c.StackDesk, c.Keys = changesBrake{c.Changes}, groupsBrake{c.Groups}, deskBrake{c.StackDesk}, keysBrake{c.Keys}
	c.EdgeGroups, c.Jobs = setsBrake{c.EdgeGroups}, jobsBrake{c.Jobs}
	c.Commands, c.Waiting = commandsBrake{c.Commands}, waitingBrake{c.Waiting}
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	sourced := c
	sourced.Sources = sourcesBrake{c.Sources}
	ofSources, err := api.New(sourced)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(o documented, s subject, r matrixRoute, p person) string {
		path := o.path
		if r.things == "stack" || r.things == "job" { // on the device beside it
			path = strings.ReplaceAll(path, "{device}", map[string]string{"norway/oslo": "crane", "norway/bergen": "lock"}[s.group])
		}
		for _, name := range []string{"device", "stack", "command", "key", "profile", "user", "team", "grant", "update", "release", "backup", "edgegroup", "registry", "job"} {
			path = strings.ReplaceAll(path, "{"+name+"}", s.ref)
		}
		path = strings.ReplaceAll(path, "{version}/diff/{other}", "1/diff/1")
		path = strings.ReplaceAll(strings.ReplaceAll(path, "{version}", "0"), "{rollout}", "1")
		path = strings.ReplaceAll(strings.ReplaceAll(path, "{run}", "1"), "{path...}", "_ping")
		path = strings.ReplaceAll(path, "{variable}", "SITE")
		if r.query != nil {
			path += "?" + r.query(s)
		}
		text := bodies[o.OperationID]
		if r.body != nil {
			text = r.body(s)
		}
		req := httptest.NewRequest(o.method, path, strings.NewReader(text))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer as-"+p.name)
		rec := httptest.NewRecorder()
		if r.door || r.things == "hub" && o.method != http.MethodGet {
			door.ServeHTTP(rec, req)
		} else if strings.Contains(o.path, "/source") {
			ofSources.ServeHTTP(rec, req)
		} else {
			handler.ServeHTTP(rec, req)
		}
		switch {
		case rec.Code == http.StatusForbidden:
			return "no"
		case rec.Code == http.StatusNotFound && r.things != "hub":
			return "none"
		case strings.Contains(rec.Body.String(), `"code":"exists"`):
			return "taken"
		case rec.Code < 300, rec.Code == http.StatusConflict, r.things == "hub" && rec.Code == http.StatusNotFound:
			return "yes"
		}
		return fmt.Sprint(rec.Code, " ", rec.Body)
	}
	var lines []string
	all := operations(t, w)
	slices.SortFunc(all, func(a, b documented) int { return strings.Compare(a.OperationID, b.OperationID) })
	for _, o := range all {
		if strings.HasPrefix(o.Right, "none: ") || slices.Contains(byTheirOwnTests, o.OperationID) {
			continue
		}
		r, ok := matrixRoutes[o.OperationID]
		if slices.Contains(hubRoutes, o.OperationID) {
			r, ok = matrixRoute{things: "hub"}, true
		}
		if !ok {
			t.Errorf("%s has no entry in the matrix: say what it is about in matrixRoutes or hubRoutes", o.OperationID)
			continue
		}
		for _, s := range things[r.things] {
			row := fmt.Sprintf("%-22s %-17s %-28s", o.OperationID, o.Right, s.name)
			for _, p := range everybody {
				want := expected(o.Right, r.things, s, p)
				if got := answer(o, s, r, p); got != want {
					t.Errorf("%s, %s on %q: %s asked %s: %s, want %s", o.OperationID, o.Right, s.name, p.role, "/"+p.at, got, want)
				}
				row += fmt.Sprintf(" %-5s", want)
			}
			lines = append(lines, strings.TrimRight(row, " "))
		}
	}
	head := "# What each route answers to each role, granted on norway/oslo and on the root: no: not allowed; none: not found; taken: the name is.\n" +
		"# Roles, two columns each (oslo, root): " + fmt.Sprint(access.Roles()) + "\n\n"
	text := head + strings.Join(lines, "\n") + "\n"
	const file = "testdata/matrix.txt"
	if *updateMatrix {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(file); err != nil || string(kept) != text {
		t.Errorf("%s is not what is expected now (%v): go test ./hub/api -run TestMatrix -matrix writes it; read the difference", file, err)
	}
}

// expected says what a person is answered, by what is written in plainly.
func expected(op, kind string, s subject, p person) string {
	switch {
	case kind == "any":
		if p.may(op, p.at, &protocol.Owner{Visibility: protocol.ForAll}) {
			return "yes"
		}
		return "no"
	case s.sees != "" && !p.may(s.sees, s.group, s.owner), kind == "waiting" && !p.may(op, s.group, nil):
		// To whom it is not there: not found where they would see it if it were, at the root.
		switch {
		case !p.may(op, "", nil):
			return "no"
		case op == "stacks.apply", op == "edge-groups.change", op == "jobs.apply":
			return "taken" // they could make one, were it not for its name
		}
		return "none"
	case p.may(op, s.group, s.owner):
		return "yes"
	}
	return "no"
}
