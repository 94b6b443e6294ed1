// Package edgeagent assembles the edge agent: it opens the device's state, makes the parts, tells them of each other,
// and runs them until it is stopped. What a part does is in its own package; no rule is here.
//
// Everything that keeps the device as desired runs whether or not the hub can be reached; the loop of hub.go alone
// knows whether the device is waiting to be approved or in session.
package edgeagent

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/edgeagent/commands"
	"github.com/farshore/farshore/edgeagent/composer"
	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/edgeagent/exchange"
	"github.com/farshore/farshore/edgeagent/keypage"
	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/edgeagent/tunnel"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/sealed"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/capture"
	"github.com/farshore/farshore/stacks/reconciler"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/knock"
)

// Engine is a container engine as the parts of an agent need it.
type Engine interface {
	capture.Engine
	commands.Engine
}

// Config of an Agent.
type Config struct {
	// Data is the folder of everything the agent keeps. Required unless State is given.
	Data string
	// EdgeKey joins the device to a hub. Empty: the one that was used before.
	EdgeKey string
	// KeyPage lets an agent that never had an edge key wait for one. Zero: New fails with ErrNoEdgeKey.
	KeyPage KeyPage
	// LateKey returns an edge key that has come since the start, "" while there is none. It is asked every few seconds
	// while the agent waits for one. Nil: none comes.
	LateKey func() (string, error)
	// Carrier to use. Empty: auto.
	Carrier protocol.Carrier
	// Mode of the device. 0: async.
	Mode protocol.Mode
	// EngineHost is the engine's address. Empty: Docker's default socket.
	EngineHost string
	// Composer is the path of farshore-composer. Empty: beside the agent, or in PATH.
	Composer string
	// HostRoot is where the machine's own /etc, /usr/lib and /sys are, for an agent in a container. Empty: "/".
	HostRoot string
	// Labels the device wishes for.
	Labels map[string]string
	// Version of the build.
	Version string
	// Update lets the agent replace its own programs. Zero: it does not.
	Update Update
	Log    *slog.Logger
	// ClientCert and ClientKey are PEM files of a certificate for hubs that ask for one. "": none.
	ClientCert, ClientKey string
	// LogLevel is the level of Log, which is changed by the local socket. Nil: what is set has no effect.
	LogLevel *slog.LevelVar

	// Jobs says which kinds of jobs the device runs. "": JobsAll.
	Jobs JobKinds

	// The rest is for fleets in one process. Nil: the real thing.
	State       *state.Store
	Engine      Engine
	RunComposer reconciler.Composer
	Stager      reconciler.Stager
	// HostJobs and ContainerJobs run jobs, JobOutputs keeps what they write.
	HostJobs, ContainerJobs runner.Executor
	JobOutputs              runner.Outputs
	Host                    func() protocol.Host
	Facts                   func() protocol.Facts
	// DialEngine connects to the engine for live calls.
	DialEngine  func(context.Context) (net.Conn, error)
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	Proxy       func(*url.URL) (*url.URL, error)
	Wrap        func(net.Conn) net.Conn
	Codec       *protocol.Codec
	Patcher     *snapshot.Patcher
	// NewTransport makes the transport of a kind of carrier.
	NewTransport func(link.Kind, link.Config) link.Transport
	// Rand decides the jitter of reconnecting.
	Rand *rand.Rand
}

// Update is what an agent needs to replace its own programs.
type Update struct {
	// Program is the running program, Launcher the installed one that has launched it, or the same.
	Program, Launcher string
	// Keys are the release keys that are trusted.
	Keys []ed25519.PublicKey
}

// ErrSwitch: the agent has stopped so that it is launched anew, with other programs.
var ErrSwitch = errors.New("the agent starts anew with other programs")

