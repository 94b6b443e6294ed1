// Package updates brings releases of agent and composer to devices: it drives a rollout by commands of kind update, one
// open for each device, and keeps what became of each.
//
// It decides nothing about order and safety, which is done by stacks/rollout, and believes nothing of a release, which
// devices verify themselves. It owns the records of updates. A Desk is safe for concurrent use; everything is done by one
// goroutine at a time, and stored before it is acted upon, so that a restart loses nothing and starts nobody twice.
package updates

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

// Errors that callers tell apart.
var (
	ErrInvalid  = errors.New("update cannot be accepted")
	ErrNotFound = errors.New("no such update")
	ErrTooMany  = errors.New("too many updates")
)

// Bounds.
const (
	// MaxActive is the most updates that are not over.
	MaxActive = 16
	// KeepEnded is how many updates are kept that are over.
	KeepEnded = 100
	// LookEvery is how often devices are looked at where nothing calls for it.
	LookEvery = 5 * time.Second
	// lookGap is the least time between two looks.
	lookGap = time.Second
	// silentAfter is how long after its trial a device that has taken an update may be silent.
	silentAfter = 48 * time.Hour
	// notCollected is how long a device is left alone that did not collect a command.
	notCollected = time.Hour
	// minTTL is the least time that is left of a change window to start in.
	minTTL = time.Minute
)

// Target is a device as an update sees it.
type Target struct {
	ID     protocol.DeviceID
	Name   string
	Group  string
	Labels map[string]string
	// Version, Capability, Platform and NoUpdate are as it said last.
	Version    string
	Capability uint
	Platform   string
	NoUpdate   string
	// Programs that it runs. Without hashes: it did not say.
	Programs []protocol.ProgramFact
	// Reachable: it is heard of as expected, so that it will collect a command soon.
	Reachable bool
}

// Fleet is the devices.
type Fleet interface {
	// Targets gives the devices of a group, and below it, that a selector matches. Errors name what is wrong.
	Targets(selector, group string) ([]Target, error)
}

// Shelf is the releases; *releases.Shelf is one.
type Shelf interface {
	Get(version string) (releases.Release, error)
	Parts(want protocol.Program, base protocol.Hash) (releases.Parts, error)
	BaseOf(protocol.ProgramFact) (protocol.Hash, bool)
}

// Commands is the book of commands; *commands.Book is one.
type Commands interface {
	Give(commands.Spec) (commands.Record, error)
	Get(protocol.CommandID) (commands.Record, error)
	List(commands.Filter) ([]commands.Record, error)
	Withdraw(id protocol.CommandID, by string) (commands.Record, error)
	Devices() []protocol.DeviceID
}

// Store keeps updates. One method is one transaction.
type Store interface {
	// LoadUpdates gives all updates with their jobs.
	LoadUpdates() ([]Update, map[string][]Job, error)
	// PutUpdate stores an update and those of its jobs that are given.
	PutUpdate(u *Update, jobs []Job) error
	// DropUpdate removes an update with its jobs.
	DropUpdate(id string) error
}

// Kinds of Notice.
const (
	KindStarted = "update.started"
	KindPhase   = "update.phase"
	KindFailed  = "update.device-failed"
)

// Notice is something worth telling.
type Notice struct {
	Kind   string
	Update *Update
	// Device is set for KindFailed.
	Device protocol.DeviceID
	Text   string
}

// Config is what a Desk is made of. All is required but Events.
type Config struct {
	Store    Store
	Fleet    Fleet
	Shelf    Shelf
	Commands Commands
	// Events is told of what is worth telling. It must not call the Desk. Nil: nobody is.
	Events func(Notice)
	Log    *slog.Logger
}

// Desk drives updates.
//
// Lock order: mu, then that of readable, then inbox. The book of commands is called with mu held; what it tells meanwhile
// goes into the inbox.
type Desk struct {
	cfg Config // immutable

	mu   sync.Mutex
	runs map[string]*run // guarded by mu: by id

	readable readable // guards itself
	inbox    inbox    // guards itself
}

// run is one update with its jobs. It is guarded by Desk.mu.
type run struct {
	Update
	jobs  map[protocol.DeviceID]*Job
	dirty map[protocol.DeviceID]bool // jobs that are to be stored
	next  time.Time                  // when to look again
	why   string                     // what it waits for
	seen  map[protocol.DeviceID]rollout.Seen
}

