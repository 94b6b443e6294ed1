package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farshore/farshore/hub/audit"
)

// Storage is how the hub's data folder does.
type Storage struct {
	// Bytes is the size of the database; Free what its disk still takes, and Disk what it takes in all. 0: unknown.
	Bytes, Free, Disk uint64
	// Writes is how many transactions were made durable, WriteTime how long that took in all.
	Writes    uint64
	WriteTime time.Duration
	// WritesWithin is how many took at most so long, each with all that were quicker.
	WritesWithin map[time.Duration]uint64
}

// meters count what happens while it does. They are safe for concurrent use.
type meters struct {
	requests     *prometheus.HistogramVec
	auditEntries *prometheus.CounterVec
	auditFailed  prometheus.Counter
}

func newMeters() *meters {
	return &meters{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "farshore_http_request_duration_seconds", Buckets: []float64{.01, .05, .25, 1, 5},
			Help: "How long requests of people and programs took, by route and status; streams of events are left out.",
		}, []string{"route", "code"}),
		auditEntries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "farshore_audit_entries_total", Help: "Entries of the audit trail by the API, by operation and result.",
		}, []string{"operation", "result"}),
		auditFailed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "farshore_audit_failures_total", Help: "Entries that could not be written into the audit trail.",
		}),
	}
}

// timed measures requests. A route is known by its pattern, so that there are as many as routes and not as addresses.
func (m *meters) timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), &seenWriter{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(seen, r)
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
			return
		}
		route := r.Pattern
		switch {
		case route == "/":
			route = "console"
		case !strings.Contains(route, " "):
			route = "none"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(seen.code)).Observe(time.Since(began).Seconds())
	})
}

// seenWriter remembers the status of an answer.
type seenWriter struct {
	http.ResponseWriter
	code int
	said bool
}

// WriteHeader implements http.ResponseWriter.
func (w *seenWriter) WriteHeader(code int) {
	if !w.said && code >= 200 {
		w.code, w.said = code, true
	}
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach what is below.
func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// countedTrail counts what is written into the audit trail, and what could not be.
type countedTrail struct {
	Trail
	meters *meters
}

// Record implements Trail.
func (t countedTrail) Record(e audit.Entry) error { return t.counted(e, t.Trail.Record(e)) }

// RecordStranger implements Trail.
func (t countedTrail) RecordStranger(e audit.Entry) error {
	return t.counted(e, t.Trail.RecordStranger(e))
}

func (t countedTrail) counted(e audit.Entry, err error) error {
	if err != nil {
		t.meters.auditFailed.Inc()
		return err
	}
	t.meters.auditEntries.WithLabelValues(e.Operation, e.Result).Inc()
	return nil
}

var (
	descReady     = prometheus.NewDesc("farshore_ready", "1 when the hub can do its work, as /readyz says; else 0.", nil, nil)
	descSize      = prometheus.NewDesc("farshore_store_size_bytes", "Size of the database.", nil, nil)
	descFree      = prometheus.NewDesc("farshore_store_disk_free_bytes", "What the database's disk still takes.", nil, nil)
	descDisk      = prometheus.NewDesc("farshore_store_disk_size_bytes", "What the database's disk takes in all.", nil, nil)
	descWriteTime = prometheus.NewDesc("farshore_store_write_duration_seconds", "How long the disk took to make a transaction durable.", nil, nil)
)

func (m *metrics) collectStorage(out chan<- prometheus.Metric) {
	ready := 1.0
	if m.s.Ready() != nil {
		ready = 0
	}
	out <- prometheus.MustNewConstMetric(descReady, prometheus.GaugeValue, ready)
	if m.s.Storage == nil {
		return
	}
	at := m.s.Storage()
	out <- prometheus.MustNewConstMetric(descSize, prometheus.GaugeValue, float64(at.Bytes))
	if at.Disk > 0 {
		out <- prometheus.MustNewConstMetric(descFree, prometheus.GaugeValue, float64(at.Free))
		out <- prometheus.MustNewConstMetric(descDisk, prometheus.GaugeValue, float64(at.Disk))
	}
	within := make(map[float64]uint64, len(at.WritesWithin))
	for limit, n := range at.WritesWithin {
		within[limit.Seconds()] = n
	}
	out <- prometheus.MustNewConstHistogram(descWriteTime, at.Writes, at.WriteTime.Seconds(), within)
}
