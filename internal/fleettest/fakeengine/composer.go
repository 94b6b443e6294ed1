package fakeengine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Labels of a service by which a compose file says how the fake shall behave.
const (
	// LabelFail is pull (the image cannot be had), exit (the container ends with code 1) or unhealthy.
	LabelFail = "farshore.test/fail"
	// LabelDelay is how long creating the service's container takes, such as 5s.
	LabelDelay = "farshore.test/delay"
)

// ComposerConfig of a Composer. Engine is required.
type ComposerConfig struct {
	Engine *Engine
	// ReadFile reads a file of a bundle by its absolute path. Nil: os.ReadFile.
	ReadFile func(path string) ([]byte, error)
}

// Composer does on an Engine what farshore-composer does on a real one, at the level of services and containers, with
// the same requests, events and codes. It is safe for concurrent use.
type Composer struct {
	engine   *Engine
	readFile func(string) ([]byte, error)
}

// NewComposer returns a Composer.
func NewComposer(cfg ComposerConfig) *Composer {
	if cfg.ReadFile == nil {
		cfg.ReadFile = os.ReadFile
	}
	return &Composer{engine: cfg.Engine, readFile: cfg.ReadFile}
}

// refusal becomes a failed event.
type refusal struct{ code, detail string }

func (r *refusal) Error() string { return r.code + ": " + r.detail }

