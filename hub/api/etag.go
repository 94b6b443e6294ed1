package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// Errors of those who have seen something else than there is.
var (
	errChanged = errors.New("was changed meanwhile")
	errThere   = errors.New("is there already")
)

// IfMatch is the header by which a caller says what it has seen. It is exported because only exported fields are filled.
type IfMatch struct {
	Match string `header:"If-Match" doc:"The etag of what you have read, or * for anything that is there: what is not so any more is not changed (412, code changed)"`
}

// Expect are the headers by which a caller says what it has seen, of what can be made and replaced.
type Expect struct {
	IfMatch
	IfNoneMatch string `header:"If-None-Match" enum:"*" doc:"* : it must not be there yet (412, code exists)"`
}

// expected is what a caller has seen of a thing.
type expected struct {
	Expect
	s  *server
	on access.Resource
}

func (s *server) expect(e Expect, on access.Resource) expected { return expected{e, s, on} }

// meets compares with the thing's present etag; "": it is not there.
func (e expected) meets(etag string) error {
	switch {
	case e.IfNoneMatch != "" && etag != "":
		return fmt.Errorf("%s %w%s: read it, and change it if that is meant", e.on, errThere, e.s.edits.last(e.on))
	case e.Match == "" || e.Match == "*" && etag != "":
		return nil
	case etag == "":
		return fmt.Errorf("%s %w: it is not there any more: make it anew if that is meant", e.on, errChanged)
	}
	for seen := range strings.SplitSeq(e.Match, ",") {
		if strings.Trim(strings.TrimPrefix(strings.TrimSpace(seen), "W/"), `"`) == etag {
			return nil
		}
	}
	return fmt.Errorf("%s %w%s: read it again, and then change what you want to", e.on, errChanged, e.s.edits.last(e.on))
}

// etagOf is a short text that differs where v does.
func etagOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // data of records only
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// some makes no labels and empty ones alike.
func some(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	return labels
}

// Etags are of what people can edit, and of nothing that changes by itself.

func deviceEtag(d *fleet.Device) string {
	return etagOf([]any{d.ID, d.Name, d.Group, d.Profile, d.Confirmed, some(d.Labels), settings(d.Settings), d.Revoked})
}

func groupEtag(g *fleet.Group) string {
	if g == nil {
		return ""
	}
	return etagOf([]any{g.Path, some(g.Labels), settings(g.Settings), g.Profile})
}

func profileEtag(p *fleet.Profile) string {
	if p == nil {
		return ""
	}
	return etagOf([]any{p.Name, settings(p.Settings), link(p.Settings.Link), p.Tariff})
}

func stackEtag(s *stacks.Stack, m planner.Manner) string {
	if s == nil {
		return ""
	}
	return etagOf([]any{s.ID, s.Latest, s.Selector, s.RemoveVolumes, s.Removed != 0, s.Group, s.Owner, s.Include, s.Exclude, s.Change, m.Plan, m.Order})
}

func jobEtag(j *jobs.Job) string {
	if j == nil {
		return ""
	}
	return etagOf([]any{j.ID, j.Latest, j.Reach, j.Owner, j.Paused})
}

func edgeGroupEtag(g *edgegroups.Group) string {
	if g == nil {
		return ""
	}
	return etagOf([]any{g.ID, g.Description, g.Home, g.Devices, g.Selector, g.Owner})
}
