package store

import (
	"testing"

	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/audit/forward"
)

func TestStoredTrailIsReadForEver(t *testing.T) {
	golden(t, trailAt("head"), "audit-checkpoint", audit.Checkpoint{
		Seq: 7, Hash: "84dbe63d36a705649b35ff7dd17e27af939b20dcc028ca7094c305046571babe", At: "2026-11-22T14:16:50Z", Key: []byte{1, 2}, Sig: []byte{3, 4},
	})
	golden(t, trailAt("retention"), "audit-retention", audit.Retention{Days: 400, Bytes: 1 << 30})
	golden(t, destinationAt("siem"), "audit-destination", forward.Destination{
		Name: "siem", URL: "tls://log.example:6514", ServerName: "log", CA: "pem", Pin: "SHA256:x", Header: "X-Key", Sealed: []byte("sealed"),
	})
	golden(t, progressAt("siem"), "audit-progress", forward.Progress{Seq: 7, Lost: 2})
}
