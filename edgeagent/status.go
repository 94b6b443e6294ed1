package edgeagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/edgeagent/exchange"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/internal/localsocket"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom/knock"
)

// SocketName is the Unix socket in the data folder by which the agent is asked for its status, and told to knock. It
// can be reached by the owner of the folder alone.
const SocketName = "agent.sock"

// ErrNotRunning: no agent answers on the data folder's socket.
var ErrNotRunning = errors.New("no agent is running with this data folder")

// Status is how an agent stands, for a person at the box.
type Status struct {
	ID          protocol.DeviceID `json:"id"`
	PairingCode string            `json:"pairing_code"`
	// ApproveURL is the hub's page on which the device is approved. Empty: there is no edge key.
	ApproveURL string `json:"approve_url,omitempty"`
	// NoEdgeKey: the device has never been given an edge key, and what follows but for version, mode and start is
	// unknown. KeyPage is the address of the page on which it can be given one. Empty: it is closed.
	NoEdgeKey bool   `json:"no_edge_key,omitempty"`
	KeyPage   string `json:"key_page,omitempty"`

	Version     string                 `json:"version"`
	Mode        protocol.Mode          `json:"mode"`
	Hub         string                 `json:"hub"`
	Started     time.Time              `json:"started"`
	Approved    bool                   `json:"approved"`
	Waiting     *knock.Status          `json:"waiting,omitempty"`
	Session     exchange.Status        `json:"session"`
	Settings    protocol.Settings      `json:"settings"`
	ClockOffset time.Duration          `json:"clock_offset_ns"`
	Engine      protocol.Engine        `json:"engine"`
	Captured    time.Time              `json:"captured,omitzero"`
	Overdue     string                 `json:"overdue,omitempty"`
	Containers  int                    `json:"containers"`
	Stacks      []protocol.StackStatus `json:"stacks"`
	Update      *update.Status         `json:"update,omitempty"`
	// Spending says how far the device is through its budget. Nil: it has none.
	Spending    *spending.Report `json:"spending,omitempty"`
	OutboxItems int              `json:"outbox_items"`
	OutboxBytes int64            `json:"outbox_bytes"`
}

// Status tells how the agent stands.
func (a *Agent) Status() Status {
	if !a.assembled.Load() {
		s := Status{ID: a.ID(), PairingCode: a.code(), Version: a.cfg.Version, Mode: a.cfg.Mode, Started: a.started, NoEdgeKey: true}
		if page := a.page.Load(); page != nil {
			s.KeyPage = page.URL()
		}
		return s
	}
	latest := a.capture.Latest()
	items, size := a.state.Pending()
	s := Status{
		ID: a.ID(), PairingCode: a.code(), ApproveURL: approveURL(a.edgeKey.HTTPS, a.code()), Version: a.cfg.Version, Mode: a.cfg.Mode,
		Hub: a.edgeKey.HTTPS, Started: a.started, Approved: a.state.Approved(), Session: a.exchange.Status(),
		Settings: a.exchange.Settings(), ClockOffset: a.exchange.Clock().Offset(), Engine: latest.Snapshot.Engine,
		Captured: latest.At, Overdue: latest.Reason, Containers: len(latest.Snapshot.Containers),
		Stacks: a.state.Statuses(), OutboxItems: items, OutboxBytes: size,
	}
	if link := s.Settings.Link; link != nil && (link.Budget != nil || link.Contact != nil) {
		r := a.spending.Report()
		s.Spending = &r
	}
	if a.updater != nil {
		u := a.updater.Status()
		s.Update = &u
	}
	if !s.Approved {
		w := a.knocker.Status()
		s.Waiting = &w
	}
	return s
}

// approveURL is the page of a hub on which the device with the pairing code is approved.
func approveURL(hub, code string) string {
	return strings.TrimRight(hub, "/") + "/waiting?code=" + url.QueryEscape(code)
}

// serveStatus answers on the socket in the data folder. An agent without one has nobody to answer.
func (a *Agent) serveStatus(ctx context.Context) error {
	if a.cfg.Data == "" {
		return nil
	}
	mux := http.NewServeMux()
	tell := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(a.Status()); err != nil {
			a.log.Debug("status was not read to the end", "error", err)
		}
	}
	mux.HandleFunc("GET /status", tell)
	mux.HandleFunc("POST /knock", func(w http.ResponseWriter, r *http.Request) {
		if a.assembled.Load() && !a.state.Approved() {
			a.knocker.Now()
		}
		tell(w, r)
	})
	mux.HandleFunc("GET /log-level", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, program.LevelName(a.cfg.LogLevel))
	})
	mux.HandleFunc("PUT /log-level", func(w http.ResponseWriter, r *http.Request) {
		if err := program.SetLevel(a.cfg.LogLevel, r.URL.Query().Get("level")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, program.LevelName(a.cfg.LogLevel))
	})
	mux.HandleFunc("GET /usage", a.localUsage)
	mux.HandleFunc("GET /images", a.localImages)
	mux.HandleFunc("GET /jobs", a.localJobs)
	mux.HandleFunc("POST /contact", a.localContact)
	mux.HandleFunc("GET /stacks", a.localStacks)
	mux.HandleFunc("POST /stacks/{deed}", a.localDecision)
	mux.HandleFunc("POST /rollback", func(w http.ResponseWriter, _ *http.Request) {
		record, err := a.rollback()
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(record); err != nil {
			a.log.Debug("answer was not read to the end", "error", err)
		}
		_ = http.NewResponseController(w).Flush() // before the socket is closed
		a.switchOver()
	})
	return localsocket.Serve(ctx, filepath.Join(a.cfg.Data, SocketName), mux, a.log)
}

// AskStatus asks the agent that runs with the data folder how it stands. The error wraps ErrNotRunning where no agent
// answers.
func AskStatus(ctx context.Context, data string) (Status, error) {
	return ask(ctx, data, http.MethodGet, "/status")
}

// AskToKnock tells the agent that runs with the data folder to knock at once, which it does unless it is approved or
// has no edge key, and returns how it stood. The error wraps ErrNotRunning where no agent answers.
func AskToKnock(ctx context.Context, data string) (Status, error) {
	return ask(ctx, data, http.MethodPost, "/knock")
}

// AskLogLevel changes the level of the log of the agent that runs with the data folder, unless level is empty, and
// returns the one it has. The error wraps ErrNotRunning where no agent answers.
func AskLogLevel(ctx context.Context, data, level string) (string, error) {
	if level == "" {
		now, err := askLocal(ctx, data, http.MethodGet, "/log-level")
		return string(now), err
	}
	now, err := askLocal(ctx, data, http.MethodPut, "/log-level?level="+url.QueryEscape(level))
	return string(now), err
}

func ask(ctx context.Context, data, method, path string) (s Status, err error) {
	body, err := askLocal(ctx, data, method, path)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err
}

func askLocal(ctx context.Context, data, method, path string) ([]byte, error) {
	body, err := localsocket.Ask(ctx, filepath.Join(data, SocketName), method, path)
	if errors.Is(err, localsocket.ErrNobody) {
		err = fmt.Errorf("%w: %q: start it with `farshore-agent run`, or name its folder with --data", ErrNotRunning, data)
	}
	return body, err
}
