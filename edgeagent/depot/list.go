package depot

import (
	"cmp"
	"slices"
	"strings"
)

// Cost is what a layer or an image has cost.
type Cost struct {
	// Fetched bytes of content, those that came more than once as often as they came.
	Fetched int64 `json:"fetched"`
	// Spent is bytes on the link, up and down, all that is around the content too.
	Spent int64 `json:"spent"`
	// Requests to the registry and where it redirects to.
	Requests int `json:"requests"`
}

func (c *Cost) add(more Cost) {
	c.Fetched += more.Fetched
	c.Spent += more.Spent
	c.Requests += more.Requests
}

// States of images and layers.
const (
	StateThere    = "there"    // on the engine
	StateHanded   = "handed"   // the engine takes it from the depot
	StateFetching = "fetching" // or it waits for its turn
	StateWaiting  = "waiting"  // for a budget or a time of contact
	StateStopped  = "stopped"  // nobody works on it now: it failed, and is tried again
)

// Listed is an image that a stack needs and that came through the agent, or did not have to come.
type Listed struct {
	Stack   uint64 `json:"stack"`
	Version uint64 `json:"version"`
	Image   string `json:"image"`
	State   string `json:"state"`
	// Size of its layers as they travel. 0: not known yet, or the engine had the image.
	Size int64 `json:"size"`
	Cost
	// Again of what was fetched was fetched more than once.
	Again  int64         `json:"again"`
	Layers []ListedLayer `json:"layers,omitempty"`
}

// ListedLayer is one layer, or the configuration, of an image.
type ListedLayer struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// Here is how much of it the depot or the engine has.
	Here int64 `json:"here"`
	// Had: the engine had it before.
	Had bool `json:"had,omitempty"`
	Cost
	Again int64 `json:"again"`
}

// layer is what is noted of one.
type layer struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Had    bool   `json:"had,omitempty"`
	Cost
	At int64 `json:"at,omitempty"` // up to where it was when Cost was noted

	revived bool // it was noted by an earlier process, which may have fetched more than it has noted
}

// List tells of the images of all stacks.
func (d *Depot) List() []Listed {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []Listed{}
	for _, r := range d.records {
		for key, p := range r.Images {
			list = append(list, d.listed(r, key, p))
		}
	}
	slices.SortFunc(list, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Stack, b.Stack), strings.Compare(a.Image, b.Image))
	})
	return list
}

// listed tells of one image. Callers hold mu.
func (d *Depot) listed(r *record, key string, p *picked) Listed {
	out := Listed{Stack: r.Stack, Version: r.Version, Image: key, State: StateStopped, Cost: p.Cost}
	now := d.now[imageOf{r.Stack, key}]
	switch {
	case p.Image != "" || p.Found:
		out.State = StateThere
	case now != nil && now.waits > 0:
		out.State = StateWaiting
	case now != nil && now.handed:
		out.State = StateHanded
	case now != nil:
		out.State = StateFetching
	}
	for _, l := range p.Layers {
		one := ListedLayer{Digest: l.Digest, Size: l.Size, Had: l.Had, Cost: l.Cost}
		switch {
		case l.Had || out.State == StateThere || d.has(l.Digest):
			one.Here = l.Size
		default:
			one.Here = d.partSize(descriptor{Digest: l.Digest, Size: l.Size})
		}
		if !l.Had {
			one.Again = max(0, l.Fetched-one.Here)
		}
		out.Size += l.Size
		out.Again += one.Again
		out.Fetched += l.Fetched
		out.Requests += l.Requests
		out.Layers = append(out.Layers, one)
	}
	return out
}

func (d *Depot) listedNow(of imageOf) Listed {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.records[of.stack]
	if r == nil || r.Images[of.key] == nil {
		return Listed{Stack: of.stack, Image: of.key}
	}
	return d.listed(r, of.key, r.Images[of.key])
}

// found notes that the engine has an image of which nothing was fetched.
func (d *Depot) found(of imageOf) error {
	if p := d.picked(of.stack, of.key); p.Image != "" || p.Found {
		return nil
	}
	return d.change(of.stack, of.key, func(p *picked) { p.Found = true })
}

type imageOf struct {
	stack uint64
	key   string
}

// now is how an image stands that is worked on.
type now struct {
	waits  int // for the link
	handed bool
}

// works notes that somebody works on an image, until end is called.
func (d *Depot) works(of imageOf) (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now[of] = &now{}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.now, of)
	}
}

// stands changes how an image stands that is worked on.
func (d *Depot) stands(of imageOf, change func(*now)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.now[of]; n != nil {
		change(n)
	}
}

// planned notes what layers an image has, and which of them the engine lacks.
func (p *picked) planned(all []descriptor) {
	before := p.Layers
	p.Layers = nil
	for _, c := range all {
		if slices.ContainsFunc(p.Layers, func(l *layer) bool { return l.Digest == c.Digest }) {
			continue
		}
		l := &layer{Digest: c.Digest, Size: c.Size}
		if i := slices.IndexFunc(before, func(l *layer) bool { return l.Digest == c.Digest }); i >= 0 {
			l = before[i]
		}
		p.Layers = append(p.Layers, l)
	}
}

func (p *picked) layer(digest string) *layer {
	for _, l := range p.Layers {
		if l.Digest == digest {
			return l
		}
	}
	return &layer{}
}

// step is what has happened to a blob of an image.
type step struct {
	Cost
	moved int64 // forward
	at    int64 // up to where it is
	found int64 // at the opening of its part: so much was on the disk
}

// bill notes a step. It is written with what it has cost the stack.
func (d *Depot) bill(of imageOf, digest string, s step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.records[of.stack]
	if r == nil || r.Images[of.key] == nil {
		return
	}
	l := r.Images[of.key].layer(digest)
	// What a process fetched that was killed within a slice it could not note.
	if lost := s.found - l.At; l.revived && lost > 0 && lost <= d.cfg.Slice() {
		unnoted := lost + lost/16
		l.add(Cost{Fetched: lost, Spent: unnoted, Requests: 1})
		r.Images[of.key].Spent += unnoted
		r.Spent += unnoted
	}
	l.add(s.Cost)
	l.At, l.revived = s.at, false
	if s.Fetched > 0 {
		l.Had = false
	}
}
