package gitsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/farshore/farshore/stacks"
)

// Outcome is what a look came to.
type Outcome struct {
	// Version that was made. 0: none.
	Version uint64
	// Commit that the branch or tag names. "": it is not known.
	Commit string
	// Redeployed: devices apply the stack again.
	Redeployed bool
	// Code says what went wrong. "": nothing.
	Code string
	// Text says it all in a sentence.
	Text string
}

// finding is what a look leaves.
type finding struct {
	Outcome
	progress Progress
	// applied: what the source's Target says is done.
	applied bool
}

// look looks at a source once. It changes nothing of the Desk.
func (d *Desk) look(ctx context.Context, src Source, current func() bool) finding {
	ctx, cancel := context.WithTimeoutCause(ctx, d.cfg.Limits.Time, errPatience)
	defer cancel()
	secrets, err := d.open(&src)
	if err != nil {
		d.cfg.Log.Error("a source cannot be looked at", "stack", src.Stack, "error", err)
		return src.failed(&fault{code: codeHub, text: "the hub cannot open what it has to sign in with: give it again"})
	}
	out, err := d.examine(ctx, src, &secrets, current)
	if err == nil {
		return out
	}
	var f *fault
	if !errors.As(err, &f) {
		d.cfg.Log.Error("a source could not be followed", "stack", src.Stack, "error", err)
		f = faultf(codeHub, "the hub could not do it because of a fault of its own: its log says more")
	}
	f.text = secrets.scrub(f.text)
	return src.failed(f)
}

// failed is what a fault leaves: what was good before stays.
func (s *Source) failed(f *fault) finding {
	p := s.Progress
	if p.Rev != s.Rev { // what was said of the source as it was
		p.Rev, p.Bad = s.Rev, ""
	}
	if p.Problem == "" || p.Code != f.code {
		p.Since = time.Now().Unix()
	}
	p.Code, p.Problem, p.Bad = f.code, f.text, f.commit
	return finding{Outcome: Outcome{Code: f.code, Text: f.text, Commit: f.commit}, progress: p}
}

// examine asks the repository, and does what there is to do.
func (d *Desk) examine(ctx context.Context, src Source, secrets *Secrets, current func() bool) (finding, error) {
	w, host, err := d.way(ctx, &src, secrets)
	if err != nil {
		return finding{}, err
	}
	defer w.Close()
	refs, err := w.refs(ctx)
	if err != nil {
		return finding{}, err
	}
	at, err := find(refs, src.Ref)
	if err != nil {
		return finding{}, err
	}
	p := src.Progress
	fresh := p.Rev != src.Rev // the source was changed
	switch id := at.commit.String(); {
	case !fresh && id == p.Bad:
		return finding{}, &fault{code: p.Code, text: p.Problem, commit: p.Bad}
	case !fresh && id == p.Commit:
		return d.nothingNew(src, id)
	}
	got, err := d.get(ctx, w, host, refs, at)
	if err != nil {
		return finding{}, spoilt(err, at.commit)
	}
	return d.follow(ctx, src, secrets, got, current)
}

// spoilt marks a fault that is the commit's own, so that it is not tried again.
func spoilt(err error, commit plumbing.Hash) error {
	var f *fault
	if errors.As(err, &f) && (f.code == codeBroken || f.code == codeTooLarge) {
		f.commit = commit.String()
	}
	return err
}

// nothingNew is the end of a look at a commit that was followed before.
func (d *Desk) nothingNew(src Source, id string) (finding, error) {
	p := src.Progress
	p.Code, p.Problem, p.Since = "", "", 0
	out := finding{Outcome: Outcome{Commit: id, Text: fmt.Sprintf("nothing new: commit %.12s is deployed", id)}, progress: p}
	if src.Redeploy == RedeployLooks {
		return out, d.redeploy(src, &out)
	}
	return out, nil
}

func (d *Desk) redeploy(src Source, out *finding) error {
	if err := d.cfg.Stacks.Redeploy(src.Stack, "git"); err != nil {
		return faultf(codeRefused, "the stack could not be redeployed: %s", clean(err.Error(), 500))
	}
	out.Redeployed, out.Text = true, out.Text+"; its devices apply it again"
	return nil
}

