package registries

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/farshore/farshore/protocol"
)

// readTimeout bounds reading about one image from end to end.
const readTimeout = 20 * time.Second

// maxToken is how long a token may be that lets the hub read; headers of requests are bounded where they arrive.
const maxToken = 64 << 10

// ErrUnread is wrapped where a registry did not say what an image is. The error is a sentence for people, with the reason.
var ErrUnread = errors.New("cannot be read from its registry")

// Question is what Image is asked.
type Question struct {
	// Group is that of the devices whose access counts; Image and Platform are as in linux/arm/v7.
	Group, Image, Platform string
	// By is who asks, and has a share of what is asked at once. "": the hub itself.
	By string
	// Abroad: who asks may have the hub ask any registry on the internet. Else it asks those in the book for the group, and
	// those of Config.Open.
	Abroad bool
}

// Image asks the registry of an image what it is, with what lets devices of the group in. It asks over TLS alone, follows
// no redirection, and connects only to where Check may, and for a registry that is not in the book only to what is on the
// internet. What it found it remembers for a while. Errors wrap ErrUnread.
func (b *Book) Image(ctx context.Context, q Question) (Image, error) {
	named, err := reference.ParseNormalizedNamed(q.Image)
	if err != nil {
		return Image{}, fmt.Errorf("an image %w: its name is not one of an image", ErrUnread)
	}
	named = reference.TagNameOnly(named)
	address, err := ParseAddress(reference.Domain(named))
	if err != nil {
		return Image{}, unread(q.Image, "its registry's address cannot be asked")
	}
	e := b.nearest(q.Group, address)
	if !e.known() && !q.Abroad && !b.open[address] {
		return Image{}, unread(q.Image, fmt.Sprintf(
			"the hub does not ask %s, which is not among the registries that it knows for the devices' group: have it added there, or somebody ask who may `stacks.source`", address))
	}
	key := readKey{named.String(), q.Platform, e.ID, e.Updated}
	away := readKey{image: "//" + address, entry: e.ID, updated: e.Updated} // no image is called so
	now := time.Now()
	for _, k := range []readKey{key, away} {
		if found, ok := b.reads.get(k, now); ok {
			if found.err != nil {
				return Image{}, unread(q.Image, found.err.Error())
			}
			return found.image, nil
		}
	}
	out, err := b.readImage(ctx, e, named, q)
	if ctx.Err() == nil { // else it is about the asking, not about the image
		_, pinned := named.(reference.Digested)
		if errors.As(err, new(awayError)) {
			key = away
		}
		b.reads.put(key, read{out, err}, now.Add(readFor(err, pinned)))
	}
	if err != nil {
		return Image{}, unread(q.Image, err.Error())
	}
	return out, nil
}

// awayError: no connection could be made, whichever the image.
type awayError struct{ text string }

func (e awayError) Error() string { return e.text }

// failed says why there is no answer from a host.
func (r *reading) failed(host string, err error) error {
	var dial *net.OpError
	text := r.unreached(host, err)
	if errors.As(err, &dial) && dial.Op == "dial" {
		return awayError{text}
	}
	return errors.New(text)
}

// unread does not cut a name short: who shows the error hides secrets in it by the whole of them.
func unread(image, why string) error {
	return fmt.Errorf("%s %w: %s", image, ErrUnread, why)
}

// nearest is the registry at an address whose home is nearest to a group; one without a user where there is none.
func (b *Book) nearest(group, address string) (best entry) {
	best.Address = address
	for _, e := range *b.now.Load() {
		if e.Address == address && !e.lost && within(group, e.Group) && (best.ID == "" || len(e.Group) > len(best.Group)) {
			best = e
		}
	}
	return best
}

