// Package api is how people and programs work with a hub: REST resources below /api/v1, described by the document at
// /api/openapi.json, the stream of events, and the pages by which a hub is watched: /healthz, /readyz, /metrics.
//
// It owns the outward form of the API: who is asking, whether access.Authorize lets them, the audit record of each
// change, and what an error looks like. Each route is declared once, in a table entry (see route), and cannot be
// declared without the operation and the resource that are asked of access.Authorize. It never decides about devices,
// stacks or commands: that is done by the parts, which it sees through the small interfaces in parts.go.
//
// The handler works below any path prefix: it makes no absolute links and no redirects. It is safe for concurrent use
// and starts nothing; streams of events end with the request's context.
package api

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/farshore/farshore/deploy"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

// Base is the path of the API below the hub's address.
const Base = "/api/v1"

// writeTimeout is how long writing one answer, or one event of a stream, may take.
const writeTimeout = 2 * time.Minute

// Config of the API. What has no comment is required.
type Config struct {
	Accounts Accounts
	Tokens   Tokens
	People   People
	Audit    Trail
	Trail    TrailReader
	// Destinations are where the trail is forwarded to.
	Destinations Destinations
	Events       Events
	Devices      Devices
	Changes      DeviceChanges
	Groups       Groups
	Profiles     Profiles
	Links        Links
	EdgeGroups   EdgeGroups
	Stacks       Stacks
	StackDesk    StackDesk
	Jobs         Jobs
	Tunnels      Tunnels
	Commands     Commands
	Snapshots    Snapshots
	Waiting      WaitingRoom
	Keys         Keys
	Sessions     Sessions
	Timeline     Timeline
	Views        Views
	Backups      Backups
	Policies     Policies
	Variables    Variables
	Registries   Registries
	Releases     Releases
	Updates      Updates
	Estimates    Estimates
	Sources      Sources
	Usage        Usage
	// Protection of the ports, and Certificates of browsers and the CLI.
	Protection   Protection
	Certificates Certificates

	// Hub is what clients are told of the hub.
	Hub resource.Hub
	// AgentImage is the image that commands name which start an agent in a container. "": that of the hub's version.
	AgentImage string
	// Overdue tells what a device said of a capture that is late. Nil: no device says so.
	Overdue func(protocol.DeviceID) (protocol.Overdue, bool)
	// Ready says why the hub cannot do its work now. Nil: it always can.
	Ready func() error
	// MetricsNeedSignIn makes /metrics ask for the right hub.read. False: it is open. It has counts and no names.
	MetricsNeedSignIn bool
	// Storage tells how the hub's data folder does, for /metrics. Nil: it is not told.
	Storage func() Storage
	// Hooks serve webhooks, below gitsource.HookPath. Nil: nothing is there.
	Hooks http.Handler
	// Console serves what is neither API nor watching. Nil: nothing is there.
	Console http.Handler
	Log     *slog.Logger
	// LogLevel is the level of the hub's log. Nil: what is set has no effect.
	LogLevel *slog.LevelVar
}

// server is the API with its parts. All fields are immutable after New but those of the types that say otherwise.
type server struct {
	Config
	api      huma.API
	lore     *lore
	edits    *edits
	readings *readings
	bounced  *readings // of strangers, so that they cannot make the hub forget readings
	meters   *meters
	streams  *places       // a place for each stream of events
	uploads  chan struct{} // a place for each large body that is being taken in
	sums     chan struct{} // a place for each sum of what many devices have spent
}

// Bounds of what is held at once for those who are signed in.
const (
	maxStreams     = 256
	maxStreamsEach = 32 // of one account
	maxUploads     = 3
)

// New returns the handler of the API, the pages to watch the hub, and the console behind them.
func New(c Config) (http.Handler, error) {
	s, err := newServer(c)
	if err != nil {
		return nil, err
	}
	return s.handler(), nil
}

