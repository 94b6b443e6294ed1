package api_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/gate"
)

// readEvents reads n events of a stream.
func readEvents(t *testing.T, r *bufio.Scanner, n int) (out []resource.Event) {
	t.Helper()
	for len(out) < n && r.Scan() {
		data, ok := strings.CutPrefix(r.Text(), "data: ")
		if !ok {
			continue
		}
		var e resource.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	if len(out) < n {
		t.Fatalf("the stream ended after %d events, want %d", len(out), n)
	}
	return out
}

func TestEventsCatchUpAndFollow(t *testing.T) {
	w := newWorld(t)
	bus := w.Hub().Events
	first := bus.Publish(events.Event{Kind: "test.first", Text: "one"})
	bus.Publish(events.Event{Kind: "test.second", Stack: "web"})

	resp := w.request(http.MethodGet, "/events", nil, "Last-Event-ID", jsonNumber(first))
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" || resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, kind)
	}
	lines := bufio.NewScanner(resp.Body)
	if e := readEvents(t, lines, 1)[0]; e.Kind != "test.second" || e.Stack != "web" || e.ID <= first {
		t.Errorf("after the first came %+v", e)
	}
	bus.Publish(events.Event{Kind: "test.third"})
	if e := readEvents(t, lines, 1)[0]; e.Kind != "test.third" {
		t.Errorf("while following came %+v", e)
	}

	past := w.request(http.MethodGet, "/events?follow=false&stack=web", nil)
	defer past.Body.Close()
	lines = bufio.NewScanner(past.Body)
	if e := readEvents(t, lines, 1)[0]; e.Kind != "test.second" {
		t.Errorf("of the stack came %+v", e)
	}
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data:") {
			t.Errorf("of the stack came more: %s", lines.Text())
		}
	}
}

func jsonNumber(n uint64) string {
	b, _ := json.Marshal(n) // numbers can always be encoded
	return string(b)
}

// noTrail is a database that knows of no trail.
type noTrail struct{ audit.Store }

func (noTrail) LoadTrail() (audit.Saved, error) { return audit.Saved{}, nil }

// A reader that lags too far is told of the gap; an idle stream shows that it lives; one whose session was ended ends.
func TestStreamsLiveAsLongAsTheirReadersMayRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, err := audit.Open(audit.Config{Dir: t.TempDir(), Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Store: noTrail{}})
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		bus, err := events.New(events.Config{Store: noEvents{}, Keep: 3})
		if err != nil {
			t.Fatal(err)
		}
		for range 9 {
			bus.Publish(events.Event{Kind: "test"})
		}
		door := &oneSession{}
		door.ok.Store(true)
		handler := minimal(t, api.Config{Accounts: door, Audit: log, Events: bus})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := httptest.NewRequest(http.MethodGet, api.Base+"/events?after=1", nil).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer x")
		rec := httptest.NewRecorder()
		ended := make(chan time.Time, 1)
		began := time.Now()
		go func() {
			handler.ServeHTTP(rec, r)
			ended <- time.Now()
		}()
		time.Sleep(60 * time.Second)
		door.ok.Store(false)
		after := (<-ended).Sub(began)
		door.ok.Store(true)
		go func() {
			handler.ServeHTTP(httptest.NewRecorder(), r.Clone(ctx))
			ended <- time.Now()
		}()
		synctest.Wait()
		door.ok.Store(false)
		again := time.Now()
		bus.Publish(events.Event{Kind: "late"})
		if waited := (<-ended).Sub(again); waited != 0 {
			t.Errorf("an event ended the stream of an ended session after %s", waited)
		}
		body := rec.Body.String()
		if strings.Count(body, "event: gap\nid: ") != 1 || strings.Count(body, "\ndata: ") != 4 {
			t.Errorf("want a gap and the 3 events that are kept:\n%s", body)
		}
		if strings.Count(body, "\n:\n") != 2 || after != 75*time.Second {
			t.Errorf("want a heartbeat each 25 s until the session was ended; ended after %s:\n%s", after, body)
		}
	})
}

type noEvents struct{}

func (noEvents) LoadEvents(int) ([]events.Stored, error)    { return nil, nil }
func (noEvents) AppendEvents([]events.Stored, uint64) error { return nil }

// oneSession knows one secret for as long as ok is set.
type oneSession struct {
	api.Accounts
	ok atomic.Bool
}

func (o *oneSession) Authenticate(string) (access.Principal, error) {
	if !o.ok.Load() {
		return access.Principal{}, access.ErrUnauthenticated
	}
	return access.Principal{Name: "x", Kind: access.KindUser, Admin: true}, nil
}

func (o *oneSession) Scope(_ access.Principal, op access.Operation) access.Scope {
	return new(access.Access).Scope(access.System(), op)
}

func (o *oneSession) Authorize(access.Principal, access.Operation, access.Resource) error { return nil }

// The parts by other names, so that one can be embedded that has a method of its own name.
type (
	noTokens    = api.Tokens
	noDevices   = api.Devices
	noGroups    = api.Groups
	noProfiles  = api.Profiles
	noKeys      = api.Keys
	noSnapshots = api.Snapshots
	noViews     = api.Views
)

// minimal is an API of which only the given parts are used.
func minimal(t *testing.T, c api.Config) http.Handler {
	t.Helper()
	c.Tokens, c.People, c.Devices, c.Changes = struct{ noTokens }{}, struct{ api.People }{}, struct{ noDevices }{}, struct{ api.DeviceChanges }{}
	c.Groups, c.Profiles, c.Links, c.Stacks = struct{ noGroups }{}, struct{ noProfiles }{}, struct{ api.Links }{}, struct{ api.Stacks }{}
	c.StackDesk, c.Commands, c.Snapshots = struct{ api.StackDesk }{}, struct{ api.Commands }{}, struct{ noSnapshots }{}
	c.Waiting, c.Keys, c.Sessions = struct{ api.WaitingRoom }{}, struct{ noKeys }{}, struct{ api.Sessions }{}
	c.Timeline, c.Views, c.Policies = struct{ api.Timeline }{}, struct{ noViews }{}, struct{ api.Policies }{}
	open, err := gate.New(gate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c.Protection, c.Certificates = open, struct{ api.Certificates }{}
	c.Trail, c.Releases, c.Updates, c.Estimates = struct{ api.TrailReader }{}, struct{ api.Releases }{}, struct{ api.Updates }{}, struct{ api.Estimates }{}
	c.Backups, c.Destinations = struct{ api.Backups }{}, struct{ api.Destinations }{}
	c.EdgeGroups, c.Sources, c.Jobs = struct{ api.EdgeGroups }{}, struct{ api.Sources }{}, struct{ api.Jobs }{}
	c.Tunnels = struct{ api.Tunnels }{}
	c.Variables, c.Registries, c.Usage = struct{ api.Variables }{}, struct{ api.Registries }{}, struct{ api.Usage }{}
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}
