package api

import (
	"encoding/json"
	"log/slog"
	"net/http"
)

// Document returns the OpenAPI 3.1 document of the API as JSON, the same that a hub serves at /api/openapi.json. Clients
// are generated from it.
func Document() ([]byte, error) {
	s := &server{meters: newMeters(), Config: Config{Console: http.NotFoundHandler(), Hooks: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)}}
	s.handler()
	return json.MarshalIndent(s.api.OpenAPI(), "", "  ")
}
