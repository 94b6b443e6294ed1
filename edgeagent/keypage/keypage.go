// Package keypage is the agent's own page: while a device has no edge key, somebody with a browser can paste one, and
// then sees the pairing code and whether the hub has let the device in.
//
// Who may do so knows the PIN, which the agent prints where only those see it who have the device: its console and its
// log. The page takes one key and is closed after a quarter of an hour, or some minutes after the key. It speaks plain
// HTTP, since a device without a hub has no certificate that a browser would trust; therefore it listens on the loopback
// address unless the installer chose another. What holds against others in the same browser or network is in guard.go.
//
// It keeps nothing: a key is handed to Config.Take. A Page may be used from several goroutines; Run belongs to one.
package keypage

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/waitingroom"
)

// How long things last, and how many there may be.
const (
	// DefaultOpenFor is how long the page waits for a key.
	DefaultOpenFor = 15 * time.Minute
	// lingerFor is how long it shows how the device stands after a key was taken; seenFor after it was approved.
	lingerFor = 10 * time.Minute
	seenFor   = time.Minute
	// tries is how many wrong PINs make a PIN worthless, and pause how long there is none then.
	tries = 5
	pause = time.Minute

	maxConnections = 16
	maxBody        = 16 << 10 // an edge key has at most 4 kB
	requestTimeout = 10 * time.Second
)

// State of the page's device, beside those of the waiting room (package knock).
const (
	// StateNoKey: there is no edge key yet.
	StateNoKey = "no-key"
	// StateApproved: the hub has let the device in.
	StateApproved = "approved"
)

// Standing is what the page shows once there is a key.
type Standing struct {
	// State is a state of the waiting room; Reason is why it is not a better one.
	State, Reason string
	// PairingCode of the device, and the address of the hub at which it is approved.
	PairingCode, ApproveURL string
}

// Config of a Page. Take, Standing, Announce and Log must be set.
type Config struct {
	// Address to listen on, HOST:PORT.
	Address string
	// Host is a name by which browsers may ask for the page, beside IP addresses and, on the loopback address,
	// localhost. Empty: none.
	Host string
	// OpenFor is how long the page waits for a key. 0: DefaultOpenFor.
	OpenFor time.Duration
	// Take is given the first key that is whole, with the white space gone; it is given another only when it fails.
	Take func(edgeKey string) error
	// Standing tells how the device stands after a key was taken.
	Standing func() Standing
	// Announce prints a PIN where only those see it who have the device.
	Announce func(pin string)
	Log      *slog.Logger
}

// Page is the agent's own page.
type Page struct {
	cfg      Config
	listener net.Listener
	taken    chan struct{} // closed when a key was taken

	mu    sync.Mutex
	pin   string      // guarded by mu; empty: too many were wrong, another one comes
	wrong int         // guarded by mu; of this PIN
	renew *time.Timer // guarded by mu; nil: none is due
	done  bool        // guarded by mu; a key was taken
}

// New opens the port, so that what is in the way is said at once. A Page that is not run must be closed.
func New(cfg Config) (*Page, error) {
	if cfg.OpenFor == 0 {
		cfg.OpenFor = DefaultOpenFor
	}
	l, err := doorway.Listen(context.Background(), cfg.Address)
	if err != nil {
		return nil, err
	}
	return &Page{cfg: cfg, listener: netutil.LimitListener(l, maxConnections), taken: make(chan struct{})}, nil
}

// URL is the page's address. Where it listens on all addresses, it is one of them.
func (p *Page) URL() string {
	host, port, err := net.SplitHostPort(p.listener.Addr().String())
	if err != nil {
		return "http://" + p.listener.Addr().String()
	}
	if p.cfg.Host != "" {
		host = p.cfg.Host
	} else if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = anAddress(host)
	}
	return "http://" + net.JoinHostPort(host, port)
}

// anAddress is an address of this machine that others may reach, or host where there is none.
func anAddress(host string) string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return host
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	return host
}

// Close closes the port. It may be called twice, and is called by Run.
func (p *Page) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.pin = true, ""
	if p.renew != nil {
		p.renew.Stop()
	}
	if err := p.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Run serves the page until its time is over or ctx ends.
func (p *Page) Run(ctx context.Context) error {
	server := &http.Server{
		Handler: p.Handler(), ReadHeaderTimeout: requestTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		IdleTimeout: requestTimeout, MaxHeaderBytes: maxBody, ErrorLog: slog.NewLogLogger(p.cfg.Log.Handler(), slog.LevelDebug),
	}
	p.freshPIN()
	served := make(chan error, 1)
	go func() { served <- server.Serve(p.listener) }()
	err := p.wait(ctx, served)
	_ = server.Close()
	<-served
	return errors.Join(err, p.Close())
}

// wait returns when the page's time is over.
func (p *Page) wait(ctx context.Context, served chan error) error {
	end := time.NewTimer(p.cfg.OpenFor)
	defer end.Stop()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	taken, approved := p.taken, false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-end.C:
			return nil
		case err := <-served:
			served <- nil
			return fmt.Errorf("key page: %w", err)
		case <-taken:
			taken = nil
			end.Reset(lingerFor)
		case <-look.C:
			if taken == nil && !approved && p.cfg.Standing().State == StateApproved {
				approved = true
				end.Reset(seenFor)
			}
		}
	}
}

// freshPIN draws a PIN and has it printed.
func (p *Page) freshPIN() {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	pin := fmt.Sprintf("%06d", n)
	p.mu.Lock()
	p.pin, p.wrong, p.renew = pin, 0, nil
	p.mu.Unlock()
	p.cfg.Announce(pin[:3] + " " + pin[3:])
}

// refusal is what the page says beside a field; its text is a sentence.
type refusal struct {
	Status int    `json:"-"`
	Field  string `json:"field"`
	Text   string `json:"text"`
}

// admit says why a PIN is not the right one; nil when it is. Callers hold mu.
func (p *Page) admit(given string) *refusal {
	if p.pin == "" {
		return &refusal{http.StatusTooManyRequests, "pin", "Too many PINs were wrong. A new one comes up on the device within a minute."}
	}
	given = strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(strings.TrimSpace(given))
	if subtle.ConstantTimeCompare([]byte(given), []byte(p.pin)) == 1 {
		return nil
	}
	p.wrong++
	if p.wrong < tries {
		return &refusal{http.StatusForbidden, "pin", fmt.Sprintf("This is not the PIN. The device has printed it on its console and in its log; tries left: %d.", tries-p.wrong)}
	}
	p.pin = ""
	p.renew = time.AfterFunc(pause, p.freshPIN)
	p.cfg.Log.Warn("too many wrong PINs on the key page: there will be a new one", "in", pause)
	return p.admit("")
}

// take checks PIN and key and hands the key over.
func (p *Page) take(pin, key string) *refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	if no := p.admit(pin); no != nil {
		return no
	}
	if p.done {
		return &refusal{http.StatusConflict, "key", "This device has been given an edge key meanwhile. Load the page again to see how it stands."}
	}
	key = strings.Join(strings.Fields(key), "")
	if _, err := waitingroom.Parse(key); err != nil {
		return &refusal{http.StatusUnprocessableEntity, "key", sentence(err)}
	}
	if err := p.cfg.Take(key); err != nil {
		p.cfg.Log.Error("the edge key from the key page cannot be kept", "error", err)
		return &refusal{http.StatusInternalServerError, "key", "The key is right but the device cannot keep it; its log says why."}
	}
	p.done = true
	close(p.taken)
	return nil
}

// sentence makes a sentence of an error's text.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