func refuse(code, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// run is one Run.
type run struct {
	*Composer
	ctx      context.Context
	req      ipc.Request
	progress func(ipc.Event)
	services []service
	actions  map[string]string // by service
	changing bool              // something may have been changed
}

// Run carries out a request and returns its final event. The error is that of ctx when the composer was stopped in the
// middle; what was done by then stays.
func (c *Composer) Run(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, error) {
	if progress == nil {
		progress = func(ipc.Event) {}
	}
	r := &run{Composer: c, ctx: ctx, req: req, progress: progress, actions: map[string]string{}}
	var err error
	switch req.Action {
	case ipc.ActionUp:
		err = r.up()
	case ipc.ActionDown:
		err = r.down()
	case ipc.ActionFetch:
		if err = r.load(); err == nil {
			err = r.images()
		}
	case ipc.ActionStop:
		err = r.stop()
	case ipc.ActionPlan:
		err = r.plan()
	case ipc.ActionValidate:
		err = r.load()
	default:
		err = refuse(ipc.CodeBadRequest, "action %q is not known", req.Action)
	}
	final := ipc.Event{Kind: ipc.KindDone, Services: r.states()}
	if err == nil {
		return final, nil
	}
	final.Kind, final.Unchanged = ipc.KindFailed, !r.changing
	var no *refusal
	switch {
	case errors.As(err, &no):
		final.Code, final.Detail = no.code, no.detail
	case ctx.Err() != nil:
		final.Code, final.Detail = ipc.CodeCancelled, "the composer was stopped before it was done"
		return final, ctx.Err()
	case errors.Is(err, snapshot.ErrEngineAbsent):
		final.Code, final.Detail = ipc.CodeEngineUnreachable, err.Error()
	default:
		final.Code, final.Detail = ipc.CodeInternal, err.Error()
	}
	return final, nil
}

// step says what comes next, and is where FailAt and absence strike.
func (r *run) step(service, format string, args ...any) error {
	if err := r.engine.enter(r.ctx, OpCompose); err != nil {
		return err
	}
	r.progress(ipc.Event{Kind: ipc.KindStep, Service: service, Text: fmt.Sprintf(format, args...)})
	return nil
}

func (r *run) load() error {
	names := r.req.Files
	if len(names) == 0 {
		names = []string{"compose.yml", "compose.yaml", "docker-compose.yml", "docker-compose.yaml"}
	}
	for _, name := range names {
		text, err := r.readFile(filepath.Join(r.req.Dir, filepath.FromSlash(name)))
		if errors.Is(err, os.ErrNotExist) && len(r.req.Files) == 0 {
			continue
		}
		if err != nil {
			return refuse(ipc.CodeMissingFile, "%s cannot be read (%v): add it to the bundle", name, err)
		}
		r.services, err = r.parse(name, text)
		return err
	}
	return refuse(ipc.CodeMissingFile, "the bundle has no compose file: add a compose.yml")
}

// have returns the project's containers of a service, or all for "".
func (r *run) have(service string) []*box {
	var out []*box
	for _, b := range r.engine.containers {
		if b.Project == r.req.Project && (service == "" || b.Service == service) {
			out = append(out, b)
		}
	}
	return out
}

// decide returns the action for a service. Callers hold the engine's mu.
func (r *run) decide(s service) string {
	have := r.have(s.name)
	switch {
	case len(have) == 0:
		return ipc.ServiceCreated
	case have[0].config != s.hash:
		return ipc.ServiceRecreated
	case !have[0].running() && (s.spec.Fate != Exits || have[0].ExitCode != 0):
		return ipc.ServiceStarted
	}
	return ipc.ServiceUnchanged
}

func (r *run) plan() error {
	if err := r.load(); err != nil {
		return err
	}
	if err := r.step("", "look at what is there"); err != nil {
		return err
	}
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	for _, s := range r.services {
		r.actions[s.name] = r.decide(s)
	}
	for _, b := range r.orphans() {
		r.actions[b.Service] = ipc.ServiceRemoved
	}
	return nil
}

// orphans are containers of services that the bundle does not have. Callers hold the engine's mu.
func (r *run) orphans() []*box {
	return slices.DeleteFunc(r.have(""), func(b *box) bool {
		return slices.ContainsFunc(r.services, func(s service) bool { return s.name == b.Service })
	})
}

func (r *run) up() error {
	if err := r.load(); err != nil {
		return err
	}
	if err := r.images(); err != nil {
		return err
	}
	for _, s := range r.services {
		if err := r.service(s); err != nil {
			return err
		}
	}
	r.engine.mu.Lock()
	orphans := r.orphans()
	r.engine.mu.Unlock()
	for _, b := range orphans {
		if err := r.step(b.Service, "remove container %s", b.Name); err != nil {
			return err
		}
		r.actions[b.Service] = ipc.ServiceRemoved
		r.engine.mu.Lock()
		r.engine.remove(b)
		r.engine.mu.Unlock()
		r.engine.notify()
	}
	return r.wait()
}

// images makes sure of all images before anything is changed.
func (r *run) images() error {
	for _, s := range r.services {
		r.engine.mu.Lock()
		_, there := r.engine.imageFor(s.spec.Image, noPull)
		r.engine.mu.Unlock()
		if there && r.req.Pull != ipc.PullAlways {
			continue
		}
		if err := r.step(s.name, "pull image %s", s.spec.Image); err != nil {
			return err
		}
		if s.fail == "pull" || !there && (r.req.Pull == ipc.PullNever || r.req.Pull == ipc.PullFetched) {
			return refuse(ipc.CodeImageUnavailable, "image %s of service %s is neither on the device nor to be had: check its name, or the registry", s.spec.Image, s.name)
		}
		r.engine.mu.Lock()
		r.engine.imageFor(s.spec.Image, canPull)
		r.engine.mu.Unlock()
		r.engine.notify()
	}
	return nil
}

// service brings one service to what the bundle says.
func (r *run) service(s service) error {
	r.engine.mu.Lock()
	action := r.decide(s)
	r.engine.mu.Unlock()
	r.actions[s.name] = action
	if action == ipc.ServiceUnchanged {
		return nil
	}
	if err := r.step(s.name, "container of service %s: %s", s.name, action); err != nil {
		return err
	}
	if s.delay > 0 {
		timer := time.NewTimer(s.delay)
		defer timer.Stop()
		select {
		case <-r.ctx.Done():
			return r.ctx.Err()
		case <-timer.C:
		}
	}
	r.changing = true
	defer r.engine.notify()
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	if action == ipc.ServiceStarted {
		r.engine.start(r.have(s.name)[0])
		return nil
	}
	for _, b := range r.have(s.name) {
		r.engine.remove(b)
	}
	if port, owner := r.portTaken(s); owner != "" {
		return refuse(ipc.CodePortInUse, "port %d of service %s is held by container %s: choose another, or stop that", port, s.name, owner)
	}
	if other := r.engine.find(s.spec.Name); other != nil {
		return refuse(ipc.CodeNameInUse, "there is a container %s that is not of this stack: remove or rename it", s.spec.Name)
	}
	spec := s.spec
	spec.Labels = maps.Clone(spec.Labels)
	maps.Copy(spec.Labels, r.req.Labels)
	b, err := r.engine.create(spec)
	if err != nil {
		return err
	}
	r.engine.start(b)
	return nil
}

func (r *run) portTaken(s service) (uint16, string) {
	for _, want := range s.spec.Ports {
		for _, b := range r.engine.containers {
			if b.running() && want.Public != 0 && slices.ContainsFunc(b.Ports, func(p protocol.Port) bool {
				return p.Public == want.Public && p.Proto == want.Proto
			}) {
				return want.Public, b.Name
			}
		}
	}
	return 0, ""
}

// wait waits until all run, and are healthy where they have a check.
func (r *run) wait() error {
	if r.req.WaitSeconds <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Duration(r.req.WaitSeconds)*time.Second)
	defer cancel()
	for {
		undecided, err := r.judge()
		if err != nil || !undecided {
			return err
		}
		timer := time.NewTimer(r.engine.cfg.HealthDelay / 4)
		select {
		case <-ctx.Done():
			timer.Stop()
			if r.ctx.Err() != nil {
				return r.ctx.Err()
			}
			return refuse(ipc.CodeUnhealthy, "not all services of %s got healthy within %d s", r.req.Project, r.req.WaitSeconds)
		case <-timer.C:
		}
	}
}