// New loads the updates. It starts nothing: see Run.
func New(cfg Config) (*Desk, error) {
	if cfg.Events == nil {
		cfg.Events = func(Notice) {}
	}
	d := &Desk{cfg: cfg, runs: map[string]*run{}, inbox: inbox{wake: make(chan struct{}, 1)}}
	all, jobs, err := cfg.Store.LoadUpdates()
	if err != nil {
		return nil, fmt.Errorf("load updates: %w", err)
	}
	for _, u := range all {
		r := newRun(u)
		for _, j := range jobs[u.ID] {
			r.jobs[j.Device] = &j
		}
		d.runs[u.ID] = r
	}
	return d, d.adopt()
}

func newRun(u Update) *run {
	return &run{Update: u, jobs: map[protocol.DeviceID]*Job{}, dirty: map[protocol.DeviceID]bool{}}
}

// adopt takes over the commands that were given before the hub ended, also where it ended before it had noted them.
func (d *Desk) adopt() error {
	for _, dev := range d.cfg.Commands.Devices() {
		list, err := d.cfg.Commands.List(commands.Filter{Device: dev, Limit: commands.MaxOpen + commands.DefaultKeep})
		if err != nil {
			return fmt.Errorf("read commands of device %s: %w", dev, err)
		}
		for _, rec := range list {
			if rec.Kind == protocol.CommandUpdate && !rec.State.Final() {
				d.adoptOne(rec)
			}
		}
	}
	for _, r := range d.runs {
		for _, j := range r.jobs {
			if !j.open() {
				continue
			}
			rec, err := d.cfg.Commands.Get(j.Command)
			switch {
			case errors.Is(err, commands.ErrNotFound):
				r.end(j, protocol.CommandInterrupted, protocol.CommandResult{Text: "the hub does not know any more what became of it"})
			case err != nil:
				return err
			case rec.State.Final():
				r.end(j, rec.State, rec.Result)
			}
		}
	}
	return nil
}

func (d *Desk) adoptOne(rec commands.Record) {
	d.readable.give(rec.Device, rec.Update)
	_, id, _ := strings.Cut(rec.By, byMark)
	r := d.runs[id]
	if r == nil {
		return
	}
	if j := r.jobs[rec.Device]; j != nil && j.Command == rec.ID {
		return
	}
	from := ""
	if j := r.jobs[rec.Device]; j != nil {
		from = j.From
	}
	dev := r.Rollout.Devices[rec.Device]
	r.set(&Job{
		Device: rec.Device, Attempt: dev.Attempt, Command: rec.ID, Back: back(dev.Status), From: from, State: rec.State, Given: rec.Given,
	})
}

// byMark stands between who started an update and its id, in the records of its commands.
const byMark = " by update "

// back reports whether a device of that status is brought back, or was.
func back(s rollout.Status) bool {
	return s == rollout.StatusReturning || s == rollout.StatusReturned || s == rollout.StatusStuck
}

func (r *run) set(j *Job) {
	r.jobs[j.Device] = j
	r.dirty[j.Device] = true
}

func (r *run) end(j *Job, state protocol.CommandState, res protocol.CommandResult) {
	j.State, j.Code, j.Text, j.Ended = state, res.Code, res.Text, time.Now().Unix()
	r.dirty[j.Device] = true
}

