package gitsource

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// way is how a repository is spoken with.
type way interface {
	// refs asks what there is.
	refs(context.Context) (*packp.AdvRefs, error)
	// pack sends a request for objects and gives the answer, which the caller closes.
	pack(ctx context.Context, ask []byte) (io.ReadCloser, error)
	Close() error
}

// way finds the way to a source's repository.
func (d *Desk) way(ctx context.Context, src *Source, secrets *Secrets) (way, string, error) {
	at, err := parseAddress(src.URL)
	if err != nil {
		return nil, "", faultf(codeServer, "%s", err)
	}
	if at.ssh {
		w, err := d.newSSH(ctx, src, at, secrets)
		return w, at.host, err
	}
	w, err := d.newHTTP(src, at, secrets)
	return w, at.url.Host, err
}

// maxAdvertised bounds the list of what a repository has.
const maxAdvertised = 32 << 20

// advertised reads the list of what a repository has.
func advertised(ctx context.Context, host string, r io.Reader) (*packp.AdvRefs, error) {
	refs := packp.NewAdvRefs()
	err := refs.Decode(&bounded{r: r, left: maxAdvertised})
	var said *pktline.ErrorLine
	switch {
	case errors.Is(err, packp.ErrEmptyAdvRefs):
		return refs, nil
	case errors.As(err, &said):
		return nil, faultf(codeRepository, "%s does not give the repository: it says %q", host, clean(said.Text, 200))
	case errors.Is(err, errTooMuch):
		return nil, faultf(codeTooLarge, "%s lists more than %d MiB of branches and tags: put the stack into a repository of its own", host, maxAdvertised>>20)
	case errors.Is(err, packp.ErrEmptyInput), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if ctx.Err() == nil {
			return nil, faultf(codeServer, "%s ended the conversation at once: see whether the address is right", host)
		}
		return nil, reached(ctx, host, err)
	case err != nil:
		return nil, reached(ctx, host, err)
	}
	if format := refs.Capabilities.Get(capability.ObjectFormat); len(format) > 0 && format[0] != "sha1" {
		return nil, faultf(codeServer, "the repository is kept with %s in place of SHA-1, which the hub does not understand yet", clean(format[0], 20))
	}
	return refs, nil
}

// bounded fails where more comes than may.
type bounded struct {
	r    io.Reader
	left int64
}

var errTooMuch = errors.New("more comes than may")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// tip is what a branch or tag names.
type tip struct {
	ref string // its whole name
	// object to ask for: the commit, or the tag that names it.
	object plumbing.Hash
	commit plumbing.Hash
}

// find looks up a source's branch or tag.
func find(refs *packp.AdvRefs, name string) (tip, error) {
	at := func(full string) (tip, bool) {
		hash, ok := refs.References[full]
		if !ok {
			return tip{}, false
		}
		t := tip{ref: full, object: hash, commit: hash}
		if peeled, tagged := refs.Peeled[full]; tagged {
			t.commit = peeled
		}
		return t, true
	}
	if name == "" {
		if refs.Head == nil {
			return tip{}, faultf(codeRef, "the repository is empty, or its HEAD names a branch that is not there: name a branch")
		}
		for _, s := range refs.Capabilities.Get(capability.SymRef) {
			if full, ok := strings.CutPrefix(s, "HEAD:"); ok {
				if t, ok := at(full); ok {
					return t, nil
				}
			}
		}
		return tip{ref: "HEAD", object: *refs.Head, commit: *refs.Head}, nil
	}
	for _, full := range []string{name, "refs/heads/" + name, "refs/tags/" + name} {
		if t, ok := at(full); ok {
			return t, nil
		}
	}
	return tip{}, faultf(codeRef, "the repository has no branch or tag %.100q (any more): what was deployed last stays; choose another, or bring it back", name)
}

// selective reports whether a server gives single files, so that large repositories need not be fetched whole.
func selective(c *capability.List) bool {
	return c.Supports(capability.Filter) && (c.Supports(capability.AllowReachableSHA1InWant) || c.Supports("allow-any-sha1-in-want"))
}

// request asks for objects: the tip with all that belongs to it and nothing before it, or single objects.
func request(offered *capability.List, filter packp.Filter, wants []plumbing.Hash) *packp.UploadPackRequest {
	r := packp.NewUploadPackRequest()
	r.Wants, r.Filter = wants, filter
	use := func(c capability.Capability, values ...string) {
		if offered.Supports(c) {
			_ = r.Capabilities.Set(c, values...) // those here take the values that they are given
		}
	}
	use(capability.Sideband64k)
	use(capability.OFSDelta)
	use(capability.NoProgress)
	use(capability.Agent, "git/farshore-hub")
	if filter != "" {
		use(capability.Filter)
	}
	if offered.Supports(capability.Shallow) {
		use(capability.Shallow)
		r.Depth = packp.DepthCommits(1)
	}
	return r
}

// fetch asks for objects and unpacks them into into.
func fetch(ctx context.Context, w way, host string, r *packp.UploadPackRequest, into *objects) error {
	var ask bytes.Buffer
	if err := r.UploadRequest.Encode(&ask); err != nil {
		return reached(ctx, host, err)
	}
	if err := pktline.NewEncoder(&ask).EncodeString("done\n"); err != nil {
		return reached(ctx, host, err)
	}
	body, err := w.pack(ctx, ask.Bytes())
	if err != nil {
		return err
	}
	defer body.Close()
	answer := packp.NewUploadPackResponse(r)
	if err := answer.Decode(io.NopCloser(&counted{body, into})); err != nil {
		return unpacked(ctx, host, err)
	}
	var packed io.Reader = answer
	if r.Capabilities.Supports(capability.Sideband64k) {
		packed = sideband.NewDemuxer(sideband.Sideband64k, answer)
	}
	return unpacked(ctx, host, into.unpack(packed))
}

func unpacked(ctx context.Context, host string, err error) error {
	var f *fault
	if err == nil || errors.As(err, &f) {
		return err
	}
	if ctx.Err() == nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return faultf(codeServer, "%s broke off before it had sent it all", host)
	}
	return reached(ctx, host, err)
}

// counted takes what comes from the budget of bytes.
type counted struct {
	r    io.Reader
	into *objects
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.into.wire -= int64(n); c.into.wire < 0 {
		return 0, c.into.tooLarge()
	}
	return n, err
}