func (b *Book) readImage(ctx context.Context, e entry, named reference.Named, q Question) (Image, error) {
	done, err := b.turns.take(ctx, q.By)
	if err != nil {
		return Image{}, errors.New("no time was left to ask about it, since so much was asked: ask again, and what is known by now is not asked for again")
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	client, err := b.client(e)
	if err != nil {
		return Image{}, err
	}
	defer client.CloseIdleConnections()
	r := &reading{asking: asking{entry: e, client: client}, path: reference.Path(named)}
	ref := ""
	if tagged, ok := named.(reference.Tagged); ok {
		ref = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		ref = digested.Digest().String()
	}
	var index protocol.Hash
	var documents uint64
	for range 2 { // an index and a manifest: devices go no further either
		body, digest, err := r.manifest(ctx, ref)
		if err != nil {
			return Image{}, err
		}
		documents += uint64(len(body))
		d, err := parseDocument(body)
		if err != nil {
			return Image{}, err
		}
		if len(d.Manifests) == 0 {
			out, err := d.image()
			out.Manifest, out.Index, out.Documents = digest, index, out.Documents+documents
			return out, err
		}
		if index == (protocol.Hash{}) {
			index = digest
		}
		next, err := d.choose(q.Platform)
		if err != nil {
			return Image{}, err
		}
		ref = "sha256:" + next.String()
	}
	return Image{}, errors.New("its index names an index: push it again as an image")
}

// reading is one look at an image.
type reading struct {
	asking
	path  string // of the image, as the registry calls it
	with  string // how it lets callers in: "", "basic" or "bearer"
	token string
}

// manifest gives a manifest or index with its digest.
func (r *reading) manifest(ctx context.Context, ref string) ([]byte, protocol.Hash, error) {
	var none protocol.Hash
	address := "https://" + r.host() + "/v2/" + r.path + "/manifests/" + url.PathEscape(ref)
	for tries := 0; ; tries++ {
		resp, body, err := r.get(ctx, address)
		if err != nil {
			return nil, none, r.failed(r.Address, err)
		}
		switch {
		case resp.StatusCode == http.StatusUnauthorized && tries == 0:
			if err := r.signIn(ctx, resp.Header.Get("WWW-Authenticate")); err != nil {
				return nil, none, err
			}
			continue
		case resp.StatusCode != http.StatusOK:
			return nil, none, r.refused(resp)
		case len(body) > maxManifest:
			return nil, none, fmt.Errorf("%s gives a manifest of more than %d bytes", r.Address, maxManifest)
		}
		digest := protocol.HashOf(body)
		if want, ok := strings.CutPrefix(ref, "sha256:"); ok && want != digest.String() {
			return nil, none, fmt.Errorf("%s gives a manifest that is not the one it was asked for", r.Address)
		}
		return body, digest, nil
	}
}

func (r *reading) refused(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%s does not have it", r.Address)
	case http.StatusUnauthorized, http.StatusForbidden:
		if r.User == "" {
			return fmt.Errorf("%s does not let the hub see it (%s): add the registry with a user and a password for the devices' group", r.Address, status(resp))
		}
		return fmt.Errorf("%s does not let the user see it that the hub knows for it (%s)", r.Address, status(resp))
	case http.StatusTooManyRequests:
		return fmt.Errorf("%s was asked too often and says to wait", r.Address)
	}
	return fmt.Errorf("%s answers with %s", r.Address, status(resp))
}

// signIn does what a challenge says.
func (r *reading) signIn(ctx context.Context, challenge string) error {
	if !strings.HasPrefix(strings.ToLower(challenge), "bearer ") {
		r.with = "basic"
		return nil
	}
	with := parameters(challenge)
	with["scope"] = "repository:" + r.path + ":pull"
	realm, err := r.realm(with)
	if err != nil {
		return err
	}
	r.with = "basic"
	resp, body, err := r.get(ctx, realm.String())
	if err != nil {
		return r.failed(realm.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		return r.refused(resp)
	}
	if r.token, err = tokenOf(body); err != nil {
		return fmt.Errorf("%s, which %s sends its callers to, gives no token", realm.Host, r.Address)
	}
	r.with = "bearer"
	return nil
}

// get asks one address as the registry lets callers in, and gives the answer's body, or a little more than maxManifest.
func (r *reading) get(ctx context.Context, address string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", accepted)
	switch {
	case r.with == "bearer":
		req.Header.Set("Authorization", "Bearer "+r.token)
	case r.with == "basic" && r.User != "":
		req.SetBasicAuth(r.User, r.password)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close() // only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxManifest+1))
	return resp, body, cmp.Or(err, ctx.Err()) // what was broken off may look as if it had ended
}

// tokenOf reads the answer of a token service.
func tokenOf(body []byte) (string, error) {
	var t struct {
		Token  string `json:"token"`
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &t); err != nil || t.Token+t.Access == "" || len(t.Token)+len(t.Access) > maxToken {
		return "", errors.New("no token")
	}
	if t.Token != "" {
		return t.Token, nil
	}
	return t.Access, nil
}
