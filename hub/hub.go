// Package hub assembles the server: it opens the store, makes the parts, tells them of each other, and runs them on
// two ports until it is stopped. What a part does is in its own package; no rule is here.
//
// The table of message handlers is in handlers.go, the adapters by which parts see each other in devices.go and
// fleetview.go, what follows a change of a device in changes.go, and how the parts run and stop in run.go.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/audit/forward"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/blobs"
	"github.com/farshore/farshore/hub/broker"
	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/deviceca"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/hub/orders"
	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/hub/tunnel"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/hub/variables"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/sealed"
	"github.com/farshore/farshore/snapshot/fold"
	"github.com/farshore/farshore/stacks/compose"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// Hub is the server with all its parts.
type Hub struct {
	cfg Config
	log *slog.Logger

	store      *store.Store
	identity   *identity.Identity
	audit      *audit.Log
	vault      *vault.Vault
	forward    *forward.Desk
	access     *access.Access
	events     *events.Bus
	timeline   *timeline.Timeline
	fleet      *fleet.Registry
	sets       *edgegroups.Desk
	planner    *planner.Planner
	jobs       *dispatch.Desk
	policies   *policy.Book
	book       *commands.Book
	releases   *releases.Shelf
	updates    *updates.Desk
	blobs      *blobs.Server
	fold       *fold.Fold
	told       *told
	ledger     *ledger.Ledger
	desk       *admission.Desk
	orders     *orders.Desk
	sessions   *session.Manager
	tunnels    *tunnel.Keeper
	broker     *broker.Broker
	changes    *changes
	door       *doorway.Door
	backups    *backup.Keeper
	sources    *gitsource.Desk
	variables  *variables.Book
	registries *registries.Book
	estimates  *estimates
	sealer     *sealed.Sealer

	gate        *gate.Gate
	certificate *certificate.Keeper
	deviceCA    *deviceca.Authority // nil: devices need no certificate

	public, mqtt net.Listener
	addresses    Addresses
	limits       limits
}

