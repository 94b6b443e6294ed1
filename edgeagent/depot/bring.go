package depot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

var (
	errAway      = errors.New("the image is not there, and may not be pulled")
	errFullThere = errors.New("the engine has no space left")
)

// order is one call of Bring.
type order struct {
	reconciler.ImageOrder
	d       *Depot
	clients map[string]*http.Client // by registry; owned by Bring's goroutine

	mu          sync.Mutex // guards the fields below
	done, total int64
	lines       []*line
	counted     int64  // of the lines: noted as spent
	stuck       bool   // its last request came to nothing
	key         string // of the image that is brought now

	telling sync.Mutex // held while Progress is told
}

// Bring gets the images of a stack onto the engine, and returns when all are there, with what this has cost so far for
// this version of the stack. A failure is a *reconciler.ImageFailure; nothing that runs was changed by it. Bring waits
// for as long as nothing may be spent.
func (d *Depot) Bring(ctx context.Context, what reconciler.ImageOrder) (spent int64, err error) {
	o := &order{ImageOrder: what, d: d, clients: map[string]*http.Client{}}
	names := make([]name, len(what.Images))
	keys := make([]string, len(what.Images))
	for i, image := range what.Images {
		if names[i], err = parse(image); err != nil {
			return 0, &reconciler.ImageFailure{Code: ipc.CodeImageUnavailable, Detail: fmt.Sprintf("service %s: %v; correct it", image.Service, err)}
		}
		keys[i] = names[i].key
	}
	if err := d.begin(what.Stack, what.Version, keys); err != nil {
		return 0, err
	}
	for i, image := range what.Images {
		if err = o.image(ctx, image, names[i]); err != nil {
			break
		}
	}
	for _, client := range o.clients {
		client.CloseIdleConnections()
	}
	spent, noted := o.spend()
	return spent, errors.Join(err, noted, d.sweep())
}

// image gets one image onto the engine, unless it is there.
func (o *order) image(ctx context.Context, image ipc.Image, n name) error {
	d := o.d
	of := imageOf{o.Stack, n.key}
	o.mu.Lock()
	o.key = n.key
	o.mu.Unlock()
	defer d.works(of)()
	leave, err := d.only(ctx, "image "+n.key)
	if err != nil {
		return err
	}
	defer leave()
	brought, err := o.get(ctx, image, n)
	if _, noted := o.spend(); noted != nil {
		err = errors.Join(err, noted)
	}
	if brought && err == nil && d.cfg.Brought != nil {
		d.cfg.Brought(d.listedNow(of))
	}
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return d.explain(image, n, err)
}

// get reports whether the image was fetched.
func (o *order) get(ctx context.Context, image ipc.Image, n name) (brought bool, err error) {
	d := o.d
	if ipc.IsPinned(image.Ref) {
		return false, fmt.Errorf("its tag is kept for images that are named by a digest: name it by @sha256: too")
	}
	there, err := o.there(ctx, image, n)
	switch {
	case err != nil:
		return false, err
	case there.ID != "" && image.Policy != ipc.PullAlways:
		return false, d.found(imageOf{o.Stack, n.key})
	case image.Policy == ipc.PullNever || image.Policy == ipc.PullFetched:
		return false, errAway
	}
	w, err := o.resolve(ctx, image, n, there)
	if err != nil {
		return false, err
	}
	if w == nil { // it is what the registry has
		return false, d.found(imageOf{o.Stack, n.key})
	}
	todo, err := w.lacking(ctx)
	if err == nil {
		err = w.fetch(ctx, todo)
	}
	if err != nil {
		return false, err
	}
	id, err := d.handOver(ctx, w)
	if id != "" {
		err = errors.Join(err, d.change(o.Stack, n.key, func(p *picked) { p.Image, p.Blobs = id, nil }), d.sweep())
	}
	return true, err
}

// there looks for the image on the engine, by both its names.
func (o *order) there(ctx context.Context, image ipc.Image, n name) (engine.Image, error) {
	for _, ref := range slices.Compact([]string{n.local, image.Ref}) {
		got, err := o.d.cfg.Engine.Image(ctx, ref)
		if err == nil || !errors.Is(err, snapshot.ErrNoSuch) {
			return got, err
		}
	}
	return engine.Image{}, nil
}

