package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// DeviceFilter is how lists of devices are narrowed. It is exported because only exported fields are filled.
// Its fields are those of resource.DeviceFilter.
type DeviceFilter struct {
	Selector string   `query:"selector" doc:"Label selector, such as site=oslo,farshore.io/arch in (amd64, arm64)"`
	Search   string   `query:"q" doc:"Words that all have to be found, each anywhere: in the name, the id, the host name, the group, a label as key=value, or in the last snapshot: a container's name, an image, or the first 6 or more digits of an image's id. At most 200 characters"`
	State    []string `query:"state" doc:"Liveness: one or more of on-time, late, overdue, quiet, never-seen, revoked" enum:"on-time,late,overdue,quiet,never-seen,revoked" nullable:"false"`
	Group    string   `query:"group" doc:"A group and what is below it"`
	Mode     string   `query:"mode" enum:"async,standard"`
	Profile  string   `query:"profile" doc:"The link profile that holds for the device, its own or inherited"`
	Version  string   `query:"version" doc:"Of the agent, in full"`
	Stack    string   `query:"stack" doc:"Name of a stack: devices that shall have it"`
	Stage    string   `query:"stage" enum:"free,saving,last,silent" doc:"How far the device is through its budget"`
	Trouble  bool     `query:"trouble" doc:"true: only devices that are late or overdue, or have a failed or degraded stack"`
}

type listDevicesInput struct {
	DeviceFilter
	Sort   string `query:"sort" enum:"name,-name,group,-group,state,-state,last_contact,-last_contact,next_contact,-next_contact,mode,-mode,version,-version,containers,-containers,stacks,-stacks,spent,-spent,projected,-projected,share,-share" default:"name" doc:"state and stacks: what needs a person first. spent, projected and share are of the billing cycle, share of its cap"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" doc:"From next of the page before"`
	Offset int    `query:"offset" minimum:"0" doc:"How many to leave out, in place of cursor: for rows in the middle of a long list"`
}

// place is where a device stands in a sorted list: by rank, then by key, then by id. As a cursor it is the last device
// of a page; devices that come or go meanwhile move nothing else.
type place struct {
	Rank int64             `json:"r,omitempty"`
	Key  string            `json:"k,omitempty"`
	ID   protocol.DeviceID `json:"i"`
}

func (s *server) listDevices(_ context.Context, c *call, in *listDevicesInput) (*reply[resource.DevicePage], error) {
	after, err := parseCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	if in.Cursor != "" && in.Offset != 0 {
		return nil, invalid("query.offset", "an offset and a cursor were given: give one of them")
	}
	w, err := s.wanted(c, resource.DeviceFilter(in.DeviceFilter), "query.")
	if err != nil {
		return nil, err
	}
	page := resource.DevicePage{States: map[string]int{}, Items: []resource.Device{}}
	w.states = page.States
	all := s.sorted(w, in.Sort)
	page.Total = len(all)
	if in.Cursor != "" {
		order := ordered(in.Sort)
		n, _ := slices.BinarySearchFunc(all, after, func(p, after place) int {
			if order(p, after) <= 0 {
				return -1
			}
			return 1
		})
		all = all[n:]
	}
	all = all[min(in.Offset, len(all)):]
	rest := len(all) > in.Limit
	all = all[:min(len(all), in.Limit)]
	for _, p := range all {
		d, ok := s.Devices.Device(p.ID)
		if !ok {
			continue // removed just now
		}
		item := s.explained(w.eyes, &d)
		item.FoundIn = s.foundIn(w, &d)
		page.Items = append(page.Items, item)
	}
	if rest {
		page.Next = all[len(all)-1].String()
	}
	return replyWith(page), nil
}

// sorted gives the places of all devices that fit.
func (s *server) sorted(w *wanted, by string) []place {
	key := s.sortKey(w.eyes, strings.TrimPrefix(by, "-"))
	var all []place
	for x := range s.find(w) {
		p := place{ID: x.Device.ID}
		p.Rank, p.Key = key(x)
		all = append(all, p)
	}
	slices.SortFunc(all, ordered(by))
	return all
}

func ordered(by string) func(a, b place) int {
	sign := 1
	if strings.HasPrefix(by, "-") {
		sign = -1
	}
	return func(a, b place) int {
		if c := cmp.Compare(a.Rank, b.Rank); c != 0 {
			return sign * c
		}
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return sign * c
		}
		return cmp.Compare(a.ID, b.ID)
	}
}