func (r *run) judge() (undecided bool, err error) {
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	for _, b := range r.have("") {
		switch {
		case b.State == protocol.ContainerExited && b.ExitCode != 0:
			return false, refuse(ipc.CodeExited, "container %s of service %s ended with exit code %d: see its log", b.Name, b.Service, b.ExitCode)
		case b.Health == protocol.HealthUnhealthy:
			return false, refuse(ipc.CodeUnhealthy, "container %s of service %s is unhealthy: see its health check", b.Name, b.Service)
		case b.Health == protocol.HealthStarting:
			undecided = true
		}
	}
	return undecided, nil
}

func (r *run) stop() error {
	if err := r.step("", "stop %s", r.req.Project); err != nil {
		return err
	}
	r.engine.mu.Lock()
	defer r.engine.notify()
	defer r.engine.mu.Unlock()
	for _, b := range r.have("") {
		if b.running() {
			r.engine.end(b, 0)
		}
	}
	return nil
}

func (r *run) down() error {
	if err := r.step("", "take down %s", r.req.Project); err != nil {
		return err
	}
	r.engine.mu.Lock()
	have := r.have("")
	r.engine.mu.Unlock()
	for _, b := range have {
		if err := r.step(b.Service, "remove container %s", b.Name); err != nil {
			return err
		}
		r.actions[b.Service] = ipc.ServiceRemoved
		r.engine.mu.Lock()
		r.engine.remove(b)
		r.engine.mu.Unlock()
		r.engine.notify()
	}
	r.engine.mu.Lock()
	r.engine.networks = slices.DeleteFunc(r.engine.networks, func(n protocol.Network) bool { return n.Project == r.req.Project })
	if r.req.Volumes == ipc.VolumesRemove {
		r.engine.volumes = slices.DeleteFunc(r.engine.volumes, func(v protocol.Volume) bool { return v.Project == r.req.Project })
	}
	r.engine.mu.Unlock()
	r.engine.notify()
	return nil
}

// states is what the final event says of each container and service.
func (r *run) states() []ipc.ServiceState {
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	var out []ipc.ServiceState
	seen := map[string]bool{}
	for _, b := range r.have("") {
		seen[b.Service] = true
		s := ipc.ServiceState{
			Service: b.Service, Container: b.Name, ID: idString(b.full), Image: b.ImageRef, State: b.State.String(),
			ExitCode: int(b.ExitCode), Action: r.actions[b.Service],
		}
		if b.Health != protocol.HealthNone {
			s.Health = b.Health.String()
		}
		out = append(out, s)
	}
	for _, s := range r.services {
		if !seen[s.name] {
			seen[s.name] = true
			out = append(out, ipc.ServiceState{Service: s.name, Image: s.spec.Image, Action: r.actions[s.name]})
		}
	}
	for name, action := range r.actions {
		if !seen[name] {
			out = append(out, ipc.ServiceState{Service: name, Action: action})
		}
	}
	slices.SortFunc(out, func(a, b ipc.ServiceState) int {
		return strings.Compare(a.Service+"\x00"+a.Container, b.Service+"\x00"+b.Container)
	})
	return out
}
