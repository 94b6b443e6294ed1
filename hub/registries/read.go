package registries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/farshore/farshore/protocol"
)

// readTimeout bounds reading about one image from end to end.
const readTimeout = 20 * time.Second

// ErrUnread is wrapped where a registry did not say what an image is. The error is a sentence for people, with the reason.
var ErrUnread = errors.New("cannot be read from its registry")

// Image asks the registry of an image what it is for a platform such as linux/arm/v7, with what lets devices of a group
// in. It asks over TLS alone, follows no redirection, and connects only to where Check may. What it found it remembers for
// a while. Errors wrap ErrUnread.
func (b *Book) Image(ctx context.Context, group, image, platform string) (Image, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return Image{}, unread(image, "its name is not one of an image")
	}
	named = reference.TagNameOnly(named)
	address, err := ParseAddress(reference.Domain(named))
	if err != nil {
		return Image{}, unread(image, "its registry's address cannot be asked")
	}
	e := b.nearest(group, address)
	key := readKey{named.String(), platform, e.ID, e.Updated}
	now := time.Now()
	if found, ok := b.reads.get(key, now); ok {
		return found.image, found.err
	}
	out, err := b.readImage(ctx, e, named, platform)
	if err != nil {
		err = unread(image, err.Error())
	}
	if ctx.Err() == nil { // else it is about the asking, not about the image
		b.reads.put(key, read{out, err}, now)
	}
	return out, err
}

func unread(image, why string) error {
	return fmt.Errorf("%.200s %w: %s", protocol.Printable(image, protocol.MaxName), ErrUnread, why)
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

func (b *Book) readImage(ctx context.Context, e entry, named reference.Named, platform string) (Image, error) {
	select {
	case b.asks <- struct{}{}:
		defer func() { <-b.asks }()
	case <-ctx.Done():
		return Image{}, errors.New("the hub asks registries about too many images at once: ask again later")
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	client, err := b.client(e.CA)
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
		next, err := d.choose(platform)
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
			return nil, none, errors.New(r.unreached(r.Address, err))
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
		return errors.New(r.unreached(realm.Host, err))
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
	return resp, body, err
}

// tokenOf reads the answer of a token service.
func tokenOf(body []byte) (string, error) {
	var t struct {
		Token  string `json:"token"`
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &t); err != nil || t.Token+t.Access == "" {
		return "", errors.New("no token")
	}
	if t.Token != "" {
		return t.Token, nil
	}
	return t.Access, nil
}