// wanted is an image that is being brought.
type wanted struct {
	o        *order
	src      *source
	name     name
	platform string // as it was asked for
	manifest string // its digest
	kind     string // its media type
	config   descriptor
	layers   []descriptor
}

// lacking are the layers that the engine probably has not. It has those with which an image of its begins alike; others
// that are part of some image it may use or not, and asks for them if not.
func (w *wanted) lacking(ctx context.Context) ([]string, error) {
	d := w.o.d
	w.o.more(w.config.Size)
	if err := d.blob(ctx, w.src, w.config, w.came(w.config)); err != nil {
		return nil, err
	}
	config, err := os.ReadFile(d.blobPath(w.config.Digest))
	if err != nil {
		return nil, err
	}
	unpacked := diffs(config)
	if len(unpacked) != len(w.layers) {
		return w.digests(), nil
	}
	images, err := d.cfg.Engine.Images(ctx)
	if err == nil && d.forgetCounters(ctx, images) {
		images, err = d.cfg.Engine.Images(ctx)
	}
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, image := range images {
		for _, layer := range image.Layers {
			known[layer] = true
		}
	}
	var list, had []string
	for i, layer := range w.layers {
		if known[unpacked[i]] {
			had = append(had, layer.Digest)
		} else {
			list = append(list, layer.Digest)
		}
	}
	return list, d.change(w.o.Stack, w.name.key, func(p *picked) {
		for _, digest := range had {
			p.layer(digest).Had = true
		}
	})
}

// came is told what happens to a blob of the image.
func (w *wanted) came(blob descriptor) func(step) {
	return func(s step) {
		w.o.d.bill(w.src.of, blob.Digest, s)
		w.o.moved(s.moved)
	}
}

// spare is how much of the disk is left free.
const spare = 32 << 20

// room fails where so much more would leave too little of the disk.
func (d *Depot) room(size int64) error {
	if have, ok := free(d.cfg.Dir); ok && have < size+spare {
		return fmt.Errorf("%d MB are to be fetched, and of the %d MB that are free %d stay so for all else: %w", (size+1<<20-1)>>20, have>>20, spare>>20, syscall.ENOSPC)
	}
	return nil
}

// fetch gets blobs of the image into the depot.
func (w *wanted) fetch(ctx context.Context, digests []string) error {
	d := w.o.d
	var todo []descriptor
	var size int64
	asked := map[string]bool{}
	for _, blob := range append([]descriptor{w.config}, w.layers...) {
		if asked[blob.Digest] || !slices.Contains(digests, blob.Digest) || d.has(blob.Digest) {
			continue
		}
		asked[blob.Digest] = true
		todo = append(todo, blob)
		size += blob.Size - d.partSize(blob)
	}
	if err := d.room(size); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(d.cfg.Lanes(), 1))
	for _, blob := range todo {
		w.o.more(blob.Size)
		group.Go(func() error { return d.blob(ctx, w.src, blob, w.came(blob)) })
	}
	return group.Wait()
}

// ended notes how a request has ended.
func (o *order) ended(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stuck = err != nil && !o.d.notNow(err)
}

// more is told of bytes that are to come, moved of those that are there.
func (o *order) more(n int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total += n
}

// rank is how soon the order's next request is needed.
func (o *order) rank() rank {
	o.mu.Lock()
	defer o.mu.Unlock()
	return rank{o.stuck, o.Down, o.total - o.done}
}

func (o *order) moved(n int64) {
	o.mu.Lock()
	o.done += n
	done, total := o.done, o.total
	o.mu.Unlock()
	if n == 0 {
		return
	}
	spent, err := o.spend()
	if err != nil {
		o.d.cfg.Log.Warn("cannot note what images have cost", "stack", o.Stack, "error", err)
	}
	if o.Progress != nil {
		o.telling.Lock()
		defer o.telling.Unlock()
		o.Progress(done, total, spent)
	}
}

// spend notes what has passed the connections since the last call, and returns what the version has cost.
func (o *order) spend() (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all int64
	for _, l := range o.lines {
		all += l.carried()
	}
	spent, err := o.d.spend(imageOf{o.Stack, o.key}, all-o.counted)
	o.counted = all
	return spent, err
}
