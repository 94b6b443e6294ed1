package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
)

// TrailReader is the audit trail to look at, and how much of it is kept; *audit.Log is one.
type TrailReader interface {
	Page(context.Context, audit.Query) (audit.Page, error)
	Export(context.Context, audit.Filter, func(audit.Line, []byte) error) error
	Verify(context.Context) (audit.Report, error)
	Usage() audit.Usage
	HubKey() string
	Retention() audit.Retention
	SetRetention(audit.Retention) error
}

// AuditFilter says which entries fit. It is exported because only exported fields are filled.
type AuditFilter struct {
	Principal  string `query:"principal" doc:"Who did it, exactly" example:"anna"`
	Operation  string `query:"operation" doc:"What was done, or its beginning" example:"stacks."`
	Resource   string `query:"resource" doc:"What it was done to, or its beginning" example:"stack web"`
	Result     string `query:"result" enum:"done,refused,failed"`
	Group      string `query:"group" doc:"Only what was done in this group or below" example:"norway"`
	BreakGlass bool   `query:"break_glass" doc:"Only what was done with the break-glass account"`
	From       string `query:"from" doc:"From this time on: RFC 3339, Unix seconds, or a duration such as 2h ago"`
	To         string `query:"to" doc:"Before this time, in the same forms"`
	Q          string `query:"q" maxLength:"500" doc:"Words that are all somewhere in the entry"`
}

func (f *AuditFilter) filter() (audit.Filter, error) {
	out := audit.Filter{
		Principal: f.Principal, Operation: f.Operation, Resource: f.Resource, Result: f.Result, Group: f.Group, BreakGlass: f.BreakGlass, Text: f.Q,
	}
	var err error
	if out.From, err = timeOrAgo(f.From); err != nil {
		return out, inField("query.from", err)
	}
	if out.To, err = timeOrAgo(f.To); err != nil {
		return out, inField("query.to", err)
	}
	return out, nil
}

// timeOrAgo reads a time, or how long ago it was. "": the zero time.
func timeOrAgo(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-d), nil
	}
	return parseTime(text)
}

