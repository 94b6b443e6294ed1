package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

type listDevicesInput struct {
	Selector string   `query:"selector" doc:"Label selector, such as site=oslo,farshore.io/arch in (amd64, arm64)"`
	Search   string   `query:"q" doc:"Part of a name, an id, a host name, a group, or of a label as key=value"`
	State    []string `query:"state" doc:"Liveness: one or more of on-time, late, overdue, quiet, never-seen, revoked" enum:"on-time,late,overdue,quiet,never-seen,revoked"`
	Group    string   `query:"group" doc:"A group and what is below it"`
	Sort     string   `query:"sort" enum:"name,-name,group,-group,state,-state,last_contact,-last_contact" default:"name"`
	Limit    int      `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor   string   `query:"cursor" doc:"From next of the page before"`
}

// cursor is the last device of a page. Devices that come or go meanwhile move nothing else.
type cursor struct {
	Key string            `json:"k"`
	ID  protocol.DeviceID `json:"i"`
}

// found is a device of a list with the text it is sorted by.
type found struct {
	cursor
	dev fleet.Device
}

func (s *server) listDevices(_ context.Context, _ *call, in *listDevicesInput) (*reply[resource.DevicePage], error) {
	sel, err := fleet.ParseSelector(in.Selector)
	if err != nil {
		return nil, inField("query.selector", err)
	}
	after, err := parseCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	page := resource.DevicePage{States: map[string]int{}, Items: []resource.Device{}}
	all := s.findDevices(in, sel, page.States)
	page.Total = len(all)
	sign := 1
	if strings.HasPrefix(in.Sort, "-") {
		sign = -1
	}
	order := func(a, b cursor) int { return cmp.Or(sign*strings.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) }
	slices.SortFunc(all, func(a, b found) int { return order(a.cursor, b.cursor) })
	if in.Cursor != "" {
		n, _ := slices.BinarySearchFunc(all, after, func(f found, after cursor) int {
			if order(f.cursor, after) <= 0 {
				return -1
			}
			return 1
		})
		all = all[n:]
	}
	rest := len(all) > in.Limit
	all = all[:min(len(all), in.Limit)]
	for i := range all {
		page.Items = append(page.Items, s.deviceOf(&all[i].dev))
	}
	if rest {
		page.Next = all[len(all)-1].cursor.String()
	}
	return replyWith(page), nil
}

// findDevices gives the devices that fit, and counts them by liveness; the state asked for does not count there, so
// that people see what else there is. Revoked devices are found only where they are asked for.
func (s *server) findDevices(in *listDevicesInput, sel fleet.Selector, states map[string]int) (out []found) {
	now, search := time.Now(), strings.ToLower(in.Search)
	key := strings.TrimPrefix(in.Sort, "-")
	for _, d := range s.Devices.Devices() {
		labels := s.Devices.LabelsOf(d.ID)
		if !inGroup(d.Group, in.Group) || !sel.Matches(labels) || search != "" && !fits(&d, labels, search) {
			continue
		}
		l := s.Devices.Liveness(d.ID, now)
		states[string(l.State)]++
		asked := slices.Contains(in.State, string(l.State))
		if !asked && (len(in.State) > 0 || l.State == fleet.Revoked) {
			continue
		}
		f := found{cursor{ID: d.ID}, d}
		name := strings.ToLower(d.Name)
		switch key {
		case "group":
			f.Key = d.Group + "\x00" + name
		case "state":
			f.Key = fmt.Sprintf("%d\x00%s", severity(l.State), name)
		case "last_contact":
			f.Key = fmt.Sprintf("%020d", d.LastContact)
		default:
			f.Key = name
		}
		out = append(out, f)
	}
	return out
}

// severity sorts what needs a person first.
func severity(s fleet.LivenessState) int {
	return slices.Index([]fleet.LivenessState{
		fleet.Overdue, fleet.Late, fleet.NeverSeen, fleet.Quiet, fleet.OnTime, fleet.Revoked,
	}, s)
}

func inGroup(path, group string) bool {
	group = strings.Trim(group, "/")
	return group == "" || path == group || strings.HasPrefix(path, group+"/")
}

// fits reports whether a text in lower case is part of what people know a device by.
func fits(d *fleet.Device, labels map[string]string, search string) bool {
	for _, text := range [...]string{d.Name, string(d.ID), d.Facts.Hostname, d.Group} {
		if strings.Contains(strings.ToLower(text), search) {
			return true
		}
	}
	for k, v := range labels {
		if strings.Contains(strings.ToLower(k+"="+v), search) {
			return true
		}
	}
	return false
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // two texts can always be encoded
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string) (c cursor, err error) {
	if s == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return c, invalid("query.cursor", "the cursor is not one that a list gave: begin without")
	}
	return c, nil
}

// deviceOf is a device as lists show it.
func (s *server) deviceOf(d *fleet.Device) resource.Device {
	l := s.Devices.Liveness(d.ID, time.Now())
	out := resource.Device{
		ID: d.ID, Name: d.Name, Group: d.Group, Labels: s.Devices.LabelsOf(d.ID), Mode: d.Mode, Carrier: d.Carrier,
		Liveness: resource.Liveness{
			State: string(l.State), Since: l.Since.UTC(), LastContact: utc(l.LastContact), NextContact: utc(l.NextContact),
			Connected: l.Connected,
		},
		Version: cmp.Or(d.Version, d.Facts.Version), Confirmed: d.Confirmed, Profile: d.Profile,
		Containers: s.tallies.of(s.Snapshots, d.ID),
	}
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	for _, st := range s.Stacks.DeviceStacks(d.ID) {
		out.Stacks.All++
		switch st.State {
		case protocol.StackRunning:
			out.Stacks.OK++
		case protocol.StackFailed, protocol.StackDegraded:
			out.Stacks.Failed++
		}
	}
	return out
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// tallies remembers how many containers a device's last snapshot has, so that lists do not decode it again. It is safe
// for concurrent use.
type tallies struct {
	mu    sync.Mutex
	known map[protocol.DeviceID]tally // guarded by mu; at most maxTallies
}

type tally struct {
	hash   protocol.ShortHash
	counts resource.ContainerCounts
}

// maxTallies bounds what is remembered, of devices that were removed too.
const maxTallies = 50_000

func newTallies() *tallies { return &tallies{known: map[protocol.DeviceID]tally{}} }

// of counts a device's containers. Nil: no snapshot is known.
func (t *tallies) of(snapshots Snapshots, id protocol.DeviceID) *resource.ContainerCounts {
	state, err := snapshots.Latest(id)
	if err != nil {
		return nil
	}
	t.mu.Lock()
	known, ok := t.known[id]
	t.mu.Unlock()
	if ok && known.hash == state.Hash {
		return &known.counts
	}
	snap, err := state.Snapshot()
	if err != nil {
		return nil
	}
	known = tally{hash: state.Hash, counts: resource.ContainerCounts{All: len(snap.Containers)}}
	for _, c := range snap.Containers {
		if c.State == protocol.ContainerRunning {
			known.counts.Running++
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxTallies {
		clear(t.known)
	}
	t.known[id] = known
	return &known.counts
}