// New opens the data folder and both ports, so that what is in the way is said at once. It serves nobody before Run;
// a Hub that is not run must be closed.
func New(cfg Config) (*Hub, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	h := &Hub{cfg: cfg, log: cfg.Log, limits: limits{serving: StopTimeout - keepTime, all: StopTimeout}}
	if err := h.open(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Hub) open() (err error) {
	if err := h.checkRestored(); err != nil {
		return err
	}
	if h.store, err = store.Open(h.cfg.Data); err != nil {
		return err
	}
	if err := h.checkKeyFiles(); err != nil {
		return err
	}
	if h.identity, err = identity.Open(h.cfg.Data); err != nil {
		return err
	}
	if h.audit, err = audit.Open(audit.Config{
		Dir: filepath.Join(h.cfg.Data, audit.Folder), Key: h.identity.Key(), Store: h.store, Log: h.log,
		Needed: func() uint64 { return h.forward.Needed() },
	}); err != nil {
		return err
	}
	if h.vault, err = vault.Open(h.cfg.Data); err != nil {
		return err
	}
	if h.access, err = access.New(access.Config{Store: h.store, Vault: h.vault, Log: h.log}); err != nil {
		return err
	}
	if err := h.firstAdmin(); err != nil {
		return err
	}
	if err := h.listen(); err != nil {
		return err
	}
	if err := h.assemble(); err != nil {
		return err
	}
	h.catchUp()
	h.orphanSources()
	return h.tellRestored()
}

// firstAdmin sets the administrator's password from the file, where one is given.
func (h *Hub) firstAdmin() error {
	if h.cfg.AdminPasswordFile == "" {
		return nil
	}
	raw, err := os.ReadFile(h.cfg.AdminPasswordFile)
	if err != nil {
		return fmt.Errorf("read the administrator's password: %w", err)
	}
	if err := h.access.SetAdmin(h.cfg.AdminName, strings.TrimRight(string(raw), "\r\n")); err != nil {
		return fmt.Errorf("administrator's password from %q: %w", h.cfg.AdminPasswordFile, err)
	}
	return nil
}

func (h *Hub) listen() (err error) {
	open := h.cfg.ListenFunc
	if open == nil {
		open = func(address string) (net.Listener, error) { return doorway.Listen(context.Background(), address) }
	}
	if h.public, err = open(h.cfg.Listen); err != nil {
		return fmt.Errorf("public port (--listen): %w", err)
	}
	h.addresses = Addresses{Public: h.public.Addr(), URL: h.cfg.PublicURL}
	if h.addresses.URL == "" {
		h.addresses.URL = "https://" + publicHost(h.public.Addr())
	}
	if h.cfg.MQTTListen == "off" {
		return nil
	}
	if h.mqtt, err = open(h.cfg.MQTTListen); err != nil {
		return fmt.Errorf("MQTT port (--mqtt-listen): %w", err)
	}
	h.addresses.MQTT, h.addresses.MQTTURL = h.mqtt.Addr(), h.cfg.PublicMQTTURL
	if h.addresses.MQTTURL == "" {
		h.addresses.MQTTURL = "mqtts://" + publicHost(h.mqtt.Addr())
	}
	return nil
}

// assemble makes the parts and tells them of each other.
func (h *Hub) assemble() (err error) {
	h.told = newTold() // parts may tell of what they found when they are opened
	if h.events, err = events.New(events.Config{Store: h.store, Log: h.log}); err != nil {
		return err
	}
	if err := h.protect(h.vault); err != nil {
		return err
	}
	h.forward, err = forward.New(forward.Config{
		Trail: h.audit, Store: h.store, Vault: h.vault, Log: h.log,
		Notice: func(kind, text string) { h.events.Publish(events.Event{Kind: kind, Text: text}) },
	})
	if err != nil {
		return err
	}
	h.timeline = timeline.New(timeline.Config{
		Store: h.store,
		Known: func(id protocol.DeviceID) bool { _, ok := h.fleet.Device(id); return ok },
		Log:   h.log,
	})
	h.changes = newChanges()
	h.fleet, err = fleet.New(fleet.Config{
		Store:   h.store,
		Log:     h.log,
		Changed: h.changes.add,
		Tables:  h.tableNotice,
		Online: func(id protocol.DeviceID) (protocol.Carrier, bool) {
			if h.sessions == nil { // asked while the hub is being assembled
				return "", false
			}
			return h.sessions.Online(id)
		},
	})
	if err != nil {
		return err
	}
	if h.policies, err = policy.New(h.store); err != nil {
		return err
	}
	if err := h.openSecrets(); err != nil {
		return err
	}
	if err := h.access.Settle(h.grounds()); err != nil {
		return err
	}
	if err := h.openEdgeGroups(); err != nil {
		return err
	}
	h.planner, err = planner.New(planner.Config{
		Store:    h.store,
		Fleet:    newFleetView(h.fleet, h.sets),
		Vault:    h.vault,
		Log:      h.log,
		Validate: compose.Validate,
		Allows:   h.policies.Allows,
		Notify:   h.notify,
		Events:   h.stackNotice,

		Variables: h.variablesOf, Seal: deviceSealer{h.fleet, h.sealer}, Credentials: h.registries.For,
		Accepted: acceptedSets{store: h.store, vault: h.vault}.AcceptedSet,
		Beside:   func(id protocol.DeviceID) []protocol.Entry { return h.jobs.Desired(id) },
	})
	if err != nil {
		return err
	}
	if err := h.openJobs(); err != nil {
		return err
	}
	if err := h.openSources(); err != nil {
		return err
	}
	h.book, err = commands.New(commands.Config{
		Store:   h.store,
		Accepts: h.acceptsCommands,
		Notify:  h.notify,
		Events:  h.commandNotice,
		Log:     h.log,
	})
	if err != nil {
		return err
	}
	if err := h.openUpdates(); err != nil {
		return err
	}
	pieces := pieces{h.store, h.planner, h.jobs, h.releases, h.updates}
	h.blobs = blobs.New(blobs.Config{
		Store:  pieces,
		Access: pieces,
		Chunk:  func(id protocol.DeviceID) uint32 { return h.settings(id).Chunk },
		Log:    h.log,
	})
	if err := h.openLedger(); err != nil {
		return err
	}
	h.fold = fold.New(fold.Config{Store: h.store, Log: h.log})
	h.estimates = newEstimates(h)
	h.desk, err = admission.New(admission.Config{
		Store:   h.store,
		Vault:   h.vault,
		Devices: admissionDevices{h.fleet, h.grounds()},
		Hub:     waitingroom.EdgeKey{HTTPS: h.addresses.URL, MQTT: h.addresses.MQTTURL, HubKey: h.identity.Public()},
		Notify:  h.waitingNote,
		Log:     h.log,
	})
	if err != nil {
		return err
	}
	restored, err := h.store.Restored()
	if err != nil {
		return err
	}
	if err := h.openTunnels(); err != nil {
		return err
	}
	h.orders = orders.New(orders.Config{
		Key:     h.identity.Key(),
		Epoch:   restored.Epoch,
		Sources: sources{fleet: h.fleet, planner: h.planner, jobs: h.jobs, book: h.book, tunnels: h.tunnels},
		Store:   acceptedSets{h.store, h.vault, h.planner},
		Log:     h.log,
	})
	h.sessions = session.New(session.Config{
		Codec:    protocol.NewCodec(),
		Devices:  sessionDevices{h.fleet, h.planner, h.told, h.superseded(restored.Epoch)},
		Orders:   h.orders,
		Handlers: h.handlers(),
		Snapshot: h.snapshotHash,
		Fleet:    h.fleet.Size,
		Event:    h.deviceNote,
		Came:     h.timeline.Came,
		Went:     h.timeline.Went,
		Version:  h.cfg.Version,
		Log:      h.log,
	})
	h.backups, err = backup.New(backup.Config{
		Source: h.backupSource(), Store: h.store, Vault: h.vault, Done: h.backupDone, Log: h.log,
	})
	if err != nil {
		return err
	}
	h.door = doorway.New(doorway.Config{})
	h.broker, err = broker.New(broker.Config{
		Sessions: h.sessions, TLS: h.identity.MQTTTLSConfig(h.extras()), Gate: h.gate, Door: h.door, Log: h.log,
	})
	return err
}

// Services are the parts by which people and programs work with a hub.
type Services struct {
	Access      *access.Access
	Audit       *audit.Log
	Events      *events.Bus
	Timeline    *timeline.Timeline
	Fleet       *fleet.Registry
	EdgeGroups  *edgegroups.Desk
	Planner     *planner.Planner
	Jobs        *dispatch.Desk
	Commands    *commands.Book
	Releases    *releases.Shelf
	Updates     *updates.Desk
	Snapshots   *fold.Fold
	Waiting     *admission.Desk
	Sessions    *session.Manager
	Tunnels     *tunnel.Keeper
	Gate        *gate.Gate
	Certificate *certificate.Keeper
	Backups     *backup.Keeper
	Sources     *gitsource.Desk
	Variables   *variables.Book
	Registries  *registries.Book
	Ledger      *ledger.Ledger
	Addresses   Addresses
	// API is the configuration of the hub's API, without a console and always ready.
	API api.Config
}

// Services returns the parts of a hub that was not closed.
func (h *Hub) Services() Services {
	return Services{
		Access: h.access, Audit: h.audit, Events: h.events, Timeline: h.timeline, Fleet: h.fleet, EdgeGroups: h.sets, Planner: h.planner, Jobs: h.jobs, Commands: h.book,
		Snapshots: h.fold, Waiting: h.desk, Sessions: h.sessions, Tunnels: h.tunnels, Gate: h.gate, Certificate: h.certificate, Backups: h.backups, Sources: h.sources, Addresses: h.addresses,
		Releases: h.releases, Updates: h.updates, Variables: h.variables, Registries: h.registries, Ledger: h.ledger,
		API: h.api(),
	}
}

// Close lets go of the data folder and the ports. It may be called twice, and is called by Run.
func (h *Hub) Close() error {
	var errs []error
	for _, l := range []net.Listener{h.public, h.mqtt} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if h.audit != nil {
		errs = append(errs, h.audit.Close())
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	return errors.Join(errs...)
}

// adminLink makes a one-time link that lets its bearer make the first administrator.
func (h *Hub) adminLink() string {
	return h.addresses.URL + "/first-start#" + h.access.AdminLink()
}

// record writes what the hub itself did into the audit trail.
func (h *Hub) record(operation, detail string) {
	err := h.audit.Record(audit.Entry{
		Principal: access.System().String(), Operation: operation, Result: audit.ResultDone, Detail: detail,
	})
	if err != nil {
		h.log.Error("write audit trail", "error", err)
	}
}