// sortKey gives the function that says where a device stands.
func (s *server) sortKey(y *eyes, by string) func(*sight) (rank int64, key string) {
	switch by {
	case "group":
		return func(x *sight) (int64, string) { return 0, x.Device.Group + "\x00" + x.record.name }
	case "state":
		return func(x *sight) (int64, string) { return severity(x.Liveness.State), x.record.name }
	case "last_contact":
		return func(x *sight) (int64, string) { return seconds(x.Liveness.LastContact, 0), x.record.name }
	case "next_contact":
		return func(x *sight) (int64, string) { return seconds(x.Liveness.NextContact, math.MaxInt64), x.record.name }
	case "mode":
		return func(x *sight) (int64, string) { return int64(x.Device.Mode), x.record.name }
	case "version":
		known := map[string]string{}
		return func(x *sight) (int64, string) {
			v, ok := known[x.Version]
			if !ok {
				v = versionKey(x.Version)
				known[x.Version] = v
			}
			return 0, v + "\x00" + x.record.name
		}
	case "containers":
		return func(x *sight) (int64, string) {
			if snap := y.lore(x.Device, x.snapshot); snap != nil {
				return int64(snap.counts.All), x.record.name
			}
			return -1, x.record.name
		}
	case "stacks":
		return func(x *sight) (int64, string) {
			n := y.tally(x.Device)
			return -int64(n.Failed)<<32 - int64(n.All-n.OK), x.record.name
		}
	case "spent", "projected", "share":
		return func(x *sight) (int64, string) {
			f, _ := s.Usage.Figures(x.Device.ID)
			return usageRank(&f, by), x.record.name
		}
	}
	return func(x *sight) (int64, string) { return 0, x.record.name }
}

func seconds(t time.Time, none int64) int64 {
	if t.IsZero() {
		return none
	}
	return t.Unix()
}

// versionKey makes a text by which versions sort as people count: 1.9 before 1.10.
func versionKey(v string) string {
	const width = 12
	var b strings.Builder
	for i := 0; i < len(v); {
		end := i
		for end < len(v) && v[end] >= '0' && v[end] <= '9' {
			end++
		}
		if end == i {
			b.WriteByte(v[i])
			i++
			continue
		}
		b.WriteString(strings.Repeat("0", max(width-(end-i), 0)))
		b.WriteString(v[i:end])
		i = end
	}
	return b.String()
}

// severity sorts what needs a person first.
func severity(s fleet.LivenessState) int64 {
	switch s {
	case fleet.Overdue:
		return 0
	case fleet.Late:
		return 1
	case fleet.NeverSeen:
		return 2
	case fleet.Quiet:
		return 3
	case fleet.OnTime:
		return 4
	}
	return 5
}

func (p place) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and a number can always be encoded
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string) (p place, err error) {
	if s == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return p, invalid("query.cursor", "the cursor is not one that a list gave: begin without")
	}
	return p, nil
}

// explained is a device as lists show it, with the reason of its state.
func (s *server) explained(y *eyes, d *fleet.Device) resource.Device {
	l, reason := s.Devices.Explain(d.ID, time.Now())
	out := s.deviceOf(y, d, l)
	out.Liveness.Reason = reason
	return out
}

// deviceOf is a device as lists show it, without the reason of its state.
func (s *server) deviceOf(y *eyes, d *fleet.Device, l fleet.Liveness) resource.Device {
	out := resource.Device{
		ID: d.ID, Name: d.Name, Group: d.Group, Labels: s.Devices.LabelsOf(d.ID), Mode: d.Mode, Carrier: d.Carrier,
		Liveness: resource.Liveness{
			State: string(l.State), Since: l.Since.UTC(), LastContact: utc(l.LastContact), NextContact: utc(l.NextContact),
			Connected: l.Connected,
		},
		Version: cmp.Or(d.Version, d.Facts.Version), Confirmed: d.Confirmed, Profile: d.Profile,
		Stacks: y.tally(d), Data: s.deviceData(d.ID),
	}
	_, known := s.lore.known(d.ID)
	if snap := y.lore(d, known); snap != nil {
		out.Containers = &snap.counts
	}
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	if lat, lon, ok := fleet.PositionOf(out.Labels); ok {
		out.Position = &resource.Position{Lat: lat, Lon: lon}
	}
	return out
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}
