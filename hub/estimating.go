package hub

import (
	"context"
	"fmt"
	"slices"

	"github.com/farshore/farshore/economy/estimate"
	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// estimates says what changes would cost devices, and of those that are made what they were thought to cost.
type estimates struct {
	*planner.Planner
	hub   *Hub
	desk  *estimate.Desk
	begun chan begun // changes that were made, still to be estimated
}

// begun is a change that was made, with who had it made.
type begun struct {
	planner.Needs
	by asker
}

// asker is for whom registries are asked.
type asker struct {
	name string
	// abroad: any registry on the internet.
	abroad bool
}

// maxBegun is how many changes wait to be estimated; of more nothing is kept.
const maxBegun = 32

func newEstimates(h *Hub) *estimates {
	return &estimates{Planner: h.planner, hub: h, desk: estimate.New(estimate.Config{}), begun: make(chan begun, maxBegun)}
}

// images are what registries say to somebody.
func (e *estimates) images(by asker) estimate.Images {
	if e.hub.cfg.Images != nil {
		return e.hub.cfg.Images
	}
	return imagesOf{e.hub.registries, by}
}

// imagesOf are what registries say, as estimates see it.
type imagesOf struct {
	book *registries.Book
	by   asker
}

// Image implements estimate.Images.
func (i imagesOf) Image(ctx context.Context, group, image, platform string) (estimate.Image, error) {
	x, err := i.book.Image(ctx, registries.Question{Group: group, Image: image, Platform: platform, By: i.by.name, Abroad: i.by.abroad})
	if err != nil {
		return estimate.Image{}, err
	}
	out := estimate.Image{IDs: []protocol.Hash{x.Config, x.Manifest}, Documents: x.Documents}
	if x.Index != (protocol.Hash{}) {
		out.IDs = append(out.IDs, x.Index)
	}
	for _, l := range x.Layers {
		out.Layers = append(out.Layers, estimate.Layer(l))
	}
	return out, nil
}

// EstimateStack implements api.Estimates.
func (e *estimates) EstimateStack(ctx context.Context, spec planner.ApplySpec) (estimate.Estimate, error) {
	needs, err := e.Needs(spec)
	if err != nil {
		return estimate.Estimate{}, err
	}
	if spec.Sees != nil {
		needs.Devices = slices.DeleteFunc(needs.Devices, func(n planner.Need) bool { return !spec.Sees(n.Device) })
	}
	return e.of(ctx, begun{needs, asker{spec.Author, spec.Abroad}})
}

func (e *estimates) of(ctx context.Context, needs begun) (estimate.Estimate, error) {
	ask := estimate.Ask{Images: e.images(needs.by), Content: needs.Content, Shown: needs.Shown, Secret: needs.Secret}
	if needs.Alike {
		ask.Notes = append(ask.Notes, "Images differ in too many ways between devices: some are taken to need all that the bundle is known to use.")
	}
	for i := range needs.Devices {
		n := &needs.Devices[i]
		d, ok := e.device(n.Device)
		if !ok {
			continue
		}
		d.Entry, d.Images, d.Pull = &n.Entry, n.Images, n.Entry.Pull
		for _, f := range n.Lacks {
			d.Files = append(d.Files, estimate.File(f))
		}
		e.look(&d)
		ask.Devices = append(ask.Devices, d)
	}
	return e.desk.Estimate(ctx, ask)
}

// device is what is known of a device and its link.
func (e *estimates) device(id protocol.DeviceID) (estimate.Device, bool) {
	d, ok := e.hub.fleet.Device(id)
	if !ok {
		return estimate.Device{}, false
	}
	effective, _ := e.hub.fleet.Effective(id)
	figures, _ := e.hub.ledger.Figures(id)
	return estimate.Device{
		ID: id, Name: d.Name, Group: d.Group, Platform: d.Build.Platform, Settings: effective.Settings, Tariff: effective.Tariff,
		Spent: figures.Spent, Rate: figures.Rate,
	}, true
}

// look adds which images a device has.
func (e *estimates) look(d *estimate.Device) {
	state, err := e.hub.fold.Latest(d.ID)
	if err != nil {
		return
	}
	snap, err := state.Snapshot()
	if err != nil {
		return
	}
	if d.Seen = true; d.Platform == "" && snap.Host.Arch != "" {
		d.Platform = "linux/" + snap.Host.Arch
	}
	for _, i := range snap.Images {
		d.Has = append(d.Has, estimate.Has{ID: i.ID, Tags: i.Tags, Size: i.Size})
	}
	for _, c := range snap.Containers { // an image that was fetched by its digest has no tag
		if at := int(c.Image) - 1; c.ImageRef != "" && at >= 0 && at < len(d.Has) && !slices.Contains(d.Has[at].Tags, c.ImageRef) {
			d.Has[at].Tags = append(slices.Clip(d.Has[at].Tags), c.ImageRef)
		}
	}
}

// commandAdds is what a command to update has beside its release and its pieces, about.
const commandAdds = 300

// EstimateUpdate implements api.Estimates.
func (e *estimates) EstimateUpdate(ctx context.Context, spec updates.Spec, sees func(protocol.DeviceID) bool) (estimate.Estimate, error) {
	preview, err := e.hub.updates.Preview(spec)
	if err != nil {
		return estimate.Estimate{}, err
	}
	order := commandAdds
	if r, err := e.hub.releases.Get(spec.Release); err == nil {
		order += len(r.Signed)
	}
	var ask estimate.Ask
	for i := range preview.Devices {
		x := &preview.Devices[i]
		if d, ok := e.device(x.ID); ok && (sees == nil || sees(x.ID)) && (x.Bytes > 0 || x.Code == updates.CodePreparing) {
			d.Packed, d.Order, d.Unready = x.Bytes, order, !x.Ready
			ask.Devices = append(ask.Devices, d)
		}
	}
	if preview.Preparing > 0 {
		ask.Notes = append(ask.Notes, fmt.Sprintf("Programs of %d kinds of devices are being made ready: ask again in a few seconds.", preview.Preparing))
	}
	return e.desk.Estimate(ctx, ask)
}

// Apply implements api.StackDesk: what is applied is estimated beside it.
func (e *estimates) Apply(spec planner.ApplySpec) (stacks.Stack, stacks.Version, error) {
	before, _ := e.Named(spec.Name)
	needs, needsErr := e.Needs(spec)
	rec, v, err := e.Planner.Apply(spec)
	if err == nil && needsErr == nil && rec.Rollouts != before.Rollouts {
		e.begin(begun{needs, asker{spec.Author, spec.Abroad}})
	}
	return rec, v, err
}

// Deploy implements api.StackDesk.
func (e *estimates) Deploy(spec planner.DeploySpec) (uint64, error) {
	needs, needsErr := e.NeedsOf(spec.Stack, spec.Version)
	number, err := e.Planner.Deploy(spec)
	if err == nil && needsErr == nil {
		e.begin(begun{needs, asker{spec.By, spec.Abroad}})
	}
	return number, err
}

func (e *estimates) begin(needs begun) {
	select {
	case e.begun <- needs:
	default: // nobody waits for it
	}
}

// Run estimates changes that were made, until ctx ends.
func (e *estimates) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case needs := <-e.begun:
			e.keep(ctx, needs)
		}
	}
}

func (e *estimates) keep(ctx context.Context, needs begun) {
	got, err := e.of(ctx, needs)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		sums := estimate.Sum(got.Devices)
		err = e.Estimated(needs.Stack, needs.Version, sums.Total-sums.Talk, len(got.Devices)) // what devices will say that they have spent
	}
	if err != nil {
		e.hub.log.Info("a rollout has no estimate", "stack", needs.Stack, "version", needs.Version, "error", err)
	}
}
