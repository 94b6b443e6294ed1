package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
)

// Sources are the repositories that stacks come from; *gitsource.Desk is one.
type Sources interface {
	Get(stack string) (gitsource.State, bool)
	List() []gitsource.State
	Put(gitsource.Change) (gitsource.State, error)
	Remove(stack string) error
	Sync(ctx context.Context, stack string) (gitsource.Outcome, error)
}

type putSourceInput struct {
	StackRef
	Expect
	Body resource.PutSource
}

// syncTimeout is how long a look may take that somebody waits for: it may have to wait for another.
const syncTimeout = 11 * time.Minute

func (s *server) sourceRoutes() {
	const tag = "Stacks"
	add(s, route[struct{}, reply[resource.List[resource.Source]]]{
		Method: http.MethodGet, Path: "/sources", ID: "list-sources", Tag: tag, Summary: "List the repositories that stacks come from",
		Description: "Also those of stacks that are not there yet, since no commit was good.",
		Does:        access.StacksRead, On: onAny[struct{}]("stack"),
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Source]], error) {
			out := []resource.Source{}
			for _, src := range s.Sources.List() {
				if c.eyes().stacks.Covers(s.onSourceOf(&src.Source)) {
					out = append(out, s.source(c, src))
				}
			}
			return replyWith(resource.List[resource.Source]{Items: out}), nil
		},
	})
	add(s, route[StackRef, reply[resource.Source]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/source", ID: "get-source", Tag: tag, Summary: "See which repository a stack comes from, and how that stands",
		Does: access.StacksRead, On: s.onSource,
		Run: func(_ context.Context, c *call, in *StackRef) (*reply[resource.Source], error) {
			return s.getSource(c, in.Stack)
		},
	})
	add(s, route[putSourceInput, reply[resource.Source]]{
		Method: http.MethodPut, Path: "/stacks/{stack}/source", ID: "put-source", Tag: tag, Summary: "Have a stack come from a Git repository",
		Description: "The hub looks there at once, and then now and then, or when the webhook asks for it. Each commit that changes the path becomes a version; " +
			"of commits between two looks the last one does. A commit that cannot be a version is told, and what runs stays. A stack that is not there is made of the first good commit. " +
			"The webhook takes POST requests with X-Hub-Signature-256 (GitHub and those like it) or X-Gitlab-Token.",
		Does: access.StacksSource, On: s.onPutSource, Run: s.putSource,
	})
	add(s, route[StackRef, none]{
		Method: http.MethodDelete, Path: "/stacks/{stack}/source", ID: "remove-source", Tag: tag, Status: http.StatusNoContent,
		Summary: "Have a stack come from its repository no longer", Description: "The stack stays as it is.",
		Does: access.StacksSource, On: s.onSource,
		Run: func(_ context.Context, _ *call, in *StackRef) (*none, error) {
			return nil, s.Sources.Remove(in.Stack)
		},
	})
	add(s, route[StackRef, reply[resource.SourceLook]]{
		Method: http.MethodPost, Path: "/stacks/{stack}/source/sync", ID: "sync-source", Tag: tag, Summary: "Look into the repository now",
		Description: "It waits for the end of the look, and says what it came to.",
		Does:        access.StacksSource, On: s.onSource, Slow: syncTimeout, Run: s.syncSource,
	})
}

// onSourceOf is the stack of a source, or where it will be.
func (s *server) onSourceOf(src *gitsource.Source) access.Resource {
	rec, ok := s.Stacks.Named(src.Stack)
	if !ok {
		rec = src.Home()
	}
	on := onStack(&rec)
	on.Group = s.place(rec.Group)
	return on
}

func (s *server) onSource(c *call, in *StackRef) (access.Resource, error) {
	src, has := s.Sources.Get(in.Stack)
	if !has {
		on, err := s.onStack(c, in)
		if err == nil {
			err = fmt.Errorf("stack %q: %w", in.Stack, gitsource.ErrNotFound)
		}
		return on, err
	}
	on := s.onSourceOf(&src.Source)
	if !c.eyes().stacks.Covers(on) {
		return access.Resource{Kind: "stack", ID: in.Stack}, noStack(in.Stack)
	}
	return on, nil
}

// onPutSource is the stack that gets a source, or the one that is to be made of it.
func (s *server) onPutSource(c *call, in *putSourceInput) (access.Resource, error) {
	b := s.targetOf(in.Stack, &in.Body)
	src, has := s.Sources.Get(in.Stack)
	if _, there := s.Stacks.Named(in.Stack); there || !has {
		return s.onApply(c, &in.StackRef, &b)
	}
	on := s.onSourceOf(&src.Source)
	if !c.eyes().stacks.Covers(on) {
		on, err := s.onApply(c, &in.StackRef, &resource.Apply{Group: b.Group, Owner: in.Body.Owner})
		return on, cmp.Or(err, nameTaken(in.Stack))
	}
	if c.may(on) != nil { // where it is now
		return on, nil
	}
	return s.onApply(c, &in.StackRef, &b)
}