// fetched is a commit with what it takes to make a bundle of it.
type fetched struct {
	tip
	commit
	objects *objects
	// more fetches files that are still missing.
	more func([]plumbing.Hash) error
}

// get fetches a commit: whole, or its folders alone from servers that give single files.
func (d *Desk) get(ctx context.Context, w way, host string, refs *packp.AdvRefs, at tip) (*fetched, error) {
	o := newObjects(d.cfg.Limits.Bytes)
	filter := packp.Filter("")
	if selective(refs.Capabilities) {
		filter = packp.FilterBlobNone()
	}
	if err := fetch(ctx, w, host, request(refs.Capabilities, filter, []plumbing.Hash{at.object}), o); err != nil {
		return nil, err
	}
	c, id, err := o.commit(at.object)
	if err != nil {
		return nil, err
	}
	at.commit = id
	return &fetched{tip: at, commit: c, objects: o, more: func(files []plumbing.Hash) error {
		if filter == "" || len(files) == 0 {
			return nil
		}
		return fetch(ctx, w, host, request(refs.Capabilities, "", files), o)
	}}, nil
}

// follow makes a version of a commit, if it changes what the source is about.
func (d *Desk) follow(ctx context.Context, src Source, secrets *Secrets, got *fetched, current func() bool) (finding, error) {
	id := got.tip.commit.String()
	bad := func(err error) error {
		err = spoilt(err, got.tip.commit)
		var f *fault
		if errors.As(err, &f) && f.commit != "" {
			f.text = fmt.Sprintf("commit %.12s (%.80q by %s): %s; what was deployed before stays", id, got.subject, got.author, f.text)
		}
		return err
	}
	at, err := got.objects.place(got.tree, src.Path)
	if err != nil {
		return finding{}, bad(err)
	}
	p := src.Progress
	same := p.Rev == src.Rev && p.Content == at.hash.String() && p.Version != 0
	p.Rev, p.Commit, p.Content, p.Author, p.Subject = src.Rev, id, at.hash.String(), got.author, got.subject
	p.Bad, p.Code, p.Problem, p.Since = "", "", "", 0
	out := finding{Outcome: Outcome{Commit: id}, progress: p}
	if same {
		out.Text = fmt.Sprintf("commit %.12s changes nothing at the path", id)
		if src.Redeploy != RedeployNever {
			return out, d.redeploy(src, &out)
		}
		return out, nil
	}
	files, err := got.objects.files(at)
	if err == nil {
		err = got.more(got.objects.missing(files))
	}
	var contents map[string][]byte
	if err == nil {
		contents, err = got.objects.bundle(files)
	}
	if err != nil {
		return finding{}, bad(err)
	}
	b := Bundle{
		Stack: src.Stack, Files: contents, Pull: src.Pull, Author: "git: " + got.author, Message: got.subject, Source: named(got.tip.commit, got.ref),
		Expect: func(now *stacks.Stack) error {
			switch {
			case ctx.Err() != nil || !current():
				return faultf(codeStopped, "the source was changed or removed meanwhile")
			case now != nil && now.Removed != 0, now == nil && p.Version != 0:
				return faultf(codeStopped, "the stack was removed meanwhile")
			}
			return nil
		},
	}
	if secrets.Env != nil || src.Has.OwnEnv {
		b.Env = secrets.Env
	}
	if src.Target != nil {
		b.Target = *src.Target
	}
	before, there := d.cfg.Stacks.Named(src.Stack)
	version, err := d.cfg.Stacks.Apply(b)
	switch {
	case errors.Is(err, ErrRefused):
		return finding{}, faultf(codeRefused, "%s", clean(err.Error(), 1000))
	case errors.Is(err, stacks.ErrInvalid):
		return finding{}, bad(broken("%s", clean(err.Error(), 2000)))
	case err != nil:
		return finding{}, err
	}
	out.progress.Version, out.progress.Applied, out.applied = version, time.Now().Unix(), true
	if there && before.Latest == version {
		out.Text = fmt.Sprintf("commit %.12s is what version %d has already", id, version)
		if src.Redeploy != RedeployNever {
			return out, d.redeploy(src, &out)
		}
		return out, nil
	}
	out.Version, out.Text = version, fmt.Sprintf("commit %.12s is version %d", id, version)
	return out, nil
}
