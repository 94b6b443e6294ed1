package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// healthz says that the process is alive.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "ok\n") // whoever has gone needs no answer
}

// readyz says whether the hub can do its work. The reason goes to the log: the page is open to all.
func (s *server) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := s.Ready(); err != nil {
		s.Log.Warn("not ready", "error", err)
		http.Error(w, "not ready: the hub's log says why", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}

func (s *server) metricsHandler(registry *prometheus.Registry) http.Handler {
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&metrics{s: s, ended: map[string]float64{}}, s.meters.requests, s.meters.auditEntries, s.meters.auditFailed)
	serve := promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.MetricsNeedSignIn {
			secret, _ := secretFrom(r.Header.Get("Authorization"), r.Header.Get("Cookie"))
			who, err := s.Accounts.Authenticate(secret)
			if err == nil {
				err = s.Accounts.Authorize(who, access.HubRead, access.Resource{})
			}
			if err != nil {
				status, _, _ := look(err)
				w.Header().Set("WWW-Authenticate", "Bearer")
				http.Error(w, s.sentence(err), status)
				return
			}
		}
		serve.ServeHTTP(w, r)
	})
}

// metrics counts what there is at the moment it is asked. It keeps a place in the stream of events.
type metrics struct {
	s *server

	mu    sync.Mutex
	after uint64             // guarded by mu: up to which event commands were counted
	ended map[string]float64 // guarded by mu: commands by the state in which they ended
}

var (
	descConnected = prometheus.NewDesc("farshore_devices_connected", "Devices that are connected now.", nil, nil)
	descDevices   = prometheus.NewDesc("farshore_devices", "Devices by liveness.", []string{"state"}, nil)
	descWaiting   = prometheus.NewDesc("farshore_waiting_devices", "Devices in the waiting room.", []string{"state"}, nil)
	descStacks    = prometheus.NewDesc("farshore_stack_devices", "Devices by the state of a stack on them, over all stacks.", []string{"state"}, nil)
	descUpdates   = prometheus.NewDesc("farshore_update_devices", "Devices of updates that are not over, by where they stand.", []string{"state"}, nil)
	descOpen      = prometheus.NewDesc("farshore_commands_open", "Commands that have not ended.", nil, nil)
	descEnded     = prometheus.NewDesc("farshore_commands_ended_total", "Commands that have ended, by how, since the oldest event that is kept.", []string{"state"}, nil)
	descBytes     = prometheus.NewDesc("farshore_link_bytes_total", "Bytes on the wire of device connections, TCP/IP included, since the hub started.", []string{"class", "direction"}, nil)
	descSpent     = prometheus.NewDesc("farshore_usage_bytes_total", "Bytes that devices have spent by their own counts and the hub's, entered since the hub started: images, and days away, too.", []string{"class", "direction"}, nil)
	descStages    = prometheus.NewDesc("farshore_spending_devices", "Devices by stage of spending.", []string{"stage"}, nil)
	descAlerts    = prometheus.NewDesc("farshore_usage_alerts", "Alerts about what devices spend that hold now, by kind.", []string{"kind"}, nil)
	descSkipped   = prometheus.NewDesc("farshore_messages_skipped_total", "Messages of a kind that this hub does not know.", nil, nil)
	descRefused   = prometheus.NewDesc("farshore_refused_total", "Connections and requests that were turned away at the ports, by why, since the hub started.", []string{"why"}, nil)
	descExpires   = prometheus.NewDesc("farshore_certificate_expires_timestamp_seconds", "When the certificate of console and API ends, in Unix seconds.", nil, nil)
	descBackup    = prometheus.NewDesc("farshore_backup_last_success_timestamp_seconds", "When the hub made a backup by its plan last, in Unix seconds; 0: never.", nil, nil)
	descNext      = prometheus.NewDesc("farshore_backup_next_timestamp_seconds", "When the next backup by the plan is due, in Unix seconds; 0: there is no plan.", nil, nil)
	descInfo      = prometheus.NewDesc("farshore_hub_info", "Always 1; the label has the version.", []string{"version"}, nil)
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descConnected, descDevices, descWaiting, descStacks, descOpen, descEnded, descBytes, descSkipped, descRefused, descExpires, descBackup, descNext, descInfo,
		descBacklog, descLost, descFailing,
		descReady, descSize, descFree, descDisk, descWriteTime,
		descUpdates, descSpent, descStages, descAlerts,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	gauge(descInfo, 1, m.s.Hub.Version)
	m.s.collectForwarding(out)
	m.collectStorage(out)
	gauge(descConnected, m.s.Sessions.Connected())
	out <- prometheus.MustNewConstMetric(descSkipped, prometheus.CounterValue, float64(m.s.Sessions.Skipped()))
	out <- prometheus.MustNewConstMetric(descExpires, prometheus.GaugeValue, float64(m.s.Certificates.Status().Until.Unix()))
	backups := m.s.Backups.State()
	out <- prometheus.MustNewConstMetric(descBackup, prometheus.GaugeValue, float64(backups.LastSuccess)/1000)
	out <- prometheus.MustNewConstMetric(descNext, prometheus.GaugeValue, float64(backups.Next)/1000)
	for why, n := range m.s.Protection.Refused() {
		out <- prometheus.MustNewConstMetric(descRefused, prometheus.CounterValue, float64(n), why)
	}
	open := m.collectDevices(out, gauge)
	gauge(descOpen, open)
	waiting := map[waitingroom.State]int{waitingroom.StateWaiting: 0, waitingroom.StateRejected: 0, waitingroom.StateBlocked: 0}
	for _, w := range m.s.Waiting.List() {
		waiting[w.State]++
	}
	for state, n := range waiting {
		gauge(descWaiting, n, string(state))
	}
	stacks := map[protocol.StackState]int{}
	for _, o := range m.s.Stacks.List() {
		for state, n := range o.States {
			stacks[state] += n
		}
	}
	for state, n := range stacks {
		gauge(descStacks, n, state.String())
	}
	for state, n := range updateStates(m.s.Updates.Counts()) {
		gauge(descUpdates, n, state)
	}
	for state, n := range m.commandsEnded() {
		out <- prometheus.MustNewConstMetric(descEnded, prometheus.CounterValue, n, state)
	}
}