// targetOf is the part of a source that says what its stack shall be. A stack that is still to be made is at home where
// it was said first, and whose it was, unless that is said anew.
func (s *server) targetOf(stack string, b *resource.PutSource) resource.Apply {
	out := resource.Apply{Selector: b.Selector, Group: b.Group, Owner: b.Owner, RemoveVolumes: b.RemoveVolumes}
	src, has := s.Sources.Get(stack)
	if _, there := s.Stacks.Named(stack); !has || there || src.Target == nil {
		return out
	}
	out.Selector, out.Group, out.RemoveVolumes = cmp.Or(b.Selector, src.Target.Selector), cmp.Or(b.Group, src.Target.Group), cmp.Or(b.RemoveVolumes, src.Target.RemoveVolumes)
	if out.Owner == nil && src.Target.Owner != nil {
		owner := ownerShown(*src.Target.Owner)
		out.Owner = &owner
	}
	return out
}

func (s *server) getSource(c *call, stack string) (*reply[resource.Source], error) {
	src, ok := s.Sources.Get(stack)
	if !ok {
		return nil, fmt.Errorf("stack %q: %w", stack, gitsource.ErrNotFound)
	}
	return replyWith(s.source(c, src)), nil
}

func (s *server) putSource(_ context.Context, c *call, in *putSourceInput) (*reply[resource.Source], error) {
	b := in.Body
	target, err := s.sourceTarget(c, in.Stack, &b)
	if err != nil {
		return nil, err
	}
	change := gitsource.Change{
		Source: gitsource.Source{
			Stack: in.Stack, URL: b.URL, Ref: b.Ref, Path: b.Path, SignIn: gitsource.SignIn(cmp.Or(b.SignIn, string(gitsource.SignInNone))), User: b.User,
			HostKeys: b.HostKeys, CA: b.CA, Interval: int64(gitsource.DefaultInterval / time.Second), Redeploy: gitsource.Redeploy(b.Redeploy), Target: target, By: c.by(),
		},
		Password: b.Password, Key: b.Key, Passphrase: b.Passphrase, Webhook: b.Webhook, HookSecret: b.WebhookSecret, Env: b.Env,
	}
	if b.IntervalSeconds != nil {
		change.Source.Interval = *b.IntervalSeconds
	}
	if b.Pull != "" {
		if change.Source.Pull, err = parsePull(b.Pull); err != nil {
			return nil, err
		}
	}
	want := s.expect(in.Expect, access.Resource{Kind: "source of stack", ID: in.Stack})
	before := c.on
	change.Expect = func(now *gitsource.Source) error {
		// The right was asked for where it was then, and for whose it was.
		if now != nil && !s.Accounts.Scope(c.who, c.op).Covers(s.onSourceOf(now)) {
			return fmt.Errorf("%s %w: look at it again", before, errChanged)
		}
		return want.meets(sourceEtag(now))
	}
	src, err := s.Sources.Put(change)
	if err != nil {
		return nil, err
	}
	c.detail = "from " + src.URL
	return replyWith(s.source(c, src)), nil
}

// sourceTarget is what the next good commit changes of the stack, once it is clear that the caller may.
func (s *server) sourceTarget(c *call, stack string, b *resource.PutSource) (*gitsource.Target, error) {
	apply := s.targetOf(stack, b)
	if b.Selector != nil {
		if _, err := fleet.ParseSelector(*b.Selector); err != nil {
			return nil, inField("body.selector", fmt.Errorf("%w: %w", errInvalid, err))
		}
	}
	var spec planner.ApplySpec
	if err := s.home(c, stack, &apply, &spec); err != nil {
		return nil, err
	}
	t := gitsource.Target{Selector: apply.Selector, Group: spec.Group, Owner: spec.Owner, RemoveVolumes: apply.RemoveVolumes}
	if t == (gitsource.Target{}) {
		return nil, nil
	}
	return &t, nil
}

func (s *server) syncSource(ctx context.Context, c *call, in *StackRef) (*reply[resource.SourceLook], error) {
	out, err := s.Sources.Sync(ctx, in.Stack)
	if err != nil {
		return nil, err
	}
	c.detail = out.Text
	return replyWith(resource.SourceLook{
		OK: out.Code == "", Text: out.Text, Code: out.Code, Commit: out.Commit, Version: out.Version, Redeployed: out.Redeployed,
	}), nil
}

func sourceEtag(s *gitsource.Source) string {
	if s == nil {
		return ""
	}
	return etagOf([]any{s.Stack, s.Created, s.Rev})
}

func (s *server) source(c *call, src gitsource.State) resource.Source {
	p := src.Progress
	rec, there := s.Stacks.Named(src.Stack)
	out := resource.Source{
		Stack: src.Stack, Exists: there && rec.Removed == 0, URL: src.URL, Ref: src.Ref, Path: src.Path, SignIn: string(src.SignIn), User: src.User,
		HostKeys: src.HostKeys, CA: src.CA, Warning: src.Warning(), IntervalSeconds: src.Interval, Webhook: src.Hook != "", Redeploy: string(src.Redeploy),
		Pull: pullWords[min(src.Pull, protocol.PullNever)], Env: src.Has.Env, OwnEnv: src.Has.OwnEnv,
		Commit: p.Commit, Author: p.Author, Subject: p.Subject, Version: p.Version, Applied: at(p.Applied),
		Looking: src.Looking, Looked: src.Looked.UTC(), Next: src.Next.UTC(), Code: p.Code, Problem: p.Problem, Since: at(p.Since),
		Changed: at(src.Changed), By: src.By, Etag: sourceEtag(&src.Source),
	}
	if src.Hook != "" && s.Accounts.Scope(c.who, access.StacksSource).Covers(s.onSourceOf(&src.Source)) {
		out.WebhookURL = s.Hub.URL + gitsource.HookPath + src.Hook
	}
	return out
}
