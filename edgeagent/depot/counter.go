package depot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/edgeagent/engine"
)

// reCounter matches the names that images have while they are handed over.
var reCounter = regexp.MustCompile(`^127\.0\.0\.1:\d+/(farshore-[0-9a-f]{32})[@:]`)

// counter is the registry over which one image is handed to the engine: on loopback, read-only, and at a path that
// nobody can guess, as any user of the device may connect.
type counter struct {
	d        *Depot
	listener net.Listener
	server   http.Server
	done     chan struct{}
	repo     string
	manifest string // its digest
	kind     string // its media type

	mu     sync.Mutex
	has    map[string]int64 // blobs that may be asked for, with their sizes
	lacked []string         // digests that were asked for and are not in the depot
}

func (d *Depot) openCounter(image *wanted) (*counter, error) {
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	listener, err := d.cfg.Listen()
	if err != nil {
		return nil, fmt.Errorf("open a port for the engine: %w", err)
	}
	c := &counter{
		d: d, listener: listener, done: make(chan struct{}), repo: "farshore-" + hex.EncodeToString(secret),
		manifest: image.manifest, kind: image.kind, has: map[string]int64{image.config.Digest: image.config.Size},
	}
	for _, layer := range image.layers {
		c.has[layer.Digest] = layer.Size
	}
	c.server = http.Server{
		Handler: c, ConnContext: withGuest, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		ReadHeaderTimeout: strangerTimeout, WriteTimeout: strangerTimeout, IdleTimeout: time.Minute,
	}
	d.mu.Lock()
	d.counters[c.repo] = true
	d.mu.Unlock()
	go func() {
		defer close(c.done)
		_ = c.server.Serve(&door{Listener: listener}) // until it is closed
	}()
	return c, nil
}

func (c *counter) close() {
	_ = c.server.Close()
	<-c.done
	c.d.mu.Lock()
	delete(c.d.counters, c.repo)
	c.d.mu.Unlock()
}

// ref is what the image is called for the engine.
func (c *counter) ref() string { return c.listener.Addr().String() + "/" + c.repo + "@" + c.manifest }

// missed are the blobs that the engine asked for and did not get since the last call.
func (c *counter) missed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.lacked
	c.lacked = nil
	return list
}

// ServeHTTP implements http.Handler.
func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
		return
	}
	if r.URL.Path == "/v2/" || r.URL.Path == "/v2" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v2/"+c.repo+"/")
	kind, digest, _ := strings.Cut(rest, "/")
	c.mu.Lock()
	_, blob := c.has[digest]
	c.mu.Unlock()
	if ok {
		welcome(w, r)
	}
	switch {
	case ok && kind == "manifests" && digest == c.manifest:
		c.serve(w, r, digest, c.kind)
	case ok && kind == "blobs" && blob:
		c.serve(w, r, digest, "application/octet-stream")
	default:
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN")
	}
}

// serve sends what the depot has. What it has not is refused in a way that engines do not try again.
func (c *counter) serve(w http.ResponseWriter, r *http.Request, digest, kind string) {
	file, err := os.Open(c.d.blobPath(digest))
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			c.mu.Lock()
			if !slices.Contains(c.lacked, digest) {
				c.lacked = append(c.lacked, digest)
			}
			c.mu.Unlock()
		}
		refuse(w, http.StatusForbidden, "DENIED")
		return
	}
	defer func() { _ = file.Close() }()
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Etag", `"`+digest+`"`)
	http.ServeContent(w, r, "", time.Time{}, file)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"not here"}]}`, code)
}

// handoverTimeout bounds one pull of the engine from the depot.
const handoverTimeout = time.Hour

// handOver lets the engine pull the image, and fetches what it asks for and the depot lacks. It returns the image's id.
func (d *Depot) handOver(ctx context.Context, image *wanted) (id string, err error) {
	c, err := d.openCounter(image)
	if err != nil {
		return "", err
	}
	defer c.close()
	for range len(image.layers) + 3 {
		d.stands(image.src.of, func(n *now) { n.handed = true })
		pull, cancel := context.WithTimeout(ctx, handoverTimeout)
		err = d.cfg.Engine.ImagePull(pull, c.ref(), image.platform)
		cancel()
		missed := c.missed()
		if err == nil || len(missed) == 0 || ctx.Err() != nil {
			break
		}
		d.stands(image.src.of, func(n *now) { n.handed = false })
		if err := image.fetch(ctx, missed); err != nil {
			return "", err
		}
	}
	if err != nil {
		if strings.Contains(err.Error(), "no space left") {
			return "", fmt.Errorf("%w: %w", errFullThere, err)
		}
		return "", &engineError{fmt.Errorf("the engine does not take it: %w", err), c.listener.Addr().String() + "/" + c.repo, image.name.local}
	}
	got, err := d.cfg.Engine.Image(ctx, c.ref())
	if err != nil {
		return "", err
	}
	if err := d.cfg.Engine.ImageTag(ctx, got.ID, image.name.local); err != nil {
		return "", err
	}
	return got.ID, d.cfg.Engine.ImageUntag(ctx, c.ref())
}

// forgetCounters takes names from images that a handing over left which was cut short, and reports whether there were any.
func (d *Depot) forgetCounters(ctx context.Context, images []engine.Image) (any bool) {
	for _, image := range images {
		for _, name := range image.Names {
			m := reCounter.FindStringSubmatch(name)
			if m == nil {
				continue
			}
			d.mu.Lock()
			open := d.counters[m[1]]
			d.mu.Unlock()
			if open {
				continue
			}
			any = true
			if err := d.cfg.Engine.ImageUntag(ctx, name); err != nil {
				d.cfg.Log.Warn("an image keeps a name that it had while it was handed over", "error", err)
			}
		}
	}
	return any
}

// engineError is what the engine said, with the image's own name in it.
type engineError struct {
	error
	counter, own string
}

func (e *engineError) Error() string { return strings.ReplaceAll(e.error.Error(), e.counter, e.own) }

func (e *engineError) Unwrap() error { return e.error }