func newServer(c Config) (*server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.LogLevel == nil {
		c.LogLevel = new(slog.LevelVar)
	}
	if c.Console == nil {
		c.Console = http.NotFoundHandler()
	}
	if c.Hooks == nil {
		c.Hooks = http.NotFoundHandler()
	}
	if c.Overdue == nil {
		c.Overdue = func(protocol.DeviceID) (protocol.Overdue, bool) { return protocol.Overdue{}, false }
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	c.Hub.Version = cmp.Or(c.Hub.Version, "dev")
	c.AgentImage = cmp.Or(c.AgentImage, deploy.Image(c.Hub.Version))
	meters := newMeters()
	c.Audit = countedTrail{c.Audit, meters}
	return &server{
		meters: meters,
		Config: c, lore: newLore(maxLore), edits: newEdits(), readings: newReadings(readAgain), bounced: newReadings(bounceAgain),
		streams: newPlaces(), uploads: make(chan struct{}, maxUploads), sums: make(chan struct{}, 1),
	}, nil
}

func (c *Config) check() error {
	for _, part := range []any{
		c.Accounts, c.Tokens, c.People, c.Audit, c.Trail, c.Destinations, c.Events, c.Devices, c.Changes, c.Groups, c.Profiles, c.Links, c.EdgeGroups, c.Stacks, c.StackDesk,
		c.Jobs, c.Tunnels, c.Commands, c.Snapshots, c.Waiting, c.Keys, c.Sessions, c.Timeline, c.Views, c.Backups, c.Policies, c.Protection, c.Certificates,
		c.Releases, c.Updates, c.Estimates, c.Sources, c.Variables, c.Registries, c.Usage,
	} {
		if part == nil {
			return errors.New("api: a part is missing in its Config")
		}
	}
	return nil
}

// handler puts the API beside the pages to watch the hub and the console.
func (s *server) handler() http.Handler {
	api := http.NewServeMux()
	s.api = humago.New(api, s.document())
	s.api.UseMiddleware(s.authenticate)
	s.routes()
	api.HandleFunc("/api/", s.noSuchRoute)

	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.metricsHandler(prometheus.NewRegistry()))
	mux.Handle(gitsource.HookPath, s.Hooks)
	mux.Handle("/", s.Console)
	timed := s.meters.timed(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			h.Set("Cache-Control", "no-store")
		}
		// A test recorder has no deadlines; a connection without them is not stopped here.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
		timed.ServeHTTP(w, r)
	})
}

// document is the frame of the OpenAPI document. The routes fill it.
func (s *server) document() huma.Config {
	c := huma.DefaultConfig("Farshore", "1")
	c.Info.Description = about
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.OpenAPIPath = "/api/openapi"
	c.DocsPath, c.SchemasPath = "", "" // what they serve loads scripts from elsewhere, and would not work below a prefix
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{explain}
	c.Servers = []*huma.Server{{URL: "..", Description: "The hub that gave you this document"}}
	c.RejectUnknownQueryParameters = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "An API token (fst_…) or the token of a session (fss_…)"},
		"cookie": {Type: "apiKey", In: "cookie", Name: cookieName, Description: "The session of a browser"},
	}
	return c
}

// schemaName keeps what devices send, and what is said of jobs, apart from the API's own types of the same name.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.PkgPath() {
	case reflect.TypeFor[protocol.Snapshot]().PkgPath():
		return "Protocol" + name
	case reflect.TypeFor[dispatch.Row]().PkgPath():
		return "Job" + name
	}
	return name
}

const about = "The API of a Farshore hub: a fleet of devices far away, their snapshots, stacks and commands.\n\n" +
	"Sign in at session, or make an API token, and send it as `Authorization: Bearer …`. Browsers have a cookie " +
	"instead, and send the header `X-Farshore: 1` with whatever changes something. Errors are problems as in RFC 9457: " +
	"`detail` says what happened, to which thing, and what to do; `code` is a stable word. Where a device is asked " +
	"for, its id, its name, or the beginning of either will do."

func (s *server) routes() {
	s.sessionRoutes()
	s.viewRoutes()
	s.tokenRoutes()
	s.accountRoutes()
	s.userRoutes()
	s.teamRoutes()
	s.grantRoutes()
	s.keyRoutes()
	s.waitingRoutes()
	s.deviceRoutes()
	s.fleetRoutes()
	s.snapshotRoutes()
	s.timelineRoutes()
	s.usageRoutes()
	s.stackRoutes()
	s.previewRoutes()
	s.estimateRoutes()
	s.sourceRoutes()
	s.schemaRoutes()
	s.jobRoutes()
	s.jobRunRoutes()
	s.scriptRoutes()
	s.tunnelRoutes()
	s.commandRoutes()
	s.releaseRoutes()
	s.updateRoutes()
	s.groupRoutes()
	s.profileRoutes()
	s.profilePreviewRoutes()
	s.passesRoutes()
	s.contactRoutes()
	s.edgeGroupRoutes()
	s.policyRoutes()
	s.variableRoutes()
	s.registryRoutes()
	s.auditRoutes()
	s.protectionRoutes()
	s.auditSettingsRoutes()
	s.destinationRoutes()
	s.eventRoutes()
	s.logRoutes()
	s.backupRoutes()
}
