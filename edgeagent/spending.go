package edgeagent

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/spending"
)

// assembleSpending makes what counts and bounds all that the agent's connections carry.
func (a *Agent) assembleSpending() {
	a.spending = spending.New(spending.Config{
		Store: a.state,
		Clock: func() (time.Time, bool) {
			if a.exchange == nil { // it is being made
				return time.Now(), false
			}
			return a.exchange.Clock().Now()
		},
		Connect: func() uint64 {
			if a.exchange == nil {
				return economy.ConnectCost + economy.HybridCost
			}
			return economy.Connect(a.exchange.Settings())
		},
		Log: a.log,
	})
}

// dial makes TCP connections. The MQTT ping is the keep-alive: TCP's own would cost 1.1 MB a day.
func (a *Agent) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if a.cfg.DialContext != nil {
		return a.cfg.DialContext(ctx, network, address)
	}
	return (&net.Dialer{KeepAlive: -1}).DialContext(ctx, network, address)
}

// metered puts what counts around connections, and what the agent was given inside of it.
func (a *Agent) metered(count func(net.Conn) net.Conn) func(net.Conn) net.Conn {
	return func(c net.Conn) net.Conn {
		if a.cfg.Wrap != nil {
			c = a.cfg.Wrap(c)
		}
		return count(c)
	}
}

// localUsage answers what the device has spent on its link.
func (a *Agent) localUsage(w http.ResponseWriter, _ *http.Request) {
	if !a.assembled.Load() {
		http.Error(w, ErrNoEdgeKey.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(a.spending.Report()); err != nil {
		a.log.Debug("answer was not read to the end", "error", err)
	}
}

// longestContact is for how long somebody at the device may open contact at a time.
const longestContact = 24 * time.Hour

// localContact opens contact outside of its times.
func (a *Agent) localContact(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	by, err := decider(r.Context(), q.Get("by"))
	if err == nil && !a.assembled.Load() {
		err = ErrNoEdgeKey
	}
	var long time.Duration
	if err == nil {
		if long, err = time.ParseDuration(q.Get("for")); err != nil || long < 0 || long > longestContact {
			err = fmt.Errorf("contact for %.20q: want a duration up to 24h, such as 5m; 0 ends it", q.Get("for"))
		}
	}
	if err == nil {
		err = a.spending.Local(time.Now().Add(long), by)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// AskUsage asks the agent that runs with the data folder what it has spent on its link. The error wraps ErrNotRunning
// where no agent answers.
func AskUsage(ctx context.Context, data string) (r spending.Report, err error) {
	body, err := askLocal(ctx, data, http.MethodGet, "/usage")
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	return r, refusal(err)
}

// OpenContact lets the agent that runs with the data folder be in contact for some time, whatever its windows say, but
// within its budget. by names who asks, if the caller is root. 0 ends what was opened so.
func OpenContact(ctx context.Context, data string, long time.Duration, by string) error {
	q := url.Values{"for": {long.String()}, "by": {by}}
	_, err := askLocal(ctx, data, http.MethodPost, "/contact?"+q.Encode())
	return refusal(err)
}
