package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/audit"
)

// pages reads all that fits, page by page, and gives the numbers.
func pages(t *testing.T, w *trail, q audit.Query) (seqs []uint64) {
	t.Helper()
	for {
		p, err := w.log.Page(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range p.Lines {
			seqs = append(seqs, l.Seq)
		}
		if p.Next == "" {
			return seqs
		}
		q.Before = p.Next
	}
}

func TestPagesAndFilters(t *testing.T) {
	w := newTrail(t)
	w.small = 4 << 10
	w.again(func() {})
	begin := time.Now().Add(-500 * time.Second).Truncate(time.Second)
	for i := range 200 {
		e := audit.Entry{
			At: begin.Add(time.Duration(i) * time.Second), Principal: []string{"anna", "token ci"}[i%2], Remote: "192.0.2.7", Operation: []string{"stacks.apply", "devices.change", "stacks.remove", "session.login"}[i%4],
			Resource: fmt.Sprintf("stack s%d", i), Group: []string{"/norway", "/norway/oslo", "/norwayx", ""}[i%4], Result: audit.ResultDone, Detail: "Version Three",
		}
		if i%50 == 0 {
			e.Result, e.BreakGlass = audit.ResultRefused, true
		}
		if err := w.log.Record(e); err != nil {
			t.Fatal(err)
		}
	}
	all := pages(t, w, audit.Query{Limit: 7})
	if len(all) != 200 || all[0] != 200 || !slices.IsSortedFunc(all, func(a, b uint64) int { return int(b) - int(a) }) {
		t.Fatalf("%v", all)
	}
	for name, c := range map[string]struct {
		q    audit.Query
		want int
	}{
		"principal":    {audit.Query{Filter: audit.Filter{Principal: "anna"}}, 100},
		"operation":    {audit.Query{Filter: audit.Filter{Operation: "stacks."}}, 100},
		"resource":     {audit.Query{Filter: audit.Filter{Resource: "stack s19"}}, 11},
		"result":       {audit.Query{Filter: audit.Filter{Result: audit.ResultRefused}}, 4},
		"break-glass":  {audit.Query{Filter: audit.Filter{BreakGlass: true}}, 4},
		"group":        {audit.Query{Filter: audit.Filter{Group: "/norway"}}, 100},
		"group below":  {audit.Query{Filter: audit.Filter{Group: "/norway/oslo/"}}, 50},
		"from":         {audit.Query{Filter: audit.Filter{From: begin.Add(150 * time.Second)}}, 50},
		"to":           {audit.Query{Filter: audit.Filter{To: begin.Add(50 * time.Second)}}, 50},
		"text":         {audit.Query{Filter: audit.Filter{Text: "version TOKEN"}}, 100},
		"text nowhere": {audit.Query{Filter: audit.Filter{Text: "version bergen"}}, 0},
		"after":        {audit.Query{After: 190}, 10},
		"all at once":  {audit.Query{Filter: audit.Filter{Principal: "anna", Operation: "stacks.a", Text: "s4"}, After: 20}, 3},
	} {
		c.q.Limit = 3
		if got := pages(t, w, c.q); len(got) != c.want {
			t.Errorf("%s: %d entries, want %d: %v", name, len(got), c.want, got)
		}
	}
	if _, err := w.log.Page(t.Context(), audit.Query{Before: "../x"}); !errors.Is(err, audit.ErrCursor) {
		t.Errorf("a cursor that is none: %v", err)
	}
	if got, _, err := w.log.Batch(0, 1<<30); err != nil || len(got) >= 200 {
		t.Errorf("%d lines are given, though not all are on the disk: %v", len(got), err)
	}
	w.again(func() {})
	for after := range uint64(201) {
		got, oldest, err := w.log.Batch(after, 1<<30)
		if err != nil || oldest != 1 || len(got) != 200-int(after) {
			t.Fatalf("after %d: %d lines, %v", after, len(got), err)
		}
	}
}

func export(t *testing.T, w *trail, f audit.Filter) string {
	t.Helper()
	var out bytes.Buffer
	err := w.log.Export(t.Context(), f, func(_ audit.Line, raw []byte) error {
		out.Write(raw)
		return out.WriteByte('\n')
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAnExportCanBeVerified(t *testing.T) {
	w := newTrail(t)
	w.small = 4 << 10
	w.again(func() {})
	w.fill(50)
	key, err := audit.ParseHubKey(w.log.HubKey())
	if err != nil {
		t.Fatal(err)
	}
	fingerprint, err := audit.ParseHubKey(audit.KeyFingerprint(w.key.Public().(ed25519.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	whole := export(t, w, audit.Filter{})
	other, _ := audit.ParseHubKey(audit.KeyFingerprint(make([]byte, 32)))
	cutAt := strings.LastIndex(strings.TrimSuffix(whole, "\n"), "\n")
	for name, c := range map[string]struct {
		text    string
		key     audit.KnownKey
		entries uint64
		signed  uint64
		gaps    int
		fails   bool
	}{
		"whole":                      {whole, key, 50, 50, 0, false},
		"whole, by fingerprint":      {whole, fingerprint, 50, 50, 0, false},
		"whole, with another key":    {whole, other, 0, 0, 0, true},
		"whole, with no key":         {whole, audit.KnownKey{}, 50, 0, 0, false},
		"filtered":                   {export(t, w, audit.Filter{Resource: "stack s1"}), key, 11, 0, 1, false},
		"a line taken out":           {withoutLine(whole, 20), key, 17, 0, 0, true},
		"a changed field":            {strings.Replace(whole, "stack s20", "stack x20", 1), key, 20, 0, 0, true},
		"without the last signature": {whole[:cutAt+1], key, 50, 0, 0, false},
		"an end of another kind":     {whole + "\nrubbish\n", key, 50, 50, 0, true},
		"the same twice":             {whole + whole, key, 50, 50, 0, true},
		"empty":                      {"", key, 0, 0, 0, false},
	} {
		r, err := audit.VerifyExport(strings.NewReader(c.text), "export.jsonl", c.key)
		if err != nil {
			t.Fatal(err)
		}
		if r.Entries != c.entries || r.Gaps != c.gaps || (r.Problem != nil) != c.fails || c.signed != 0 && r.Signed != c.signed {
			t.Errorf("%s: %d entries, signed %d, %d gaps: %s", name, r.Entries, r.Signed, r.Gaps, r.String())
		}
	}
}

// withoutLine is text without its line n, from 0 on.
func withoutLine(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(slices.Delete(lines, n, n+1), "\n")
}
