package main

import (
	"fmt"
	"strings"

	"github.com/farshore/farshore/hub/api/resource"
)

// printPreview says what applying a stack would change.
func (a *app) printPreview(name string, p resource.Preview) error {
	if a.format != formatTable {
		return a.print(p, nil)
	}
	switch {
	case !p.Exists:
		say(a.out, "Stack %s would be new.\n", plain(name))
	case !p.Changed:
		say(a.out, "Nothing would change: stack %s, version %d.\n", plain(name), p.VersionNow)
	default:
		say(a.out, "Stack %s would change; it is at version %d.\n", plain(name), p.VersionNow)
	}
	d := p.Devices
	say(a.out, "Devices: %d then; %d get it, %d are updated, %d give it up, %d stay as they are.\n", d.Total, d.Added, d.Updated, d.Removed, d.Same)
	if r := p.UnderWay; r != nil {
		say(a.out, "Rollout %d to version %d is under way (%s): give --replace or --queue.\n", r.Number, r.Version, r.Phase)
	}
	if p.Rollout && len(p.Batches) > 1 {
		more := ""
		if p.Rest > 0 {
			more = fmt.Sprintf(", and %d devices in further ones", p.Rest)
		}
		say(a.out, "Batches of %s devices%s. %s\n", strings.Trim(fmt.Sprint(p.Batches), "[]"), more, plain(p.Words))
	}
	for _, g := range p.EdgeGroups {
		say(a.out, "Edge group %s has %d devices%s.\n", plain(g.Name), g.Devices, map[bool]string{true: ", which do not get it"}[g.Exclude])
	}
	for _, w := range p.Warnings {
		say(a.out, "Warning: %s.\n", plain(w))
	}
	t := &table{head: []string{"\nCHANGE", "WHAT", "NAME", ""}}
	for _, s := range p.Services {
		image := s.Image
		if s.ImageWas != "" {
			image = s.ImageWas + " → " + s.Image
		}
		t.add(s.Change, "service", s.Name, image)
	}
	for _, f := range p.Files {
		t.add(f.Change, "file", f.Path, "")
	}
	for _, d := range p.Items {
		t.add(d.Change, "device", d.Name, d.State)
	}
	if n := d.Added + d.Updated + d.Removed - len(p.Items); n > 0 {
		t.add("…", "device", fmt.Sprintf("%d more", n), "")
	}
	return t.write(a.out)
}