// Run drives the updates until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	for {
		next := d.look(time.Now())
		gap := time.NewTimer(lookGap)
		select {
		case <-ctx.Done():
			gap.Stop()
			return nil
		case <-gap.C:
		}
		var due <-chan time.Time
		var timer *time.Timer
		if !next.IsZero() {
			timer = time.NewTimer(max(time.Until(next), 0))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.inbox.wake:
		case <-due:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// Nudge says that devices or releases may have changed.
func (d *Desk) Nudge() { d.inbox.nudge() }

// Ended takes what the book tells of a command that has ended. It never waits for the Desk.
func (d *Desk) Ended(rec commands.Record) {
	if rec.Kind == protocol.CommandUpdate {
		d.inbox.put(rec)
	}
}

// Readable reports which piece of a release a device may read: those of its open command.
func (d *Desk) Readable(dev protocol.DeviceID, blob protocol.ShortHash) (protocol.Hash, bool) {
	return d.readable.find(dev, blob)
}

// InUse returns an error where an update that is not over needs a release.
func (d *Desk) InUse(version string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.runs {
		if !r.Rollout.Phase.Over() && r.Release == version {
			return fmt.Errorf("update %s is %s: abort it, or wait until it has ended", r.ID, r.Rollout.Phase)
		}
	}
	return nil
}

// Start starts an update. Errors wrap ErrInvalid, ErrTooMany, rollout.ErrInvalid or releases.ErrNotFound, or are those
// of the fleet about the selector.
func (d *Desk) Start(s Spec, by string) (View, error) {
	if err := s.check(); err != nil {
		return View{}, err
	}
	if _, err := d.cfg.Shelf.Get(s.Release); err != nil {
		return View{}, err
	}
	targets, err := d.cfg.Fleet.Targets(s.Selector, s.Group)
	if err != nil {
		return View{}, err
	}
	if len(targets) == 0 || len(targets) > rollout.MaxDevices {
		return View{}, fmt.Errorf("%w: it means %d devices: want 1 to %d: look at its selector and group", ErrInvalid, len(targets), rollout.MaxDevices)
	}
	var begin time.Time
	if s.Begin != 0 {
		begin = time.Unix(s.Begin, 0)
	}
	state, err := rollout.New(s.Plan, begin)
	if err != nil {
		return View{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.room(); err != nil {
		return View{}, err
	}
	now := time.Now()
	r := newRun(Update{ID: protocol.NewCommandID(now).String(), Spec: s, By: by, Created: now.Unix(), Rollout: state})
	if err := d.cfg.Store.PutUpdate(&r.Update, nil); err != nil {
		return View{}, fmt.Errorf("store update: %w", err)
	}
	d.runs[r.ID] = r
	d.cfg.Events(Notice{Kind: KindStarted, Update: &r.Update, Text: fmt.Sprintf("to release %s, of %d devices, by %s", s.Release, len(targets), by)})
	d.inbox.nudge()
	return r.view(), nil
}

// room makes room for one more update. The caller holds mu.
func (d *Desk) room() error {
	var ended []*run
	active := 0
	for _, r := range d.runs {
		if r.Rollout.Phase.Over() {
			ended = append(ended, r)
		} else {
			active++
		}
	}
	if active >= MaxActive {
		return fmt.Errorf("%w: %d are not over: abort one, or wait", ErrTooMany, active)
	}
	slices.SortFunc(ended, func(a, b *run) int { return int(a.Created - b.Created) })
	for _, r := range ended[:max(0, len(ended)-KeepEnded+1)] {
		if err := d.cfg.Store.DropUpdate(r.ID); err != nil {
			return fmt.Errorf("drop update %s: %w", r.ID, err)
		}
		delete(d.runs, r.ID)
	}
	return nil
}

// Do does what an operator says of an update. Errors wrap ErrNotFound or rollout.ErrNotNow.
func (d *Desk) Do(id string, a rollout.Action, by string) (View, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.runs[id]
	if r == nil {
		return View{}, notFound(id)
	}
	state := r.Rollout.Clone()
	if err := state.Do(a, by); err != nil {
		return View{}, fmt.Errorf("update %s: %w", id, err)
	}
	changed := r.Update
	changed.Rollout, changed.Ended = state, 0
	if state.Phase.Over() {
		changed.Ended = time.Now().Unix()
	}
	if err := d.cfg.Store.PutUpdate(&changed, nil); err != nil {
		return View{}, fmt.Errorf("store update %s: %w", id, err)
	}
	was := r.Rollout.Phase
	r.Update = changed
	d.tellPhase(r, was)
	d.inbox.nudge()
	return r.view(), nil
}

func notFound(id string) error { return fmt.Errorf("update %.40q: %w", id, ErrNotFound) }

func (d *Desk) tellPhase(r *run, was rollout.Phase) {
	if r.Rollout.Phase == was {
		return
	}
	text := fmt.Sprintf("%s, was %s", r.Rollout.Phase, was)
	if r.Rollout.Reason != "" {
		text += ": " + r.Rollout.Reason
	}
	d.cfg.Events(Notice{Kind: KindPhase, Update: &r.Update, Text: text})
}
