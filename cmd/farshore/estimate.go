package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
)

// estimate asks what a change would cost, and says it.
func (a *app) estimate(ctx context.Context, path string, body any) error {
	var e resource.Estimate
	if err := a.call(ctx, http.MethodPost, path+"/estimate", body, &e); err != nil {
		return err
	}
	return a.printEstimate(e)
}

func (a *app) printEstimate(e resource.Estimate) error {
	if a.format != formatTable {
		return a.print(e, nil)
	}
	cost := ""
	for _, m := range e.Cost {
		cost += fmt.Sprintf(", %s %s", plain(m.Amount), plain(m.Currency))
	}
	more := ""
	if slices.ContainsFunc(e.PerDevice, func(d resource.EstimateDevice) bool { return d.Unknown > 0 }) {
		more = " and more"
	}
	say(a.out, "Devices: %d. Bytes: %s%s (files %s, images %s, overhead %s)%s.\n", e.Devices, size(e.Total), more, size(e.Parts.Files), size(e.Parts.Images), size(e.Parts.Overhead), cost)
	say(a.out, "Of one device: %s at most, %s in the middle.\n", size(e.Largest), size(e.Median))
	if e.Seconds.Largest > 0 {
		say(a.out, "The last has all after %s", time.Duration(e.Seconds.Largest)*time.Second)
		if e.Seconds.Unknown > 0 {
			say(a.out, "; of %d devices that is not known", e.Seconds.Unknown)
		}
		say(a.out, ".\n")
	} else if e.Seconds.Unknown > 0 {
		say(a.out, "How long it takes is not known: no rate was measured on their links yet, there is no contact any more, or the budget does not allow it.\n")
	}
	for _, o := range e.Over {
		say(a.out, "Over its budget: %s needs %s, and %s are left.\n", plain(o.Name), size(o.Need), size(o.Left))
	}
	for _, n := range e.Notes {
		say(a.out, "%s\n", plain(n))
	}
	if len(e.Images) > 0 {
		t := &table{head: []string{"\nIMAGE", "PLATFORM", "BYTES", "SOURCE", ""}}
		for _, i := range e.Images {
			weight := size(i.Bytes)
			if i.Source == "unknown" {
				weight = "?"
			}
			t.add(i.Image, dash(i.Platform), weight, i.Source, i.Why)
		}
		if err := t.write(a.out); err != nil {
			return err
		}
	}
	t := &table{head: []string{"\nDEVICE", "BYTES", "COST", "TIME"}}
	for _, d := range e.PerDevice {
		weight, price, long := size(d.Bytes), "-", "?"
		if d.Unknown > 0 {
			weight += " and more"
		}
		if d.Cost != nil {
			price = d.Cost.Amount + " " + d.Cost.Currency
		}
		if d.Seconds != nil {
			long = exactly(time.Duration(*d.Seconds) * time.Second)
		}
		t.add(d.Name, weight, price, long)
	}
	return t.write(a.out)
}
