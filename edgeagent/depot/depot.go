// Package depot gets images onto the device in the engine's stead: it fetches what the engine lacks from its registry,
// within what the link may carry, and hands it to the engine by a registry on loopback.
//
// It owns the folder in which layers wait until they are whole and the engine has them, and the registry that serves
// one image while it is handed over. What is fetched survives cut links, kills and power cuts: each blob has a journaled
// offset. It never decides which images are wanted or when, and never shows a credential to anybody but the registry
// that it is for, and whom that registry names for tokens. Everything that a registry sends is bounded, and believed
// when its digest is right. DESIGN.md has the rest.
//
// A Depot is safe for concurrent use: orders share the link slice by slice, and each blob is fetched once.
package depot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/farshore/farshore/edgeagent/engine"
)

// Engine is the container engine that images are for.
type Engine interface {
	// Platform is what the engine runs, such as linux/amd64.
	Platform(ctx context.Context) (string, error)
	// Image looks for an image by a name. It wraps snapshot.ErrNoSuch where there is none.
	Image(ctx context.Context, ref string) (engine.Image, error)
	// Images lists all images.
	Images(ctx context.Context) ([]engine.Image, error)
	// ImagePull pulls from a registry on loopback that speaks plain HTTP.
	ImagePull(ctx context.Context, ref, platform string) error
	// ImageTag gives an image one more name.
	ImageTag(ctx context.Context, id, name string) error
	// ImageUntag takes a name from an image.
	ImageUntag(ctx context.Context, name string) error
}

// Dial opens a connection.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Defaults of Config.
const (
	DefaultSlice = 256 << 10
	DefaultLanes = 3
	DefaultPause = time.Second
)

// Config of a Depot.
type Config struct {
	// Dir is the folder of the depot alone. It is made where it is missing. Required.
	Dir string
	// Engine is required.
	Engine Engine
	// Await blocks until n more bytes may be spent on images. Nil: they always may.
	Await func(ctx context.Context, n uint64) error
	// Left is how long the link stays open from now on. Less is asked for the nearer the end is, so that nothing is on its
	// way when it has come. Nil: it is not known to close.
	Left func() time.Duration
	// NotNow is wrapped by errors of connections that end because nothing may be spent now. Nil: there are none.
	NotNow error
	// Dial opens connections to registries. Nil: as usual.
	Dial Dial
	// Proxy as in http.Transport. Nil: as the environment says.
	Proxy func(*http.Request) (*url.URL, error)
	// Authorities are folders with a folder for each registry, in which *.crt are authorities that it is believed by, beside
	// those of the system. Nil: those of Docker and Podman.
	Authorities []string
	// Slice is how many bytes are asked for at a time. Nil: DefaultSlice.
	Slice func() int64
	// Lanes is how many slices are under way at once, from now on. Nil: DefaultLanes.
	Lanes func() int
	// Pause is how long is waited after a link was cut before it is used again; while nothing comes it doubles four
	// times. 0: DefaultPause.
	Pause time.Duration
	// Listen opens the loopback port for the engine. Nil: on a free port of 127.0.0.1.
	Listen func() (net.Listener, error)
	// Brought is told of an image that has been fetched and is on the engine, with what it has cost. Nil: nobody is.
	Brought func(Listed)
	// Log is required.
	Log *slog.Logger
}

// Depot fetches images and hands them to the engine.
type Depot struct {
	cfg   Config
	lanes *lanes

	mu       sync.Mutex // guards the fields below, and the files of records
	records  map[uint64]*record
	rate     float64                  // bytes a second that came lately
	now      map[imageOf]*now         // images that are worked on
	counters map[string]bool          // repositories of those that are open
	busy     map[string]chan struct{} // what one goroutine at a time may work on; closed when it is done
}

// New opens the depot's folder.
func New(cfg Config) (*Depot, error) {
	cfg.Pause = cmp.Or(cfg.Pause, DefaultPause)
	if cfg.Await == nil {
		cfg.Await = func(ctx context.Context, _ uint64) error { return ctx.Err() }
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyFromEnvironment
	}
	if cfg.Authorities == nil {
		cfg.Authorities = []string{"/etc/docker/certs.d", "/etc/containers/certs.d"}
	}
	if cfg.Lanes == nil {
		cfg.Lanes = func() int { return DefaultLanes }
	}
	if cfg.Slice == nil {
		cfg.Slice = func() int64 { return DefaultSlice }
	}
	if cfg.Listen == nil {
		cfg.Listen = func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	}
	d := &Depot{cfg: cfg, rate: firstRate, lanes: &lanes{most: cfg.Lanes}, records: map[uint64]*record{}, now: map[imageOf]*now{}, counters: map[string]bool{}, busy: map[string]chan struct{}{}}
	for _, dir := range []string{blobsDir, stacksDir} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder for images: %w", err)
		}
	}
	if err := d.readRecords(); err != nil {
		return nil, fmt.Errorf("read what is kept of images: %w", err)
	}
	return d, nil
}

// only waits until nobody else works on what is named, and returns how to let others.
func (d *Depot) only(ctx context.Context, name string) (leave func(), err error) {
	for {
		d.mu.Lock()
		other, taken := d.busy[name]
		if !taken {
			mine := make(chan struct{})
			d.busy[name] = mine
			d.mu.Unlock()
			return func() {
				d.mu.Lock()
				delete(d.busy, name)
				d.mu.Unlock()
				close(mine)
			}, nil
		}
		d.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (d *Depot) notNow(err error) bool { return d.cfg.NotNow != nil && errors.Is(err, d.cfg.NotNow) }
