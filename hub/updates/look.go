package updates

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
)

// look takes every update one step on, and gives when to look again. The zero time: when something happens.
func (d *Desk) look(now time.Time) (next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.takeEnded()
	for _, r := range d.runs {
		if r.Rollout.Phase.Over() && !r.underWay() {
			if err := d.store(r, r.Rollout); err != nil {
				d.cfg.Log.Error("an update cannot be stored", "update", r.ID, "error", err)
			}
			continue
		}
		if err := d.step(r, now); err != nil {
			d.cfg.Log.Error("an update cannot go on, and is tried again", "update", r.ID, "error", err)
			r.why, r.next = "the hub could not go on with it: its log says why", now.Add(LookEvery)
		}
		if soon := now.Add(LookEvery); r.next.IsZero() || r.next.After(soon) {
			r.next = soon
		}
		if next.IsZero() || r.next.Before(next) {
			next = r.next
		}
	}
	return next
}

func (r *run) underWay() bool {
	for _, j := range r.jobs {
		if j.open() {
			return true
		}
	}
	return false
}

// takeEnded notes what became of commands.
func (d *Desk) takeEnded() {
	for _, rec := range d.inbox.take() {
		for _, r := range d.runs {
			j := r.jobs[rec.Device]
			if j == nil || j.Command != rec.ID {
				continue
			}
			r.end(j, rec.State, rec.Result)
			d.readable.drop(rec.Device)
			if j.failed() {
				d.cfg.Events(Notice{Kind: KindFailed, Update: &r.Update, Device: rec.Device, Text: j.code() + ": " + j.Text})
			}
		}
	}
}

func (j *Job) failed() bool {
	switch j.State {
	case protocol.CommandFailed, protocol.CommandRefused, protocol.CommandInterrupted:
		return true
	}
	return false
}

// code is why a job has failed.
func (j *Job) code() string {
	if j.Code != "" {
		return j.Code
	}
	return j.State.String()
}

// step looks at the devices of an update and does what the rollout says.
func (d *Desk) step(r *run, now time.Time) error {
	targets, err := d.cfg.Fleet.Targets(r.Selector, r.Group)
	if err != nil {
		return err
	}
	byID := make(map[protocol.DeviceID]*Target, len(targets))
	seen := make([]rollout.Seen, len(targets))
	r.seen = make(map[protocol.DeviceID]rollout.Seen, len(targets))
	for i := range targets {
		t := &targets[i]
		byID[t.ID] = t
		seen[i] = d.see(r, t, now)
		r.seen[t.ID] = seen[i]
	}
	before := r.Rollout.Clone()
	out := r.Rollout.Step(now, seen)
	if err := d.store(r, before); err != nil {
		r.Rollout = before
		return err
	}
	r.why, r.next = out.Why, out.Next
	if out.TakeBack {
		d.takeBack(r)
	}
	for _, task := range out.Start {
		d.start(r, byID[task.ID], task, now)
	}
	for _, task := range out.Back {
		d.start(r, byID[task.ID], task, now)
	}
	return d.store(r, r.Rollout)
}

// store makes an update durable with its changed jobs, where it is not as it was before.
func (d *Desk) store(r *run, before rollout.State) error {
	was := before.Phase
	if r.Rollout.Phase.Over() && r.Ended == 0 {
		r.Ended = time.Now().Unix()
	}
	if len(r.dirty) == 0 && reflect.DeepEqual(before, r.Rollout) {
		return nil
	}
	jobs := make([]Job, 0, len(r.dirty))
	for id := range r.dirty {
		jobs = append(jobs, *r.jobs[id])
	}
	if err := d.cfg.Store.PutUpdate(&r.Update, jobs); err != nil {
		return fmt.Errorf("store update %s: %w", r.ID, err)
	}
	clear(r.dirty)
	d.tellPhase(r, was)
	return nil
}

