package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/estimate"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
)

// Estimates says what changes would cost, for those devices that may be told of.
type Estimates interface {
	// EstimateStack is for the devices that spec.Sees.
	EstimateStack(context.Context, planner.ApplySpec) (estimate.Estimate, error)
	// EstimateUpdate is for those that sees reports; nil: all.
	EstimateUpdate(ctx context.Context, spec updates.Spec, sees func(protocol.DeviceID) bool) (estimate.Estimate, error)
}

// estimateTime is how long registries may take.
const estimateTime = 90 * time.Second

// maxPerDevice is how many devices an estimate names.
const maxPerDevice = 500

func (s *server) estimateRoutes() {
	add(s, route[previewInput, reply[resource.Estimate]]{
		Method: http.MethodPost, Path: "/stacks/{stack}/estimate", ID: "estimate-stack", Tag: "Stacks",
		Summary: "See what applying a stack would cost its devices in bytes, money and time",
		Description: "It is checked as if it were applied, and nothing is changed. Registries are asked what images weigh; one that the hub cannot reach " +
			"is said so, with sizes from devices that have the image.",
		Does: access.StacksApply, On: func(c *call, in *previewInput) (access.Resource, error) { return s.onApply(c, &in.StackRef, &in.Body) },
		MaxBytes: maxApplyBody, BodyTimeout: applyTimeout, Plain: true, Looks: true, Slow: estimateTime,
		Run: func(ctx context.Context, c *call, in *previewInput) (*reply[resource.Estimate], error) {
			spec, err := s.applySpec(c, in.Stack, &in.Body)
			if err != nil {
				return nil, err
			}
			e, err := s.Estimates.EstimateStack(ctx, spec)
			return replyWith(estimateOut(&e)), err
		},
	})
	add(s, route[updateInput, reply[resource.Estimate]]{
		Method: http.MethodPost, Path: "/updates/estimate", ID: "estimate-update", Tag: "Updates",
		Summary: "See what an update of agents would cost devices in bytes, money and time",
		Does:    access.UpdatesStart, On: s.onNewUpdate, Looks: true,
		Run: func(ctx context.Context, c *call, in *updateInput) (*reply[resource.Estimate], error) {
			e, err := s.Estimates.EstimateUpdate(ctx, updateSpec(&in.Body), s.seesDevice(c.eyes()))
			return replyWith(estimateOut(&e)), err
		},
	})
}

func estimateOut(e *estimate.Estimate) resource.Estimate {
	sums := estimate.Sum(e.Devices)
	out := resource.Estimate{
		Devices: len(e.Devices), Total: sums.Total, Largest: sums.Largest, Median: sums.Median, Cost: monies(sums.Cost),
		Seconds: resource.EstimateSeconds{Largest: sums.Seconds, Unknown: sums.Unknown}, Over: []resource.EstimateOver{},
		Parts:  resource.EstimateParts{Files: sums.Files, Images: sums.Images, Overhead: sums.Overhead},
		Images: []resource.EstimateImage{}, PerDevice: []resource.EstimateDevice{}, Notes: append([]string{}, e.Notes...),
	}
	for _, i := range e.Images {
		out.Images = append(out.Images, resource.EstimateImage(i))
	}
	estimate.Worst(e.Devices)
	for i := range e.Devices {
		d := &e.Devices[i]
		if d.Over {
			out.OverAll++
		}
		if i >= maxPerDevice {
			continue
		}
		if d.Over {
			out.Over = append(out.Over, resource.EstimateOver{Device: d.ID, Name: d.Name, Need: d.Bytes(), Left: d.Left})
		}
		out.PerDevice = append(out.PerDevice, estimateDevice(d))
	}
	return out
}

func estimateDevice(d *estimate.DeviceEstimate) resource.EstimateDevice {
	out := resource.EstimateDevice{
		Device: d.ID, Name: cmp.Or(d.Name, string(d.ID)), Bytes: d.Bytes(), Files: d.Files, Images: d.Images, Unknown: d.Unknown, Bound: d.AtMost, Over: d.Over,
	}
	if d.Currency != "" {
		out.Cost = &resource.Money{Currency: d.Currency, Amount: economy.CostText(d.Cost)}
	}
	if d.Seconds != estimate.SecondsUnknown {
		out.Seconds = new(d.Seconds)
	}
	return out
}
