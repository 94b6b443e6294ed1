package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/stacks/compose"
)

type schemaInput struct {
	IfNoneMatch string `header:"If-None-Match" doc:"ETag of the schema that the caller has"`
}

type schemaOutput struct {
	Status       int
	ContentType  string `header:"Content-Type"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (s *server) schemaRoutes() {
	schema := compose.Schema()
	sum := sha256.Sum256(schema)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	add(s, route[schemaInput, schemaOutput]{
		Method: http.MethodGet, Path: "/schemas/compose", ID: "compose-schema", Tag: "Stacks",
		Summary: "Get the JSON schema by which the hub checks Compose files",
		Does:    access.StacksRead, On: onAny[schemaInput]("stack"), Streams: "application/schema+json",
		Run: func(_ context.Context, _ *call, in *schemaInput) (*schemaOutput, error) {
			// The next release may bring another; until then it stays.
			out := &schemaOutput{Status: http.StatusOK, ContentType: "application/schema+json", ETag: etag, CacheControl: "private, max-age=3600"}
			if strings.Contains(in.IfNoneMatch, etag) {
				out.Status = http.StatusNotModified
				return out, nil
			}
			out.Body = schema
			return out, nil
		},
	})
}