// see says how a device stands.
func (d *Desk) see(r *run, t *Target, now time.Time) rollout.Seen {
	dev := r.Rollout.Devices[t.ID]
	v := rollout.Seen{ID: t.ID, Attempt: dev.Attempt, Order: r.order(t), Group: t.Group}
	j := r.jobs[t.ID]
	if j != nil && j.open() && j.From == "" { // adopted after a crash
		j.From = t.Version
		r.dirty[t.ID] = true
	}
	if j != nil && j.Command != 0 && j.Attempt == dev.Attempt {
		if d.seeJob(&v, r, j, t, now) {
			return v
		}
	}
	returning := back(dev.Status)
	want, err := d.wanted(r, j, returning)
	if err != nil {
		return ended(v, CodeNoRelease)
	}
	switch {
	case runs(t, &want.Release):
		v.Standing = rollout.Succeeded
		return v
	case t.NoUpdate != "" || t.Capability < capability:
		return ended(v, CodeUnable)
	}
	if _, ok := want.For(protocol.ProgramAgent, t.Platform); !ok {
		return ended(v, CodePlatform)
	}
	if !returning && !r.Downgrade && protocol.CompareVersions(want.Version, t.Version) < 0 {
		return ended(v, CodeNewer)
	}
	return d.seeAble(v, r, t, want, now)
}

// capability is the least of an agent that knows the command.
const capability = 2

func ended(v rollout.Seen, code string) rollout.Seen {
	v.Standing, v.Code = rollout.Ended, code
	return v
}

func deferred(v rollout.Seen, code string) rollout.Seen {
	v.Standing, v.Code = rollout.Deferred, code
	return v
}

// seeJob says how a device stands by the command that it was given, and false where that says nothing (any more).
func (d *Desk) seeJob(v *rollout.Seen, r *run, j *Job, t *Target, now time.Time) bool {
	switch {
	case j.State == protocol.CommandDone:
		v.Standing = rollout.Succeeded
	case j.failed():
		*v = ended(*v, j.code())
	case j.State == protocol.CommandExpired && now.Before(time.Unix(j.Ended, 0).Add(notCollected)) && t.Reachable:
		*v = deferred(*v, CodeNoCollect)
		v.Next = time.Unix(j.Ended, 0).Add(notCollected)
	case j.State.Final():
		return false // it never began
	case t.Reachable:
		v.Standing = rollout.Started
	default:
		d.seeQuiet(v, r, j, now)
	}
	return true
}

// seeQuiet says how a device stands that was given a command and is not heard of: one that has not taken it does not get
// it any more, so that it does not begin when nobody expects it.
func (d *Desk) seeQuiet(v *rollout.Seen, r *run, j *Job, now time.Time) {
	v.Standing = rollout.Started
	rec, err := d.cfg.Commands.Get(j.Command)
	if err != nil {
		d.cfg.Log.Error("a command of an update cannot be read", "update", r.ID, "device", j.Device, "error", err)
		return
	}
	switch {
	case rec.State == protocol.CommandQueued:
		if !rec.Repealed {
			d.withdraw(r, j)
		}
		*v = deferred(*v, CodeQuiet)
	case rec.State == protocol.CommandWaiting: // it begins when there is budget for it, or expires
	case rec.SentAt != 0 && now.After(time.Unix(rec.SentAt, 0).Add(r.trial()+silentAfter)):
		*v = ended(*v, CodeSilent)
	}
}

func (r *run) trial() time.Duration {
	if r.Trial == 0 {
		return protocol.DefaultTrial * time.Second
	}
	return time.Duration(r.Trial) * time.Second
}

// wanted is the release that a device shall have.
func (d *Desk) wanted(r *run, j *Job, returning bool) (releases.Release, error) {
	if !returning {
		return d.cfg.Shelf.Get(r.Release)
	}
	if j == nil || j.From == "" {
		return releases.Release{}, releases.ErrNotFound
	}
	return d.cfg.Shelf.Get(j.From)
}

// runs reports whether a device runs a release: by the hashes of its programs, or by its version where it tells none.
func runs(t *Target, r *protocol.Release) bool {
	if len(t.Programs) == 0 {
		return protocol.CompareVersions(t.Version, r.Version) == 0 && t.Version != ""
	}
	for _, fact := range t.Programs {
		if p, ok := r.For(fact.Name, t.Platform); ok && p.Hash.Short() != fact.Hash {
			return false
		}
	}
	_, ok := r.For(protocol.ProgramAgent, t.Platform)
	return ok
}

// seeAble says whether a device that could be changed can be now.
func (d *Desk) seeAble(v rollout.Seen, r *run, t *Target, want releases.Release, now time.Time) rollout.Seen {
	if !t.Reachable {
		return deferred(v, CodeQuiet)
	}
	until, next, open := stacks.WindowAt(stacks.Zoned(r.Windows, t.Labels), now)
	if !open || !until.IsZero() && until.Sub(now) < minTTL {
		v.Next = next
		return deferred(v, CodeWindow)
	}
	for _, other := range d.runs {
		if j := other.jobs[t.ID]; other != r && j != nil && j.open() {
			return deferred(v, CodeBusy)
		}
	}
	switch _, _, err := d.programs(t, want); {
	case errors.Is(err, releases.ErrPreparing):
		return deferred(v, CodePreparing)
	case err != nil:
		return ended(v, CodeHub)
	}
	return v
}

