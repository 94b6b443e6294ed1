package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

type previewInput struct {
	StackRef
	Body resource.Apply
}

func (s *server) previewRoutes() {
	add(s, route[previewInput, reply[resource.Preview]]{
		Method: http.MethodPost, Path: "/stacks/{stack}/preview", ID: "preview-stack", Tag: "Stacks",
		Summary:     "See what applying a stack would change",
		Description: "It is checked as if it were applied, with the same limits, and nothing is changed.",
		Does:        access.StacksApply, On: func(c *call, in *previewInput) (access.Resource, error) { return s.onApply(c, &in.StackRef, &in.Body) },
		MaxBytes: maxApplyBody, BodyTimeout: applyTimeout, Plain: true, Looks: true, Run: s.previewStack,
	})
}

// maxPreviewDevices is how many devices a preview names.
const maxPreviewDevices = 500

func (s *server) previewStack(_ context.Context, c *call, in *previewInput) (*reply[resource.Preview], error) {
	spec, err := s.applySpec(c, in.Stack, &in.Body)
	if err != nil {
		return nil, err
	}
	p, err := s.StackDesk.Preview(spec)
	if err != nil {
		return nil, err
	}
	rec, _ := s.Stacks.Named(in.Stack)
	now, away, seen := time.Now(), 0, map[planner.Fate][]resource.PreviewDevice{}
	for fate, ids := range p.Devices {
		seen[fate] = s.previewDevices(c.eyes(), ids, fate, now)
	}
	count := func(f planner.Fate) int { return len(seen[f]) }
	out := resource.Preview{
		Exists: p.Now != 0, Changed: p.Changes, VersionNow: p.Now, Images: append([]string{}, p.Images...),
		Items: []resource.PreviewDevice{}, Warnings: append([]string{}, p.Warnings...),
		Devices: resource.PreviewCounts{
			Added: count(planner.Added), Updated: count(planner.Updated), Removed: count(planner.Removed), Same: count(planner.Same),
		},
		Services: list(p.Services, previewService).Body.Items, Files: list(p.Files, previewFile).Body.Items,
		EdgeGroups: s.previewGroups(c, &rec, spec), Words: p.Rollout.Manner.Plan.Words(), Rollout: p.Rollout.Begins,
		Batches: append([]int{}, p.Rollout.Batches...), Rest: p.Rollout.Rest,
	}
	if r := p.Rollout.UnderWay; r != nil {
		out.UnderWay = new(s.rollout(c, &rec, r))
	}
	if !c.eyes().allDevices { // they would count devices that are not seen
		out.Batches, out.Rest = []int{}, 0
	}
	out.Devices.Total = out.Devices.Added + out.Devices.Updated + out.Devices.Same
	for _, fate := range []planner.Fate{planner.Removed, planner.Added, planner.Updated} {
		for _, d := range seen[fate] {
			if d.State != string(fleet.OnTime) {
				away++
			}
		}
		out.Items = append(out.Items, seen[fate]...)
	}
	if away > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d of the %d devices for which something changes are not on time: they learn of it when they are heard of again",
			away, len(out.Items)))
	}
	out.Items = out.Items[:min(len(out.Items), maxPreviewDevices)]
	return replyWith(out), nil
}

// previewGroups are the edge groups that a stack will name, as far as the caller sees them.
func (s *server) previewGroups(c *call, rec *stacks.Stack, spec planner.ApplySpec) []resource.PreviewGroup {
	out := []resource.PreviewGroup{}
	sees := s.seesDevice(c.eyes())
	for _, x := range []struct {
		given   *[]uint64
		kept    []uint64
		exclude bool
	}{{spec.Include, rec.Include, false}, {spec.Exclude, rec.Exclude, true}} {
		ids := x.kept
		if x.given != nil {
			ids = *x.given
		}
		for _, g := range s.edgeGroupsByID(c, ids) {
			out = append(out, resource.PreviewGroup{Name: g.Name, Devices: s.edgeGroupOut(&g, sees).Members, Exclude: x.exclude})
		}
	}
	return out
}

func (s *server) previewDevices(y *eyes, ids []protocol.DeviceID, fate planner.Fate, now time.Time) []resource.PreviewDevice {
	out := make([]resource.PreviewDevice, 0, len(ids))
	for _, id := range ids {
		d, ok := s.Devices.Device(id)
		if !ok || !y.device(&d) {
			continue
		}
		out = append(out, resource.PreviewDevice{
			ID: id, Name: d.Name, Group: d.Group, State: string(s.Devices.Liveness(id, now).State), Change: string(fate),
		})
	}
	slices.SortFunc(out, func(a, b resource.PreviewDevice) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func previewService(f planner.ServiceFate) resource.PreviewService {
	return resource.PreviewService{Name: f.Name, Change: string(f.Fate), Image: f.Image, ImageWas: f.Was}
}

func previewFile(f planner.FileFate) resource.PreviewFile {
	return resource.PreviewFile{Path: f.Path, Change: string(f.Fate)}
}