// Agent is the edge agent with all its parts.
type Agent struct {
	cfg Config
	log *slog.Logger

	state      *state.Store
	ownState   bool
	edgeKey    waitingroom.EdgeKey
	capture    *capture.Capturer
	reconciler *reconciler.Reconciler
	commands   *commands.Runner
	jobs       *runner.Runner
	exchange   *exchange.Exchange
	spending   *spending.Keeper
	depot      *depot.Depot // nil: images never come through the agent
	images     *images      // nil as well then
	tunnel     *tunnel.Keeper
	updater    *update.Updater // nil: the agent does not update itself
	switchOver func()          // stops the agent for other programs
	switching  chan struct{}   // closed by switchOver
	knockLink  *link.Knocker
	knocker    *knock.Knocker
	started    time.Time
	code       func() string // the pairing code

	// assembled is set when there is an edge key and with it all that is above; before, what does not run under Run
	// itself may use state and page alone.
	assembled atomic.Bool
	page      atomic.Pointer[keypage.Page] // nil: closed
}

// ErrNoEdgeKey: the device has never been given an edge key.
var ErrNoEdgeKey = errors.New("this device has no edge key yet: give it one with --edge-key or --edge-key-file; `farshore keys create` makes one")

// ErrOtherHub: the edge key is of another hub than the one this device belongs to.
var ErrOtherHub = errors.New("the edge key is of another hub than the one this device belongs to: to move it, stop the agent and start it with an empty data folder")

