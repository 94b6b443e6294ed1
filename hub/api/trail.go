package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
)

type auditInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"10000" default:"100"`
}

func (s *server) auditRoutes() {
	add(s, route[auditInput, reply[resource.List[resource.Audit]]]{
		Method: http.MethodGet, Path: "/audit", ID: "list-audit", Tag: "Audit", Summary: "See the end of the audit trail, the latest first",
		Does: access.AuditRead, On: onHub[auditInput],
		Run: func(_ context.Context, _ *call, in *auditInput) (*reply[resource.List[resource.Audit]], error) {
			if s.AuditFile == "" {
				return nil, fmt.Errorf("audit trail: %w: this hub keeps it elsewhere", errNotFound)
			}
			entries, err := tail(s.AuditFile, in.Limit)
			return list(entries, func(e audit.Entry) resource.Audit { return resource.Audit(e) }), err
		},
	})
}

// tailBlock is how much of the file is read at a time, from its end.
const tailBlock = 64 << 10

// tail reads the last entries of the audit trail, the latest first. A line that cannot be read, as power failures
// leave them, is left out.
func tail(path string, limit int) ([]audit.Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read audit trail: %w", err)
	}
	defer f.Close() // only read
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("read audit trail: %w", err)
	}
	var out []audit.Entry
	var rest []byte // the beginning of what was read: maybe the end of a line
	for end > 0 && len(out) < limit {
		from := max(end-tailBlock, 0)
		block := make([]byte, end-from)
		if _, err := f.ReadAt(block, from); err != nil {
			return nil, fmt.Errorf("read audit trail: %w", err)
		}
		lines := bytes.Split(append(block, rest...), []byte{'\n'})
		end, rest = from, lines[0]
		if from > 0 {
			lines = lines[1:]
		}
		for _, line := range slices.Backward(lines) {
			var e audit.Entry
			if len(out) < limit && len(line) > 0 && json.Unmarshal(line, &e) == nil {
				out = append(out, e)
			}
		}
	}
	return out, nil
}
