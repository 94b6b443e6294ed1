package edgeagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/farshore/farshore/edgeagent/exchange"
	"github.com/farshore/farshore/internal/localsocket"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/knock"
)

// SocketName is the Unix socket in the data folder by which the agent is asked for its status, and told to knock. It
// can be reached by the owner of the folder alone.
const SocketName = "agent.sock"

// ErrNotRunning: no agent answers on the data folder's socket.
var ErrNotRunning = errors.New("no agent is running with this data folder")

// Status is how an agent stands, for a person at the box.
type Status struct {
	ID          protocol.DeviceID      `json:"id"`
	PairingCode string                 `json:"pairing_code"`
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
	OutboxItems int                    `json:"outbox_items"`
	OutboxBytes int64                  `json:"outbox_bytes"`
}

// Status tells how the agent stands.
func (a *Agent) Status() Status {
	latest := a.capture.Latest()
	items, size := a.state.Pending()
	s := Status{
		ID: a.ID(), PairingCode: waitingroom.PairingCode(a.publicKey()), Version: a.cfg.Version, Mode: a.cfg.Mode,
		Hub: a.edgeKey.HTTPS, Started: a.started, Approved: a.state.Approved(), Session: a.exchange.Status(),
		Settings: a.exchange.Settings(), ClockOffset: a.exchange.Clock().Offset(), Engine: latest.Snapshot.Engine,
		Captured: latest.At, Overdue: latest.Reason, Containers: len(latest.Snapshot.Containers),
		Stacks: a.state.Statuses(), OutboxItems: items, OutboxBytes: size,
	}
	if !s.Approved {
		w := a.knocker.Status()
		s.Waiting = &w
	}
	return s
}

// serveStatus answers on the socket in the data folder. An agent without one has nobody to answer.
func (a *Agent) serveStatus(ctx context.Context) error {
	if a.cfg.Data == "" {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(a.Status()); err != nil {
			a.log.Debug("status was not read to the end", "error", err)
		}
	})
	mux.HandleFunc("POST /knock", func(w http.ResponseWriter, _ *http.Request) {
		a.knocker.Now()
		w.WriteHeader(http.StatusNoContent)
	})
	return localsocket.Serve(ctx, filepath.Join(a.cfg.Data, SocketName), mux, a.log)
}

// AskStatus asks the agent that runs with the data folder how it stands. The error wraps ErrNotRunning where no agent
// answers.
func AskStatus(ctx context.Context, data string) (s Status, err error) {
	body, err := ask(ctx, data, http.MethodGet, "/status")
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	return s, err
}

// AskToKnock tells the agent that runs with the data folder to knock at once. The error wraps ErrNotRunning where no
// agent answers.
func AskToKnock(ctx context.Context, data string) error {
	_, err := ask(ctx, data, http.MethodPost, "/knock")
	return err
}

func ask(ctx context.Context, data, method, path string) ([]byte, error) {
	body, err := localsocket.Ask(ctx, filepath.Join(data, SocketName), method, path)
	if errors.Is(err, localsocket.ErrNobody) {
		err = fmt.Errorf("%w: %q: start it with `farshore-agent run`, or name its folder with --data", ErrNotRunning, data)
	}
	return body, err
}