// New opens the device's state and makes the parts. It starts nothing; an Agent that is not run must be closed.
func New(cfg Config) (*Agent, error) {
	if cfg.LogLevel == nil {
		cfg.LogLevel = new(slog.LevelVar)
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Mode == 0 {
		cfg.Mode = protocol.ModeAsync
	}
	a := &Agent{cfg: cfg, log: cfg.Log, state: cfg.State, started: time.Now(), switching: make(chan struct{})}
	a.switchOver = sync.OnceFunc(func() { close(a.switching) })
	if a.state == nil {
		if cfg.Data == "" {
			return nil, errors.New("no data folder: give one with --data")
		}
		s, err := state.OpenDisk(cfg.Data)
		if err != nil {
			return nil, err
		}
		a.state, a.ownState = s, true
		if lost := s.Lost(); lost != "" {
			a.log.Error(lost, "device", s.Identity().ID)
		}
	}
	a.code = sync.OnceValue(func() string { return waitingroom.PairingCode(a.publicKey()) })
	key := cmp.Or(cfg.EdgeKey, a.state.EdgeKey())
	if key == "" && cfg.KeyPage.Address != "" {
		return a, nil
	}
	err := a.join(key)
	if err == nil {
		err = a.assemble()
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// join takes over an edge key.
func (a *Agent) join(given string) error {
	if given == "" {
		return ErrNoEdgeKey
	}
	stored := a.state.EdgeKey()
	key, err := waitingroom.Parse(given)
	if err != nil {
		return err
	}
	if stored != "" && stored != given && a.state.Approved() {
		if old, err := waitingroom.Parse(stored); err == nil && !old.HubKey.Equal(key.HubKey) {
			return ErrOtherHub
		}
	}
	a.edgeKey = key
	return a.state.SetEdgeKey(given)
}

// assemble makes the parts that need an edge key.
func (a *Agent) assemble() error {
	cfg := &a.cfg
	if cfg.Engine == nil {
		cfg.Engine = engine.New(engine.Config{Host: cfg.EngineHost, Log: a.log})
	}
	find := composer.New(composer.Config{Path: cfg.Composer, Log: a.log})
	if cfg.RunComposer == nil {
		cfg.RunComposer = find
	}
	gate := &update.Gate{}
	if cfg.Host == nil {
		cfg.Host = hostFacts(cfg.HostRoot, cfg.Data)
	}
	if cfg.Facts == nil {
		cfg.Facts = func() protocol.Facts { return knock.MachineFacts(cmp.Or(cfg.HostRoot, "/")) }
	}
	if cfg.Codec == nil {
		cfg.Codec = protocol.NewCodec()
	}
	if cfg.Patcher == nil {
		cfg.Patcher = snapshot.NewPatcher()
	}
	a.capture = capture.New(capture.Config{
		Engine: cfg.Engine,
		Host:   cfg.Host,
		Interval: func() time.Duration {
			d, _ := a.exchange.Settings().Snapshot.Duration()
			return d
		},
		Log: a.log,
		Changed: func() {
			a.reconciler.Observed(a.capture.Latest().Snapshot)
			a.exchange.Wake()
		},
	})
	identity := a.state.Identity()
	a.assembleSpending()
	base := link.Config{
		EdgeKey: a.edgeKey, Key: identity.Key, Boot: identity.Boot, CertFile: cfg.ClientCert, KeyFile: cfg.ClientKey, Proxy: cfg.Proxy,
		DialContext: a.spending.Attempts(a.dial), Wrap: a.metered(a.spending.Wrap), Codec: cfg.Codec, OnFrame: func([]byte) {}, Log: a.log,
	}
	auto, err := link.NewAuto(link.AutoConfig{
		Config: base, Carrier: cfg.Carrier, New: cfg.NewTransport,
		Blameless: func(err error) bool { return errors.Is(err, spending.ErrNotNow) },
	})
	if err != nil {
		return err
	}
	a.exchange = exchange.New(exchange.Config{
		State:   a.state,
		HubKey:  a.edgeKey.HubKey,
		Codec:   cfg.Codec,
		Patcher: cfg.Patcher,
		Latest:  a.capture.Latest,
		Connect: func(ctx context.Context, s protocol.Settings, in exchange.Inbox) (exchange.Transport, error) {
			return auto.Connect(ctx, link.Wanted{Settings: s, OnConnect: in.Connected, OnFrame: in.Frame, OnDown: func(err error) {
				if errors.Is(err, link.ErrTryBetter) {
					err = fmt.Errorf("%w: %w", exchange.ErrReconnect, err)
				}
				in.Down(err)
			}})
		},
		Mode:       cfg.Mode,
		Version:    cfg.Version,
		Arch:       Platform(),
		Wishes:     cfg.Labels,
		Log:        a.log,
		OnCommands: func() { a.commands.Wake(); a.jobs.Wake() }, // also when the hub has told the time
		OnDesired:  func() { a.reconciler.Wake(); a.jobs.Wake() },
		OnSettings: func(protocol.Settings) { a.capture.IntervalChanged() },
		OnTunnel:   func(ask protocol.TunnelAsk) { a.tunnel.Asked(ask) },
		OnSession:  a.inSession,
		Programs:   a.programs,
		Rand:       cfg.Rand,
		Economy:    a.spending,
	})
	a.assembleTunnel(base)
	if err := a.assembleUpdates(find.Find, gate); err != nil {
		return err
	}
	a.state.SetClock(func() time.Time {
		now, _ := a.exchange.Clock().Now()
		return now
	})
	stackImages, err := a.assembleDepot()
	if err != nil {
		return err
	}
	a.reconciler = reconciler.New(reconciler.Config{
		State: a.state, Fetcher: a.exchange, Composer: gate.Composer(cfg.RunComposer), Stager: cfg.Stager, Dir: stagingFolder(cfg.Data),
		Images: stackImages, ImagesByAgent: a.imagesByAgent,
		Host: cfg.EngineHost, Log: a.log,
		Tail: func(ctx context.Context, container string) (string, error) {
			out, _, err := cfg.Engine.ContainerLogs(ctx, container, tailLines, tailBytes)
			return string(out), err
		},
		OpenSecrets: func(e *protocol.Entry) (protocol.Secrets, error) { return sealed.OpenSecrets(identity.Key, e) },
		OpenAccess:  func(e *protocol.Entry) (protocol.RegistryAccess, error) { return sealed.OpenAccess(identity.Key, e) },
		Now: func() time.Time {
			now, _ := a.exchange.Clock().Now()
			return now
		},
	})
	if err := a.assembleJobs(gate); err != nil {
		return err
	}
	a.commands = commands.New(commands.Config{
		Journal: a.state, Engine: cfg.Engine, Stacks: a.reconciler, Snapshot: a.capture.Now,
		HubTime: a.exchange.Clock().Now, Holds: a.spending.Holds, Updates: a.updates(), Jobs: a.jobs, Gate: gate, Log: a.log,
	})
	base.Wrap = a.metered(a.spending.WrapFor(protocol.ClassOther))
	base.Abrupt = a.state.Orders().Settings != nil // a device that was in before may have times of contact
	a.knockLink = link.NewKnocker(base)
	a.knocker = knock.New(knock.Config{
		Key: identity.Key, EdgeKey: a.edgeKey, Facts: a.facts, Labels: cfg.Labels, Hub: a.knockLink, Contact: a.exchange.Contact, Log: a.log,
	})
	a.assembled.Store(true)
	return nil
}

// What is read of the log of a container that failed on trial.
const (
	tailLines = 50
	tailBytes = 2 << 10
)

// hostFacts reads what a snapshot says of the machine. In a container, the name and the system are the machine's own.
func hostFacts(root, data string) func() protocol.Host {
	read := capture.HostFacts(data)
	if root == "" || root == "/" {
		return read
	}
	return func() protocol.Host {
		h, f := read(), knock.MachineFacts(root)
		h.Name, h.OS = f.Hostname, f.OS
		return h
	}
}

func stagingFolder(data string) string {
	if data == "" {
		return ""
	}
	return filepath.Join(data, "stacks")
}

// Platform is GOOS/GOARCH, with the version for arm.
func Platform() string {
	if runtime.GOARCH == "arm" {
		return runtime.GOOS + "/arm/v7"
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}

// facts are what the device says of itself when it knocks.
func (a *Agent) facts() protocol.Facts {
	f := a.cfg.Facts()
	f.Version, f.Capability, f.Mode = a.cfg.Version, protocol.Capability, a.cfg.Mode
	if latest := a.capture.Latest(); latest.OK && latest.Snapshot.Engine.State == protocol.EngineRunning {
		e := latest.Snapshot.Engine
		f.Engine = e.Kind + " " + e.Version
	}
	return f
}

// ID of the device.
func (a *Agent) ID() protocol.DeviceID { return a.state.Identity().ID }

// Run keeps the device as desired and in contact with its hub until ctx ends. Without an edge key it waits for one first.
func (a *Agent) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	part := func(name string, run func(context.Context) error) {
		g.Go(func() error {
			err := run(ctx)
			if err == nil || ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%s: %w", name, err)
		})
	}
	part("status", a.serveStatus)
	part("update", func(ctx context.Context) error {
		select {
		case <-a.switching:
			return ErrSwitch
		case <-ctx.Done():
			return nil
		}
	})
	part("edge key", func(ctx context.Context) error {
		if !a.assembled.Load() {
			if err := a.awaitKey(ctx, part); err != nil {
				return err
			}
		}
		part("capture", a.capture.Run)
		part("stacks", a.reconciler.Run)
		part("commands", a.commands.Run)
		part("jobs", a.jobs.Run)
		part("tunnel", a.tunnel.Run)
		part("spending", a.spending.Run)
		part("hub", a.stayWithHub)
		return nil
	})
	err := g.Wait()
	return errors.Join(err, a.Close())
}

// Close lets go of the data folder. It may be called twice, and is called by Run.
func (a *Agent) Close() error {
	var err error
	if a.knockLink != nil {
		err = a.knockLink.Close()
	}
	if a.spending != nil {
		err = errors.Join(err, a.spending.Close())
	}
	if a.ownState {
		err = errors.Join(err, a.state.Close())
	}
	return err
}
