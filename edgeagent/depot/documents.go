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

	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/internal/oci"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

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
	if n.tag != "" && there.ID != "" && there.ID == before.Image {
		if same, err := w.still(ctx, before.Top); same || err != nil {
			return nil, err
		}
	}
	asked := cmp.Or(top, n.tag)
	raw, digest, err := w.document(ctx, asked, top)
	if statusOf(err) == http.StatusNotFound && n.digest == "" && top != "" { // the registry has given it up
		raw, digest, err = w.document(ctx, n.tag, "")
	}
	if err != nil {
		return nil, err
	}
	if there.ID != "" && before.Image == there.ID && before.Top == digest { // of a registry that does not say so by itself
		return nil, nil
	}
	blobs := []string{digest}
	note := func(extra ...string) error {
		blobs = append(blobs, extra...)
		return d.change(o.Stack, n.key, func(p *picked) {
			if p.Top != digest || p.Image != "" {
				p.Cost, p.Layers = Cost{}, nil
			}
			p.Top, p.Blobs, p.Image, p.Found = digest, slices.Concat(blobs, before.Blobs), "", false
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
	err = errors.Join(note(w.digests()...), d.change(o.Stack, n.key, func(p *picked) { p.planned(append([]descriptor{w.config}, w.layers...)) }))
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

func (o *order) platform(ctx context.Context, image ipc.Image) (oci.Platform, error) {
	text := image.Platform
	if text == "" {
		var err error
		if text, err = o.d.cfg.Engine.Platform(ctx); err != nil {
			return oci.Platform{}, err
		}
	}
	return oci.ReadPlatform(text)
}

// still asks whether the tag stands for what it did, without getting it.
func (w *wanted) still(ctx context.Context, top string) (same bool, err error) {
	err = w.o.d.persist(ctx, func() (bool, error) {
		return false, w.request(ctx, http.MethodHead, w.name.tag, func(resp *http.Response, _ io.Reader) error {
			same = resp.Header.Get("Docker-Content-Digest") == top
			return nil
		})
	})
	if statusOf(err) == http.StatusMethodNotAllowed {
		err = nil
	}
	return same, err
}

// request asks for a manifest, when that may be.
func (w *wanted) request(ctx context.Context, method, what string, read func(*http.Response, io.Reader) error) error {
	d := w.o.d
	leave, err := d.lanes.enter(ctx, w.o.rank())
	if err != nil {
		return err
	}
	defer leave()
	d.stands(w.src.of, func(n *now) { n.waits++ })
	_, err = d.grant(ctx, documentGuess, documentGuess, w.src.http.CloseIdleConnections)
	d.stands(w.src.of, func(n *now) { n.waits-- })
	if err != nil {
		return err
	}
	watched, body := watch(ctx)
	defer func() { _ = body.Close() }()
	resp, _, err := w.src.request(watched, method, w.src.at("manifests", what), http.Header{"Accept": {acceptManifests}})
	w.o.ended(err)
	if err != nil {
		return err
	}
	body.ReadCloser = resp.Body
	return read(resp, body)
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
		return false, w.request(ctx, http.MethodGet, what, func(_ *http.Response, body io.Reader) (err error) {
			raw, err = io.ReadAll(io.LimitReader(body, maxDocument+1))
			return err
		})
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
