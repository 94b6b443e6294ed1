package depot

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/internal/meter"
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
	tally   *meter.Tally

	mu          sync.Mutex // guards the fields below
	done, total int64
	counted     int64 // of the tally: noted as spent

	telling sync.Mutex // held while Progress is told
}

// Bring gets the images of a stack onto the engine, and returns when all are there, with what this has cost so far for
// this version of the stack. A failure is a *reconciler.ImageFailure; nothing that runs was changed by it. Bring waits
// for as long as nothing may be spent.
func (d *Depot) Bring(ctx context.Context, what reconciler.ImageOrder) (spent int64, err error) {
	o := &order{ImageOrder: what, d: d, clients: map[string]*http.Client{}, tally: &meter.Tally{}}
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
	leave, err := d.only(ctx, "image "+n.key)
	if err != nil {
		return err
	}
	defer leave()
	err = o.get(ctx, image, n)
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return d.explain(image, n, err)
}

func (o *order) get(ctx context.Context, image ipc.Image, n name) error {
	d := o.d
	if ipc.IsPinned(image.Ref) {
		return fmt.Errorf("its tag is kept for images that are named by a digest: name it by @sha256: too")
	}
	there, err := o.there(ctx, image, n)
	switch {
	case err != nil:
		return err
	case there.ID != "" && image.Policy != ipc.PullAlways:
		return nil
	case image.Policy == ipc.PullNever || image.Policy == ipc.PullFetched:
		return errAway
	}
	w, err := o.resolve(ctx, image, n, there)
	if err != nil {
		return err
	}
	if w == nil { // it is what the registry has
		return nil
	}
	todo, err := w.lacking(ctx)
	if err == nil {
		err = w.fetch(ctx, todo)
	}
	if err != nil {
		return err
	}
	id, err := d.handOver(ctx, w)
	if id != "" {
		err = errors.Join(err, d.change(o.Stack, n.key, func(p *picked) { p.Image, p.Blobs = id, nil }), d.sweep())
	}
	return err
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

// resolve finds out what the name stands for, and gets the image's documents. It returns nil where the engine has just
// that.
func (o *order) resolve(ctx context.Context, image ipc.Image, n name, there engine.Image) (*wanted, error) {
	d := o.d
	before := d.picked(o.Stack, n.key)
	w := &wanted{o: o, src: o.source(n), name: n, platform: image.Platform}
	top := n.digest
	if top == "" && before.Image == "" {
		top = before.Top // asked for once, until it is there
	}
	asked := cmp.Or(top, n.tag)
	raw, digest, err := w.document(ctx, asked, top)
	if statusOf(err) == http.StatusNotFound && n.digest == "" && top != "" { // the registry has given it up
		raw, digest, err = w.document(ctx, n.tag, "")
	}
	if err != nil {
		return nil, err
	}
	if there.ID != "" && before.Image == there.ID && before.Top == digest {
		return nil, nil
	}
	blobs := []string{digest}
	note := func(extra ...string) error {
		blobs = append(blobs, extra...)
		return d.change(o.Stack, n.key, func(p *picked) {
			*p = picked{Top: digest, Blobs: slices.Concat(blobs, before.Blobs)}
		})
	}
	if err := errors.Join(note(), d.store(digest, raw)); err != nil {
		return nil, err
	}
	m, err := readManifest(raw)
	if err != nil {
		return nil, err
	}
	w.manifest = digest
	if m.Manifests != nil {
		want, err := o.platform(ctx, image)
		if err != nil {
			return nil, err
		}
		one, err := m.choose(want)
		if err != nil {
			return nil, err
		}
		if raw, _, err = w.document(ctx, one.Digest, one.Digest); err != nil {
			return nil, err
		}
		if err := errors.Join(note(one.Digest), d.store(one.Digest, raw)); err != nil {
			return nil, err
		}
		if m, err = readManifest(raw); err == nil && m.Manifests != nil {
			err = errors.New("its index names an index")
		}
		if err != nil {
			return nil, err
		}
		w.manifest = one.Digest
	}
	w.kind, w.config, w.layers = cmp.Or(m.MediaType, typeManifest), m.Config, m.Layers
	before.Blobs = nil // now it is known what is not needed any more
	err = note(w.digests()...)
	if err == nil && (there.ID == w.config.Digest || there.ID == w.manifest || there.ID == digest) { // as each engine names images
		return nil, d.change(o.Stack, n.key, func(p *picked) { p.Image, p.Blobs = there.ID, nil })
	}
	return w, err
}

func (w *wanted) digests() []string {
	list := []string{w.config.Digest}
	for _, layer := range w.layers {
		list = append(list, layer.Digest)
	}
	return list
}

func (o *order) platform(ctx context.Context, image ipc.Image) (platform, error) {
	text := image.Platform
	if text == "" {
		var err error
		if text, err = o.d.cfg.Engine.Platform(ctx); err != nil {
			return platform{}, err
		}
	}
	return readPlatform(text)
}

// documentGuess is how large a manifest is thought to be, before it is there.
const documentGuess = 8 << 10

// document gets a manifest or an index, by a tag or its digest, and returns it with its digest. One that is in the depot is
// not asked for.
func (w *wanted) document(ctx context.Context, what, digest string) (raw []byte, is string, err error) {
	d := w.o.d
	if digest != "" {
		if raw, err := os.ReadFile(d.blobPath(digest)); err == nil {
			return raw, digest, nil
		}
	}
	err = d.persist(ctx, func() (bool, error) {
		leave, err := d.lane(ctx)
		if err != nil {
			return false, err
		}
		defer leave()
		if _, err := d.grant(ctx, documentGuess, documentGuess, w.src.http.CloseIdleConnections); err != nil {
			return false, err
		}
		watched, body := watch(ctx)
		defer func() { _ = body.Close() }()
		resp, _, err := w.src.get(watched, w.src.at("manifests", what), http.Header{"Accept": {acceptManifests}})
		if err != nil {
			return false, err
		}
		body.ReadCloser = resp.Body
		raw, err = io.ReadAll(io.LimitReader(body, maxDocument+1))
		return false, err
	})
	if err != nil {
		return nil, "", err
	}
	if len(raw) > maxDocument {
		return nil, "", fmt.Errorf("its manifest has more than %d bytes", maxDocument)
	}
	if is = digestOf(raw); digest != "" && is != digest {
		return nil, "", errWrong
	}
	return raw, is, nil
}

// store puts a document among the blobs, from where the engine gets it.
func (d *Depot) store(digest string, raw []byte) error {
	if d.has(digest) {
		return nil
	}
	return durable.Replace(d.blobPath(digest), bytes.Clone(raw))
}

// lacking are the layers that the engine probably has not. It has those with which an image of its begins alike; others
// that are part of some image it may use or not, and asks for them if not.
func (w *wanted) lacking(ctx context.Context) ([]string, error) {
	d := w.o.d
	w.o.more(w.config.Size)
	if err := d.blob(ctx, w.src, w.config, w.o.moved); err != nil {
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
	var list []string
	for i, layer := range w.layers {
		if !known[unpacked[i]] {
			list = append(list, layer.Digest)
		}
	}
	return list, nil
}

// fetch gets blobs of the image into the depot.
func (w *wanted) fetch(ctx context.Context, digests []string) error {
	d := w.o.d
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.cfg.Lanes)
	asked := map[string]bool{}
	for _, blob := range append([]descriptor{w.config}, w.layers...) {
		if asked[blob.Digest] || !slices.Contains(digests, blob.Digest) || d.has(blob.Digest) {
			continue
		}
		asked[blob.Digest] = true
		w.o.more(blob.Size)
		group.Go(func() error { return d.blob(ctx, w.src, blob, w.o.moved) })
	}
	return group.Wait()
}

// more is told of bytes that are to come, moved of those that are there.
func (o *order) more(n int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total += n
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
	counts := o.tally.Counts()
	sum := counts.Total()
	all := int64(sum.Up + sum.Down)
	spent, err := o.d.spend(o.Stack, all-o.counted)
	o.counted = all
	return spent, err
}
