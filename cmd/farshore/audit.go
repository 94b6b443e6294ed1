package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/internal/apiclient"
)

const (
	// auditPage is the most entries that the hub gives at once.
	auditPage = 1000
	// followEvery is how often the trail is asked for what is new.
	followEvery = 2 * time.Second
)

func (a *app) auditCommand() *cobra.Command {
	return parent("audit", "see, export, verify and forward the audit trail", a.auditListCommand(), a.auditExportCommand(), a.auditVerifyCommand(),
		a.auditSettingsCommand(), a.destinationsCommand())
}

// auditFilter are the flags that say which entries fit.
type auditFilter struct {
	texts      map[string]*string
	breakGlass bool
}

func newAuditFilter(cmd *cobra.Command) *auditFilter {
	f := &auditFilter{texts: map[string]*string{}}
	for name, about := range map[string]string{
		"principal": "who did it, such as anna or 'token ci'",
		"operation": "what was done, or its beginning, such as stacks.",
		"resource":  "what it was done to, or its beginning, such as 'stack web'",
		"result":    "done, refused or failed",
		"group":     "only in this group or below",
		"from":      "from this time on: how long ago, such as 2h or 3d, or a time in RFC 3339",
		"to":        "before this time",
		"search":    "words that are all somewhere in the entry",
	} {
		f.texts[name] = cmd.Flags().String(name, "", about)
	}
	cmd.Flags().BoolVar(&f.breakGlass, "break-glass", false, "only what was done with the break-glass account")
	must(cmd.RegisterFlagCompletionFunc("result", cobra.FixedCompletions([]string{"done", "refused", "failed"}, cobra.ShellCompDirectiveNoFileComp)))
	return f
}

func (f *auditFilter) query() url.Values {
	q := url.Values{}
	for name, text := range f.texts {
		if *text == "" {
			continue
		}
		switch name {
		case "search":
			name = "q"
		case "from", "to":
			*text = daysToHours(*text)
		}
		q.Set(name, *text)
	}
	if f.breakGlass {
		q.Set("break_glass", "true")
	}
	return q
}

func (a *app) auditListCommand() *cobra.Command {
	var limit int
	var follow bool
	cmd := &cobra.Command{
		Use: "ls", Short: "list entries, the latest first; with --follow as they come", Args: cobra.NoArgs,
		Example: "  farshore audit ls --operation stacks. --from 2d\n  farshore audit ls --result refused --follow",
	}
	filter := newAuditFilter(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return usage(cmd, errors.New("--limit: want 1 or more"))
		}
		q := filter.query()
		if follow {
			return a.followAudit(cmd.Context(), q, limit)
		}
		all, err := a.audit(cmd.Context(), q, limit)
		if err != nil {
			return err
		}
		return a.print(all, func() *table {
			t := &table{head: []string{"AT", "WHO", "FROM", "DID", "TO", "RESULT", "DETAIL"}}
			for _, e := range all {
				t.add(exact(e.At), whoDid(&e), dash(e.Remote), e.Operation, dash(e.Resource), e.Result, dash(e.Detail))
			}
			return t
		})
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "show the latest, and go on with what comes until Ctrl-C")
	return cmd
}

func whoDid(e *resource.Audit) string {
	if e.BreakGlass {
		return e.Principal + " (break-glass)"
	}
	return e.Principal
}

// audit reads pages until there are enough entries.
func (a *app) audit(ctx context.Context, q url.Values, limit int) ([]resource.Audit, error) {
	out := []resource.Audit{}
	for q.Del("before"); ; {
		q.Set("limit", strconv.Itoa(min(limit-len(out), auditPage)))
		var page resource.AuditPage
		if err := a.get(ctx, "/audit", q, &page); err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.Next == "" || len(out) >= limit {
			return out, nil
		}
		q.Set("before", page.Next)
	}
}

// followAudit shows the latest entries, the oldest of them first, and then what comes.
func (a *app) followAudit(ctx context.Context, q url.Values, limit int) error {
	for {
		var newest resource.AuditPage
		if err := a.get(ctx, "/audit", url.Values{"limit": {"1"}}, &newest); err != nil {
			return err
		}
		entries, err := a.audit(ctx, q, limit)
		if err != nil {
			return err
		}
		var after uint64
		for _, e := range slices.Concat(entries, newest.Items) {
			after = max(after, e.Seq)
		}
		for _, e := range slices.Backward(entries) {
			if err := a.showAudit(&e); err != nil {
				return err
			}
		}
		limit = math.MaxInt32
		q.Set("after", strconv.FormatUint(after, 10))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followEvery):
		}
	}
}

func (a *app) showAudit(e *resource.Audit) error {
	if a.format != formatTable {
		return a.print(e, nil)
	}
	say(a.out, "%s  %-16s %-18s %-24s %-8s %s\n", e.At.Local().Format("2006-01-02 15:04:05"), plain(whoDid(e)), plain(e.Operation),
		dash(plain(e.Resource)), e.Result, plain(e.Detail))
	return nil
}