// collectDevices gives what is counted device by device, and returns how many commands are open.
func (m *metrics) collectDevices(out chan<- prometheus.Metric, gauge func(*prometheus.Desc, int, ...string)) (open int) {
	now := time.Now()
	states := map[fleet.LivenessState]int{
		fleet.OnTime: 0, fleet.Late: 0, fleet.Overdue: 0, fleet.Quiet: 0, fleet.NeverSeen: 0, fleet.Revoked: 0,
	}
	spending := newSpendingCounts()
	for _, d := range m.s.Devices.Devices() {
		state := m.s.Devices.Liveness(d.ID, now).State
		states[state]++
		if state != fleet.Revoked {
			spending.add(m.s.Usage, d.ID)
		}
		open += m.s.Commands.Open(d.ID)
	}
	for state, n := range states {
		gauge(descDevices, n, string(state))
	}
	collectBytes(out, descBytes, m.s.Sessions.SpentByAll())
	collectBytes(out, descSpent, m.s.Usage.Total())
	for stage, n := range spending.stages {
		gauge(descStages, n, stage.String())
	}
	for kind, n := range spending.alerts {
		gauge(descAlerts, n, string(kind))
	}
	return open
}

func collectBytes(out chan<- prometheus.Metric, d *prometheus.Desc, counts meter.Counts) {
	for class, b := range counts {
		name := protocol.Class(class).String()
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(b.Up), name, "up")
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(b.Down), name, "down")
	}
}

// spendingCounts count devices by what they spend.
type spendingCounts struct {
	stages map[protocol.Spending]int
	alerts map[ledger.AlertKind]int
}

func newSpendingCounts() spendingCounts {
	return spendingCounts{
		stages: map[protocol.Spending]int{protocol.SpendingFree: 0, protocol.SpendingSaving: 0, protocol.SpendingLast: 0, protocol.SpendingSilent: 0},
		alerts: map[ledger.AlertKind]int{ledger.SoftCap: 0, ledger.HardCap: 0, ledger.Projected: 0, ledger.Unusual: 0},
	}
}

func (n *spendingCounts) add(u Usage, id protocol.DeviceID) {
	f, _ := u.Figures(id)
	n.stages[f.Stage]++
	for _, a := range f.Alerts {
		n.alerts[a.Kind]++
	}
}

// commandsEnded counts on from the last event that was counted.
func (m *metrics) commandsEnded() map[string]float64 {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // what is there, without waiting for more
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		batch, err := m.s.Events.Next(ctx, m.after)
		if err != nil {
			break
		}
		for _, e := range batch {
			m.after = e.ID
			if e.Kind == commands.KindEnded {
				m.ended[endState(e)]++
			}
		}
	}
	out := make(map[string]float64, len(m.ended))
	for state, n := range m.ended {
		out[state] = n
	}
	return out
}

func endState(e events.Event) string {
	raw, err := json.Marshal(e.Data)
	var data struct {
		State protocol.CommandState `json:"state"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &data)
	}
	if err != nil {
		return "unknown"
	}
	return data.State.String()
}