type auditInput struct {
	AuditFilter
	Before string `query:"before" doc:"From next of the page before"`
	After  uint64 `query:"after" doc:"Only entries with a higher number"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type auditExportInput struct {
	AuditFilter
	Format string `query:"format" enum:"csv,jsonl" default:"jsonl" doc:"csv is for spreadsheets; jsonl has the lines as they are kept, which can be verified"`
}

func (s *server) auditRoutes() {
	const tag = "Audit"
	add(s, route[auditInput, reply[resource.AuditPage]]{
		Method: http.MethodGet, Path: "/audit", ID: "list-audit", Tag: tag, Summary: "Search the audit trail, the latest first",
		Description: "A page can have fewer entries than asked for, or none, and all the same be followed by others: the work for one page " +
			"is bounded. `looked` says how many entries were read, and `until` back to which time; go on with `next`.",
		Does: access.AuditRead, On: onHub[auditInput], Run: s.auditPage,
	})
	add(s, route[auditExportInput, huma.StreamResponse]{
		Method: http.MethodGet, Path: "/audit/export", ID: "export-audit", Tag: tag, Summary: "Export the audit trail, the oldest first",
		Description: "As jsonl, and with no filter but from and to, signatures are among the lines, and `farshore audit verify FILE` can " +
			"tell offline that nothing was changed.",
		Does: access.AuditRead, On: onHub[auditExportInput], Records: "audit.export", Streams: "application/octet-stream", Run: s.auditExport,
	})
	add(s, route[struct{}, reply[resource.AuditReport]]{
		Method: http.MethodPost, Path: "/audit/verify", ID: "verify-audit", Tag: tag, Summary: "Read the whole audit trail and say whether it holds",
		Does: access.AuditRead, On: onHub[struct{}], Looks: true, Run: s.auditVerify,
	})
}

func (s *server) auditPage(ctx context.Context, _ *call, in *auditInput) (*reply[resource.AuditPage], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	p, err := s.Trail.Page(ctx, audit.Query{Filter: f, Before: in.Before, After: in.After, Limit: in.Limit})
	if errors.Is(err, audit.ErrCursor) {
		return nil, inField("query.before", err)
	}
	if err != nil {
		return nil, err
	}
	return replyWith(resource.AuditPage{Items: list(p.Lines, auditOf).Body.Items, Next: p.Next, Looked: p.Looked, Until: p.Until}), nil
}

func auditOf(l audit.Line) resource.Audit {
	return resource.Audit{
		Seq: l.Seq, At: l.At, Principal: l.Principal, BreakGlass: l.BreakGlass, Remote: l.Remote, Operation: l.Operation, Resource: l.Resource,
		Group: l.Group, Result: l.Result, Detail: l.Detail, Hash: l.Hash,
	}
}

func (s *server) auditVerify(ctx context.Context, _ *call, _ *struct{}) (*reply[resource.AuditReport], error) {
	r, err := s.Trail.Verify(ctx)
	if err != nil {
		return nil, err
	}
	return replyWith(auditReport(&r)), nil
}

func auditReport(r *audit.Report) resource.AuditReport {
	out := resource.AuditReport{
		Holds: r.Problem == nil, Text: r.String(), Entries: r.Entries, First: resource.AuditMark(r.First), Last: resource.AuditMark(r.Last),
		Signed: r.Signed, Torn: r.Torn,
	}
	if p := r.Problem; p != nil {
		out.Problem = &resource.AuditProblem{Seq: p.Seq, File: p.File, Line: p.Line, Text: p.What}
	}
	return out
}

func (s *server) auditExport(_ context.Context, c *call, in *auditExportInput) (*huma.StreamResponse, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	c.detail = "as " + in.Format
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		media := "application/x-ndjson"
		if in.Format == "csv" {
			media = "text/csv; charset=utf-8; header=present"
		}
		ctx.SetHeader("Content-Type", media)
		ctx.SetHeader("Content-Disposition", `attachment; filename="audit-`+time.Now().UTC().Format("2006-01-02")+"."+in.Format+`"`)
		if err := s.writeAudit(ctx.Context(), w, f, in.Format); err != nil && ctx.Context().Err() == nil {
			s.Log.Error("an export of the audit trail was cut short", "error", err)
			panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
		}
	}}, nil
}

func (s *server) writeAudit(ctx context.Context, w http.ResponseWriter, f audit.Filter, format string) error {
	out := bufio.NewWriterSize(&patient{w, http.NewResponseController(w)}, 64<<10)
	write := func(_ audit.Line, raw []byte) error {
		_, err := out.Write(append(raw, '\n'))
		return err
	}
	if format == "csv" {
		table := csv.NewWriter(out)
		defer table.Flush()
		if err := table.Write(auditColumns()); err != nil {
			return err
		}
		write = func(l audit.Line, _ []byte) error {
			if l.Checkpoint != nil {
				return nil
			}
			err := table.Write(auditCells(&l))
			table.Flush()
			return err
		}
	}
	return errors.Join(s.Trail.Export(ctx, f, write), out.Flush())
}

// patient gives each write its own time: a whole export may take long.
type patient struct {
	w  io.Writer
	rc *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // a test recorder has none
	return p.w.Write(b)
}

func auditColumns() []string {
	return []string{"seq", "at", "principal", "break_glass", "remote", "operation", "resource", "group", "result", "detail", "hash"}
}

func auditCells(l *audit.Line) []string {
	out := []string{
		strconv.FormatUint(l.Seq, 10), l.At.Format(time.RFC3339Nano), l.Principal, strconv.FormatBool(l.BreakGlass), l.Remote, l.Operation,
		l.Resource, l.Group, l.Result, l.Detail, l.Hash,
	}
	for i, cell := range out {
		out[i] = harmless(cell)
	}
	return out
}
