package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit/forward"
)

// Destinations are where the audit trail is forwarded to; *forward.Desk is one.
type Destinations interface {
	States() []forward.State
	Put(forward.Change) (forward.State, error)
	Remove(name string) error
	Test(ctx context.Context, name string) error
}

// DestinationRef names a destination. It is exported because only exported fields are filled.
type DestinationRef struct {
	Destination string `path:"destination" doc:"Its name"`
}

type putDestinationInput struct {
	DestinationRef
	Expect
	Body resource.PutAuditDestination
}

func onDestination(name string) (access.Resource, error) {
	return access.Resource{Kind: "destination", ID: name}, nil
}

func (s *server) destinationRoutes() {
	const tag = "Audit"
	add(s, route[struct{}, reply[resource.List[resource.AuditDestination]]]{
		Method: http.MethodGet, Path: "/audit/destinations", ID: "list-destinations", Tag: tag,
		Summary: "List where the audit trail is forwarded to, and how that stands",
		Does:    access.AuditRead, On: onHub[struct{}],
		Run: func(context.Context, *call, *struct{}) (*reply[resource.List[resource.AuditDestination]], error) {
			return list(s.Destinations.States(), destination), nil
		},
	})
	add(s, route[putDestinationInput, reply[resource.AuditDestination]]{
		Method: http.MethodPut, Path: "/audit/destinations/{destination}", ID: "put-destination", Tag: tag,
		Summary: "Forward the audit trail to a receiver, or change how",
		Description: "By syslog (RFC 5424, octet counting) to tls:// or tcp://, or by POST of JSON lines to https://. Each entry arrives " +
			"at least once, by its number; nothing is lost while the receiver is down. A webhook's secret signs each request " +
			"(X-Farshore-Signature: sha256= HMAC-SHA256 of X-Farshore-Timestamp, a dot, and the body), or is sent in the header that you name.",
		Does: access.HubChange, On: func(_ *call, in *putDestinationInput) (access.Resource, error) { return onDestination(in.Destination) },
		Run: s.putDestination,
	})
	add(s, route[DestinationRef, none]{
		Method: http.MethodDelete, Path: "/audit/destinations/{destination}", ID: "remove-destination", Tag: tag, Status: http.StatusNoContent,
		Summary: "Forward the audit trail there no longer",
		Does:    access.HubChange, On: func(_ *call, in *DestinationRef) (access.Resource, error) { return onDestination(in.Destination) },
		Run: func(_ context.Context, _ *call, in *DestinationRef) (*none, error) {
			return nil, s.Destinations.Remove(in.Destination)
		},
	})
	add(s, route[DestinationRef, reply[resource.AuditTest]]{
		Method: http.MethodPost, Path: "/audit/destinations/{destination}/test", ID: "test-destination", Tag: tag,
		Summary: "Send a message that says that it is a test",
		Does:    access.HubChange, On: func(_ *call, in *DestinationRef) (access.Resource, error) { return onDestination(in.Destination) },
		Records: "audit.test",
		Run: func(ctx context.Context, _ *call, in *DestinationRef) (*reply[resource.AuditTest], error) {
			err := s.Destinations.Test(ctx, in.Destination)
			if err == nil {
				return replyWith(resource.AuditTest{OK: true, Text: "the receiver has taken the test"}), nil
			}
			if _, _, known := look(err); known {
				return nil, err
			}
			return replyWith(resource.AuditTest{Text: err.Error()}), nil
		},
	})
}

func (s *server) putDestination(_ context.Context, c *call, in *putDestinationInput) (*reply[resource.AuditDestination], error) {
	b, want := in.Body, s.expect(in.Expect, c.on)
	if u, err := url.Parse(b.URL); err == nil {
		c.detail = "to " + u.Scheme + "://" + u.Host
	}
	state, err := s.Destinations.Put(forward.Change{
		Destination: forward.Destination{Name: in.Destination, URL: b.URL, ServerName: b.ServerName, CA: b.CA, Pin: b.Pin, Header: b.Header},
		Secret:      b.Secret, FromNow: b.FromNow,
		Expect: func(now *forward.Destination) error { return want.meets(destinationEtag(now)) },
	})
	if err != nil {
		return nil, err
	}
	return replyWith(destination(state)), nil
}

func destinationEtag(d *forward.Destination) string {
	if d == nil {
		return ""
	}
	return etagOf(d)
}

func destination(s forward.State) resource.AuditDestination {
	d := s.Destination
	kind := "syslog"
	if u, err := url.Parse(d.URL); err == nil && u.Scheme == "https" {
		kind = "webhook"
	}
	return resource.AuditDestination{
		Name: d.Name, Kind: kind, URL: d.URL, ServerName: d.ServerName, CA: d.CA, Pin: d.Pin, Header: d.Header, HasSecret: len(d.Sealed) > 0,
		Sent: s.Sent, SentAt: s.SentAt.UTC(), Arrived: s.Progress.Seq, Backlog: s.Backlog, Lost: s.Progress.Lost, Problem: s.Problem,
		FailingSince: s.FailingSince.UTC(), Etag: destinationEtag(&d),
	}
}

var (
	descBacklog = prometheus.NewDesc("farshore_audit_forward_backlog", "Entries of the audit trail that are still to be sent to a destination.", []string{"destination"}, nil)
	descLost    = prometheus.NewDesc("farshore_audit_forward_lost_total", "Entries of the audit trail that were removed before they could be sent to a destination.", []string{"destination"}, nil)
	descFailing = prometheus.NewDesc("farshore_audit_forward_failing", "1 while a destination of the audit trail cannot be reached.", []string{"destination"}, nil)
)

// collectForwarding tells how forwarding stands.
func (s *server) collectForwarding(out chan<- prometheus.Metric) {
	for _, d := range s.Destinations.States() {
		failing := 0.0
		if d.Problem != "" {
			failing = 1
		}
		out <- prometheus.MustNewConstMetric(descBacklog, prometheus.GaugeValue, float64(d.Backlog), d.Destination.Name)
		out <- prometheus.MustNewConstMetric(descLost, prometheus.CounterValue, float64(d.Progress.Lost), d.Destination.Name)
		out <- prometheus.MustNewConstMetric(descFailing, prometheus.GaugeValue, failing, d.Destination.Name)
	}
}