// order is the order key of a device.
func (r *run) order(t *Target) uint32 {
	if !r.Plan.ByOrder {
		return 0
	}
	n, err := strconv.ParseUint(t.Labels[r.OrderLabel], 10, 31)
	if err != nil {
		return math.MaxUint32 - 1
	}
	return uint32(n)
}

// programs gives what is to be sent for a device to run a release, and how many bytes that is.
func (d *Desk) programs(t *Target, want releases.Release) ([]protocol.UpdateProgram, uint64, error) {
	var out []protocol.UpdateProgram
	var bytes uint64
	var preparing error
	for _, name := range []string{protocol.ProgramAgent, protocol.ProgramComposer} {
		p, ok := want.For(name, t.Platform)
		if !ok {
			continue
		}
		fact, has := factOf(t, name)
		if has && fact.Hash == p.Hash.Short() {
			continue
		}
		var base protocol.Hash
		if has {
			base, _ = d.cfg.Shelf.BaseOf(fact)
		}
		parts, err := d.cfg.Shelf.Parts(p, base)
		switch {
		case errors.Is(err, releases.ErrPreparing):
			preparing = err // the other program is made ready meanwhile
		case err != nil:
			return nil, 0, err
		default:
			out, bytes = append(out, parts.Program), bytes+parts.Bytes
		}
	}
	return out, bytes, preparing
}

func factOf(t *Target, name string) (protocol.ProgramFact, bool) {
	for _, f := range t.Programs {
		if f.Name == name && !f.Hash.IsZero() {
			return f, true
		}
	}
	return protocol.ProgramFact{}, false
}

// start gives a device its command.
func (d *Desk) start(r *run, t *Target, task rollout.Task, now time.Time) {
	returning := back(r.Rollout.Devices[t.ID].Status)
	old := r.jobs[t.ID]
	want, err := d.wanted(r, old, returning)
	var programs []protocol.UpdateProgram
	var bytes uint64
	if err == nil {
		programs, bytes, err = d.programs(t, want)
	}
	ttl := commands.DefaultTTL
	if until, _, _ := stacks.WindowAt(stacks.Zoned(r.Windows, t.Labels), now); !until.IsZero() {
		ttl = min(ttl, until.Sub(now))
	}
	var rec commands.Record
	if err == nil {
		rec, err = d.cfg.Commands.Give(commands.Spec{
			Device: t.ID, By: r.By + byMark + r.ID, TTL: ttl,
			Command: protocol.Command{Kind: protocol.CommandUpdate, Update: &protocol.Update{
				Release: want.Signed, Programs: programs, Trial: r.Trial, Downgrade: r.Downgrade || returning,
			}},
		})
	}
	if err != nil {
		d.cfg.Log.Warn("an update cannot be given to a device, and is tried again", "update", r.ID, "device", t.ID, "error", err)
		return
	}
	j := &Job{
		Device: t.ID, Attempt: task.Attempt, Command: rec.ID, Back: returning, From: t.Version, State: rec.State, Bytes: bytes, Given: rec.Given,
	}
	for _, p := range programs {
		j.Patch = j.Patch || p.Base != protocol.Hash{}
	}
	if returning && old != nil {
		j.From = old.From
	}
	r.set(j)
	d.readable.give(t.ID, rec.Update)
}

// takeBack withdraws what was given to start and was not taken yet.
func (d *Desk) takeBack(r *run) {
	for id, j := range r.jobs {
		if !j.open() || j.Back || r.Rollout.Devices[id].Status != rollout.StatusGoing && r.Rollout.Devices[id].Status != rollout.StatusChosen {
			continue
		}
		rec, err := d.cfg.Commands.Get(j.Command)
		if err == nil && rec.State == protocol.CommandQueued && !rec.Repealed {
			d.withdraw(r, j)
		}
	}
}

func (d *Desk) withdraw(r *run, j *Job) {
	_, err := d.cfg.Commands.Withdraw(j.Command, "update "+r.ID)
	if err != nil && !errors.Is(err, commands.ErrEnded) {
		d.cfg.Log.Error("a command of an update cannot be withdrawn", "update", r.ID, "device", j.Device, "error", err)
	}
}
