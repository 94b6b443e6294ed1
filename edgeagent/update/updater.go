package update

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

// switchWait is how long actions on the engine and runs of jobs that have begun may take before the agent stops for the
// switch; after it they are interrupted as by any stop.
const switchWait = 10 * time.Minute

// Blobs is where what was fetched is kept.
type Blobs interface {
	// Blob returns a blob, verified.
	Blob(protocol.Hash) ([]byte, error)
	HasBlob(protocol.Hash) bool
	DropBlob(protocol.Hash) error
}

// Config of an Updater. Fields without a comment of their own are required.
type Config struct {
	// Data is the agent's data folder.
	Data string
	// Container is whether the agent runs in a container, whose own files are lost with it. False: it does not.
	Container bool
	// Program is the running program, Launcher the installed one. They are the same where that one runs itself.
	Program, Launcher string
	// Composer finds the composer in use.
	Composer func() (string, error)
	// Version that runs, and Platform as in protocol.Hello.Arch.
	Version, Platform string
	// Keys are the release keys that are trusted. None: the device cannot update itself.
	Keys  []ed25519.PublicKey
	Blobs Blobs
	// Fetch blocks until the blob is in Blobs, or ctx ends.
	Fetch func(context.Context, protocol.File) error
	// Gate is closed before the switch.
	Gate *Gate
	// Takes says how long it is from now until there was contact with the hub for a time. Nil: as long, for the link may
	// always be used.
	Takes func(contact time.Duration) time.Duration
	// Switch stops the agent and launches it anew. It returns at once.
	Switch func()
	Log    *slog.Logger
}

// Updater takes updates in the running agent.
type Updater struct {
	cfg    Config
	folder Folder
	own    Place // where the running program is
	facts  func() facts

	mu        sync.Mutex // held while the record is read and written
	onTrial   bool       // guarded by mu
	confirmed chan struct{}
}

// facts are what the device says of its programs. They do not change while the agent runs.
type facts struct {
	programs []program
	cannot   string
}

// program is one that the device has.
type program struct {
	name, path string
	hash       protocol.Hash
}

// New returns an Updater. It does nothing by itself.
func New(cfg Config) (*Updater, error) {
	u := &Updater{cfg: cfg, folder: In(cfg.Data), own: Installed, confirmed: make(chan struct{})}
	for _, slot := range []Place{SlotA, SlotB} {
		if cfg.Program == u.folder.Path(slot, protocol.ProgramAgent) {
			u.own = slot
		}
	}
	u.facts = sync.OnceValue(u.look)
	r, err := u.folder.Read()
	if err != nil {
		cfg.Log.Error("updates begin anew", "error", err)
		return u, nil
	}
	u.onTrial = r.Trial != nil && r.Trial.Slot == u.own
	return u, nil
}

// look finds out what the device runs, and whether it can update itself.
func (u *Updater) look() facts {
	var f facts
	paths := map[string]string{protocol.ProgramAgent: u.cfg.Program}
	composer, err := u.cfg.Composer()
	if err == nil {
		paths[protocol.ProgramComposer] = composer
	}
	for _, name := range []string{protocol.ProgramAgent, protocol.ProgramComposer} {
		path := paths[name]
		if path == "" {
			continue
		}
		hash, err := hashFile(path)
		if err != nil {
			u.cfg.Log.Warn("a program cannot be read, so it is sent whole with an update", "path", path, "error", err)
			continue
		}
		f.programs = append(f.programs, program{name, path, hash})
	}
	switch {
	case len(u.cfg.Keys) == 0:
		f.cannot = "No release key is trusted: start the agent with --release-key."
	case u.cfg.Program == "" || len(f.programs) == 0:
		f.cannot = "The agent cannot read its own program."
	default:
		f.cannot = cannot(&u.cfg)
	}
	return f
}

// Facts are what the hub is told: the programs that run, and why the device cannot update itself, or "".
func (u *Updater) Facts() (programs []protocol.ProgramFact, why string) {
	f := u.facts()
	for _, p := range f.programs {
		programs = append(programs, protocol.ProgramFact{Name: p.name, Hash: p.hash.Short()})
	}
	return programs, f.cannot
}

// Confirm notes that the hub has taken the agent into a session. Where the agent is on trial it has proved itself; that
// is durable when Confirm returns nil.
func (u *Updater) Confirm() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.onTrial {
		return nil
	}
	r, err := u.folder.Read()
	if err != nil {
		return err
	}
	if r.Trial != nil && r.Trial.Slot == u.own {
		r.confirm()
		if err := u.folder.write(r); err != nil {
			return err
		}
		u.cfg.Log.Info("the update has proved itself", "version", r.Ended.To)
	}
	u.onTrial = false
	close(u.confirmed)
	return nil
}

// Rollback makes the previous programs the current ones, from the next start.
func (u *Updater) Rollback() (Record, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.folder.Rollback()
}

// failure is how an update failed.
type failure struct{ code, text string }

// Error implements error.
func (f *failure) Error() string { return f.text }

func fail(code, format string, args ...any) error {
	return &failure{code, fmt.Sprintf(format, args...)}
}

// Outcome is how an update ended.
type Outcome struct {
	Result protocol.CommandResult
	// Output is the end of what the new programs printed, where they did not prove themselves.
	Output []byte
}

