// Package composer makes a Docker Engine run one stack's bundle, by the Compose library. It is the inside of the
// farshore-composer process: one request, one result, and the process ends. The resident agent starts it and never
// links this package.
//
// It owns what happens between a bundle on disk and containers on the engine: checks before anything is changed, what
// containers mount (with package staging), what is recreated, waiting, and the sentence that says what went wrong. It
// never fetches bundles, decides when to act, or remembers anything between runs besides the staged files. DESIGN.md
// has the invariants and the crash cases.
//
// Run uses process-wide settings of the Compose library, so it is called once per process, or at least not
// concurrently.
package composer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"

	"github.com/docker/compose/v2/pkg/progress"

	"github.com/farshore/farshore/stacks/compose"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/staging"
)

// Config says where Run reads and writes.
type Config struct {
	// Request is what to do.
	Request ipc.Request
	// Events gets the events as JSON lines. Required.
	Events io.Writer
	// Noise gets what the libraries print for people. Nil discards it.
	Noise io.Writer
}

// Run does what the request says and reports it as events, the last of which is of KindDone or KindFailed. It returns
// the exit code of the process. Cancelling ctx ends it with CodeCancelled; what is half done is put right by the next
// up.
func Run(ctx context.Context, cfg Config) int {
	if cfg.Noise == nil {
		cfg.Noise = io.Discard
	}
	out := newOutput(cfg)
	if err := check(cfg.Request); err != nil {
		out.emit(ipc.Event{Kind: ipc.KindFailed, Code: ipc.CodeBadRequest, Detail: err.Error()})
		return ipc.ExitBadRequest
	}
	progress.Mode = progress.ModeJSON
	r := &run{req: cfg.Request, out: out}
	done, err := r.do(ctx)
	if err != nil {
		out.emit(r.failed(ctx, err))
		return ipc.ExitFailed
	}
	done.Kind = ipc.KindDone
	out.emit(done)
	return ipc.ExitDone
}

var reProject = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

func check(req ipc.Request) error {
	oneOf := func(what, got string, allowed ...string) error {
		for _, a := range allowed {
			if got == a {
				return nil
			}
		}
		return fmt.Errorf("the request's %s is %q; it must be one of %q", what, got, allowed)
	}
	errs := []error{
		oneOf("action", req.Action, ipc.ActionUp, ipc.ActionDown, ipc.ActionValidate, ipc.ActionPlan, ipc.ActionFetch, ipc.ActionStop, ipc.ActionImages),
		oneOf("pull", req.Pull, "", ipc.PullMissing, ipc.PullAlways, ipc.PullNever, ipc.PullFetched),
		oneOf("volumes", req.Volumes, "", ipc.VolumesKeep, ipc.VolumesRemove),
	}
	if !reProject.MatchString(req.Project) {
		errs = append(errs, fmt.Errorf("the request's project is %q; it must be lower-case letters, digits, '-' and '_', starting with a letter or digit", req.Project))
	}
	for what, dir := range map[string]string{"dir": req.Dir, "root": req.Root} {
		if dir != "" && !filepath.IsAbs(dir) {
			errs = append(errs, fmt.Errorf("the request's %s is %q; it must be an absolute path", what, dir))
		}
	}
	if req.Dir == "" && needsBundle(req.Action) {
		errs = append(errs, errors.New("the request has no dir; it must be the folder with the bundle's files"))
	}
	if req.WaitSeconds < 0 {
		errs = append(errs, errors.New("the request's wait_seconds is negative"))
	}
	return errors.Join(errs...)
}

// needsBundle says whether an action needs the files of the bundle.
func needsBundle(action string) bool { return action != ipc.ActionDown && action != ipc.ActionStop }

// run is one request while it is worked on. It belongs to the goroutine of Run.
type run struct {
	req      ipc.Request
	out      *output
	store    *staging.Store // nil until locked
	eng      *engine        // nil until connected
	warnings []string
	changing bool // the engine may have been changed
}

func (r *run) do(ctx context.Context) (ipc.Event, error) {
	switch r.req.Action {
	case ipc.ActionValidate:
		return r.validate(ctx)
	case ipc.ActionImages:
		return r.images(ctx)
	}
	var p *project
	if needsBundle(r.req.Action) {
		loaded, err := r.load(ctx)
		if err != nil {
			return ipc.Event{}, err
		}
		p = loaded
	}
	eng, err := connect(ctx, r.req.Host, r.out)
	if err != nil {
		return ipc.Event{}, err
	}
	defer eng.close()
	r.eng = eng
	if p != nil {
		if err := r.pins(ctx, p); err != nil {
			return ipc.Event{}, err
		}
	}
	if r.req.Action == ipc.ActionFetch {
		return r.fetch(ctx, p)
	}
	// A stack that is removed may have no folder any more; then there is nothing to lock.
	if root := r.req.StackRoot(); root != "" && (needsBundle(r.req.Action) || !missing(root)) {
		release, err := r.open(ctx, root)
		if err != nil {
			return ipc.Event{}, err
		}
		defer release()
	}
	switch r.req.Action {
	case ipc.ActionDown:
		return r.down(ctx)
	case ipc.ActionStop:
		return r.stop(ctx)
	case ipc.ActionPlan:
		return r.plan(ctx, p)
	default:
		return r.up(ctx, p)
	}
}

// open locks the stack's folder and opens its store.
func (r *run) open(ctx context.Context, root string) (func(), error) {
	if err := makeRoot(root); err != nil {
		return nil, err
	}
	release, err := lock(ctx, filepath.Join(root, staging.LockName))
	if err != nil {
		return nil, err
	}
	r.store, err = staging.Open(root)
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func (r *run) validate(ctx context.Context) (ipc.Event, error) {
	p, err := r.load(ctx)
	if err != nil {
		return ipc.Event{}, err
	}
	done := ipc.Event{Text: "the bundle is valid", Warnings: r.warnings}
	for _, s := range compose.Summarize(p.Project).Services {
		done.Services = append(done.Services, ipc.ServiceState{Service: s.Name, Image: s.Image})
	}
	return done, nil
}
