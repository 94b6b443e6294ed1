package compose

import "github.com/compose-spec/compose-go/v2/schema"

// Schema is the JSON schema of Compose files by which Load checks them.
func Schema() []byte { return []byte(schema.Schema) }