// Update brings a journaled command as far as this process can, from wherever it stood; false: it goes on in the next.
func (u *Updater) Update(ctx context.Context, c protocol.Command) (Outcome, bool) {
	for {
		r, err := u.read()
		switch {
		case err != nil:
			return failed(c, fail(protocol.UpdateDisk, "%v", err)), true
		case r.Ended != nil && r.Ended.Command == c.ID:
			return u.outcome(r.Ended), true
		case r.Trial == nil || r.Trial.Command != c.ID:
			return u.prepare(ctx, c)
		case r.Trial.Slot != u.own: // the launcher could not try it
			if err := u.giveUp(); err != nil {
				return failed(c, fail(protocol.UpdateDisk, "%v", err)), true
			}
			continue
		}
		if err := u.prolong(c); err != nil {
			u.cfg.Log.Warn("the trial ends without regard to the times of contact", "error", err)
		}
		select {
		case <-u.confirmed:
		case <-ctx.Done():
			return Outcome{}, false
		}
	}
}

func (u *Updater) read() (Record, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.folder.Read()
}

func (u *Updater) giveUp() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, err := u.folder.Read()
	if err != nil || r.Trial == nil {
		return err
	}
	slot := r.Trial.Slot
	r.end("the device could not try it: its disk is full or cannot be written", "")
	if err := u.folder.write(r); err != nil {
		return err
	}
	return u.folder.drop(slot)
}

func (u *Updater) outcome(e *Ended) Outcome {
	if e.Reason == "" {
		return Outcome{Result: protocol.CommandResult{ID: e.Command, State: protocol.CommandDone, Text: e.From + " → " + e.To}}
	}
	return Outcome{
		Result: protocol.CommandResult{
			ID: e.Command, State: protocol.CommandFailed, Code: protocol.UpdateReverted,
			Text: fmt.Sprintf("%s → %s, and back: %s", e.From, e.To, e.Reason),
		},
		Output: []byte(e.Output),
	}
}

func failed(c protocol.Command, err error) Outcome {
	f := &failure{protocol.UpdateDisk, err.Error()}
	errors.As(err, &f)
	return Outcome{Result: protocol.CommandResult{ID: c.ID, State: protocol.CommandFailed, Code: f.code, Text: f.text}}
}

// prepare fills the slot that is not in use, puts it on trial and switches.
func (u *Updater) prepare(ctx context.Context, c protocol.Command) (Outcome, bool) {
	p, err := u.plan(c)
	if err != nil {
		return failed(c, err), true
	}
	if p == nil {
		return Outcome{Result: protocol.CommandResult{ID: c.ID, State: protocol.CommandDone, Text: u.cfg.Version + " runs already"}}, true
	}
	u.cfg.Log.Info("update begins", "from", u.cfg.Version, "to", p.release.Version, "slot", p.slot)
	if err := u.fill(ctx, p); err != nil {
		if ctx.Err() != nil {
			return Outcome{}, false // it goes on where it stopped
		}
		return failed(c, errors.Join(err, u.folder.drop(p.slot))), true
	}
	if err := u.putOnTrial(c, p); err != nil {
		return failed(c, err), true
	}
	waiting, cancel := context.WithTimeout(ctx, switchWait)
	u.cfg.Gate.close(waiting)
	cancel()
	u.cfg.Log.Info("update is ready: the agent starts anew", "version", p.release.Version)
	u.cfg.Switch()
	<-ctx.Done()
	return Outcome{}, false
}

func (u *Updater) putOnTrial(c protocol.Command, p *plan) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, err := u.folder.Read()
	if err != nil {
		return err
	}
	if r.Launcher, err = hashFile(u.cfg.Launcher); err != nil {
		return fail(protocol.UpdateRefused, "the installed agent %q cannot be read: %v", u.cfg.Launcher, err)
	}
	if r.Slots == nil {
		r.Slots = map[Place]Slot{}
	}
	r.Slots[p.slot] = Slot{Version: p.release.Version, Programs: p.hashes()}
	r.Trial = &Trial{
		Slot: p.slot, Command: c.ID, From: u.cfg.Version, To: p.release.Version, Seconds: u.trialSeconds(c.Update.Trial),
	}
	return u.folder.write(r)
}

// prolong gives this agent, which is on trial, the time that its times of contact call for: the device may have been off
// since the trial was prepared.
func (u *Updater) prolong(c protocol.Command) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, err := u.folder.Read()
	if err != nil || r.Trial == nil {
		return err
	}
	seconds := u.trialSeconds(c.Update.Trial)
	if seconds <= r.Trial.Seconds {
		return nil
	}
	r.Trial.Seconds = seconds
	return u.folder.write(r)
}

// trialSeconds is how long an attempt may take until it is in session, of which the time asked for is time of contact.
func (u *Updater) trialSeconds(asked uint32) uint32 {
	if asked == 0 {
		asked = protocol.DefaultTrial
	}
	asked = min(asked, protocol.MaxTrial)
	if u.cfg.Takes == nil {
		return asked
	}
	takes := u.cfg.Takes(time.Duration(asked) * time.Second)
	return max(asked, uint32(min((takes+time.Second-1)/time.Second, math.MaxUint32)))
}

// Status is how the device stands with updates, for a person at the box.
type Status struct {
	// Runs is where the running programs are: installed, a or b. It is empty when no agent was asked.
	Runs Place `json:"runs,omitempty"`
	// Cannot says why the device cannot update itself. Empty: it can, or no agent was asked.
	Cannot string `json:"cannot,omitempty"`
	Record Record `json:"record"`
}

// Status tells how the device stands.
func (u *Updater) Status() Status {
	r, err := u.read()
	if err != nil {
		u.cfg.Log.Warn("status of updates", "error", err)
	}
	return Status{Runs: u.own, Cannot: u.facts().cannot, Record: r}
}
