package fleettest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/stacks/planner"
)

// given is a command that the test has given, for the books.
type given struct {
	device *Device
	id     protocol.CommandID
	op     string // "" for those that are not counted
	target string
}

// operations are the kinds of commands that countingEngine counts.
func operation(k protocol.CommandKind) string {
	switch k {
	case protocol.CommandContainerStart:
		return "start"
	case protocol.CommandContainerStop:
		return "stop"
	case protocol.CommandContainerRestart:
		return "restart"
	case protocol.CommandContainerKill:
		return "kill"
	case protocol.CommandContainerRemove:
		return "remove"
	}
	return ""
}

// Give gives a command. Settle then checks that it had its effect as often as its result says, so each operation
// should be given once for each container. ttl 0: the default.
func (f *Fleet) Give(d *Device, c protocol.Command, ttl time.Duration) protocol.CommandID {
	f.t.Helper()
	r, err := f.Hub().Commands.Give(commands.Spec{Device: d.ID, Command: c, By: "test", TTL: ttl})
	if err != nil {
		f.t.Fatal(err)
	}
	f.given = append(f.given, given{d, r.ID, operation(c.Kind), c.Target})
	return r.ID
}

// State is where a command stands in the hub's book.
func (f *Fleet) State(id protocol.CommandID) protocol.CommandState {
	f.t.Helper()
	r, err := f.Hub().Commands.Get(id)
	if err != nil {
		f.t.Fatal(err)
	}
	return r.State
}

// Apply makes or changes a stack of all devices.
func (f *Fleet) Apply(name string, files map[string]string) {
	f.t.Helper()
	f.ApplyTo(name, "", files)
}

// ApplyTo makes or changes a stack of the devices of a selector.
func (f *Fleet) ApplyTo(name, selector string, files map[string]string) {
	f.t.Helper()
	content := map[string][]byte{}
	for path, text := range files {
		content[path] = []byte(text)
	}
	if _, _, err := f.Hub().Planner.Apply(planner.ApplySpec{Name: name, Selector: &selector, Files: content, Author: "test"}); err != nil {
		f.t.Fatal(err)
	}
}

// Truth is what the engine and the machine of a device are like now, in canonical form.
func (d *Device) Truth() []byte {
	obs, err := d.Engine.Observe(context.Background())
	if err != nil {
		d.fleet.t.Fatal(err)
	}
	canonical, _ := snapshot.Canonical(protocol.Snapshot{
		Host: HostOf(d.Spec.Seed), Engine: obs.Engine, Images: obs.Images, Containers: obs.Containers, Volumes: obs.Volumes, Networks: obs.Networks,
	})
	return canonical
}

// Settle waits until hub and devices agree, and fails the test when they do not within limit: the hub's last known
// state of each device is the truth, each device holds what it shall hold and runs it, all commands have ended and
// had their effect as often as their results say, and nothing is left to be said. Devices whose agent was stopped
// must not be there.
func (f *Fleet) Settle(limit time.Duration) {
	f.t.Helper()
	var left string
	deadline := time.Now().Add(limit)
	time.Sleep(time.Millisecond) // in a bubble: until everybody has done what the last change made them do
	for {
		if left = f.Unsettled(); left == "" {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("after %s: %s", limit, left)
		}
		time.Sleep(max(limit/300, 50*time.Millisecond))
	}
}

// Unsettled says what is not as Settle wants it; "" when all is.
func (f *Fleet) Unsettled() string {
	for _, d := range f.devices {
		if d.gone {
			continue
		}
		if left := f.unsettled(d); left != "" {
			return fmt.Sprintf("device %d: %s", d.Spec.Seed, left)
		}
	}
	for _, g := range f.given {
		if left := f.miscounted(g); left != "" {
			return fmt.Sprintf("device %d, command %s %s: %s", g.device.Spec.Seed, g.op, g.target, left)
		}
	}
	return ""
}

func (f *Fleet) unsettled(d *Device) string {
	if n, size := d.State.Pending(); n > 0 {
		return fmt.Sprintf("%d items of %d bytes are in the outbox", n, size)
	}
	want := append(f.Hub().Planner.Desired(d.ID), f.Hub().Jobs.Desired(d.ID)...)
	if have := d.State.Orders(); protocol.DesiredHash(have.Desired) != protocol.DesiredHash(want) {
		return fmt.Sprintf("it has %d entries of the desired set, not the %d it shall have", len(have.Desired), len(want))
	}
	settings, _ := f.Hub().Fleet.Effective(d.ID)
	if have := d.State.Orders().Settings; have == nil || have.Hash() != settings.Settings.Hash() {
		return "it does not have its settings"
	}
	for _, s := range f.Hub().Planner.DeviceStacks(d.ID) {
		if s.State != protocol.StackRunning {
			return fmt.Sprintf("stack %s is %s: %s %s", s.Name, s.State, s.Code, s.Detail)
		}
	}
	last, err := f.Hub().Snapshots.Latest(d.ID)
	if err != nil {
		return err.Error()
	}
	if want := protocol.HashOf(d.Truth()).Short(); last.Hash != want {
		return fmt.Sprintf("the hub's last state is %s, the truth is %s", last.Hash, want)
	}
	if _, acked := d.State.AckedSnapshot(); acked != last.Hash {
		return fmt.Sprintf("the hub's last state is %s, the device thinks it is %s", last.Hash, acked)
	}
	return ""
}

// miscounted compares the book with what has reached the engine.
func (f *Fleet) miscounted(g given) string {
	r, err := f.Hub().Commands.Get(g.id)
	if err != nil {
		return err.Error()
	}
	if !r.State.Final() {
		return "is " + r.State.String()
	}
	if g.op == "" {
		return ""
	}
	n := g.device.Calls(g.op, g.target)
	ok := false
	switch r.State {
	case protocol.CommandDone, protocol.CommandFailed:
		ok = n == 1
	case protocol.CommandInterrupted:
		ok = n <= 1
	default:
		ok = n == 0
	}
	if !ok {
		f.t.Fatalf("device %d, command %s %s is %s, and reached the engine %s times", g.device.Spec.Seed, g.op, g.target, r.State, strconv.Itoa(n))
	}
	return ""
}

// Told is how many events of a kind the hub has, as far as it keeps them.
func (f *Fleet) Told(kind string) int {
	f.t.Helper()
	n, after := 0, events.FromOldest
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		batch, err := f.Hub().Events.Next(ctx, after)
		cancel()
		if err != nil {
			return n
		}
		for _, e := range batch {
			after = e.ID
			if e.Kind == kind {
				n++
			}
		}
	}
}