func (a *app) auditExportCommand() *cobra.Command {
	var format, file string
	cmd := &cobra.Command{
		Use: "export", Short: "export entries, the oldest first, as JSON lines or CSV", Args: cobra.NoArgs,
		Long: `Exports what fits. JSON lines are as the hub keeps them; with no filter but --from and --to, signatures are among them, and
"farshore audit verify FILE" tells offline whether anything was changed.`,
		Example: "  farshore audit export --from 30d --file audit.jsonl\n  farshore audit export --format csv --result refused --file refused.csv",
	}
	filter := newAuditFilter(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		h, err := a.hub()
		if err != nil {
			return err
		}
		q := filter.query()
		q.Set("format", format)
		r := apiclient.Request{Method: http.MethodGet, Path: "/audit/export", Query: q}
		if file == "" {
			return h.Copy(cmd.Context(), r, a.out)
		}
		return writeFile(file, func(to io.Writer) error { return h.Copy(cmd.Context(), r, to) })
	}
	cmd.Flags().StringVar(&format, "format", "jsonl", "jsonl or csv")
	cmd.Flags().StringVar(&file, "file", "", "write there, whole or not at all (default: standard output)")
	must(cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"jsonl", "csv"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// writeFile makes a file that only its owner can read, whole or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	out := bufio.NewWriter(tmp)
	err = write(out)
	if err == nil {
		err = errors.Join(out.Flush(), tmp.Sync())
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// errTrail: an audit trail does not hold. The report has been shown.
var errTrail = errors.New("the audit trail does not hold")

func (a *app) auditVerifyCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use: "verify [FILE]", Short: "read the whole audit trail of the hub, or an exported file, and say whether it holds", Args: cobra.MaximumNArgs(1),
		Long: `Without FILE, the hub reads its trail and says the first place that does not hold, if there is one.

With FILE, an export as JSON lines is read here, without the hub: each line, that they follow from each other, and with --hub-key
the signatures. "farshore audit settings" shows the key; write it down where whoever could change the trail cannot change it.`,
		Example: "  farshore audit verify\n  farshore audit verify audit.jsonl --hub-key SHA256:…",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			if key != "" {
				return usage(cmd, errors.New("--hub-key is for an exported FILE; the hub knows its own key"))
			}
			var r resource.AuditReport
			if err := a.call(cmd.Context(), http.MethodPost, "/audit/verify", nil, &r); err != nil {
				return err
			}
			return a.showReport(&r)
		}
		var known audit.KnownKey
		if key != "" {
			var err error
			if known, err = audit.ParseHubKey(key); err != nil {
				return usage(cmd, fmt.Errorf("--hub-key: %w", err))
			}
		}
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close() // only read
		r, err := audit.VerifyExport(f, filepath.Base(args[0]), known)
		if err != nil {
			return fmt.Errorf("read %q: %w", args[0], err)
		}
		return a.showReport(reportOf(&r))
	}
	cmd.Flags().StringVar(&key, "hub-key", "", "the hub key, or its fingerprint, to check the signatures of FILE by")
	return cmd
}

func reportOf(r *audit.Report) *resource.AuditReport {
	out := &resource.AuditReport{
		Holds: r.Problem == nil, Text: r.String(), Entries: r.Entries, First: resource.AuditMark(r.First), Last: resource.AuditMark(r.Last),
		Signed: r.Signed, Torn: r.Torn,
	}
	if p := r.Problem; p != nil {
		out.Problem = &resource.AuditProblem{Seq: p.Seq, File: p.File, Line: p.Line, Text: p.What}
	}
	return out
}

func (a *app) showReport(r *resource.AuditReport) error {
	err := a.print(r, func() *table { return &table{rows: [][]string{{r.Text}}} })
	if err == nil && !r.Holds {
		err = errTrail
	}
	return err
}

func (a *app) auditSettingsCommand() *cobra.Command {
	var body resource.PutAuditSettings
	cmd := &cobra.Command{
		Use: "settings", Short: "show how much of the audit trail is kept and by which key it is signed; with flags change how much", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s resource.AuditSettings
			if err := a.get(cmd.Context(), "/settings/audit", nil, &s); err != nil {
				return err
			}
			if cmd.Flags().Changed("days") || cmd.Flags().Changed("megabytes") {
				body.Days, body.Megabytes = cmp.Or(body.Days, s.Days), cmp.Or(body.Megabytes, s.Megabytes)
				h, err := a.hub()
				if err != nil {
					return err
				}
				r := apiclient.Request{Method: http.MethodPut, Path: "/settings/audit", Body: body, Header: http.Header{"If-Match": {s.Etag}}}
				if err := h.Do(cmd.Context(), r, &s); err != nil {
					return err
				}
			}
			return a.print(s, func() *table {
				t := &table{}
				t.add("Kept", fmt.Sprintf("%d days, at most %d MB", s.Days, s.Megabytes))
				t.add("There are", fmt.Sprintf("entries %d to %d, since %s, %s", s.First, s.Last, exact(s.Since), size(s.Bytes)))
				t.add("Hub key", s.HubKey)
				return t
			})
		},
	}
	cmd.Flags().IntVar(&body.Days, "days", 0, "keep entries so long")
	cmd.Flags().IntVar(&body.Megabytes, "megabytes", 0, "keep at most so much")
	return cmd
}
