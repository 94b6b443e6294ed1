package api_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/audit"
)

func TestTheTrailIsSearchedExportedAndVerified(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.ask(http.MethodPut, fmt.Sprintf("/profiles/p%02d", i), resource.PutProfile{}, nil)
	}
	if p := w.refused(http.MethodPut, "/profiles/p01", resource.PutProfile{}, "If-None-Match", "*"); p.Status != 412 {
		t.Fatalf("%+v", p)
	}
	record(t, w, audit.Entry{Principal: "=cmd|x", Operation: "stacks.apply", Group: "norway/oslo", Result: audit.ResultDone, Detail: "\x1b[2J,\n@sum"})

	var page resource.AuditPage
	var seqs []uint64
	for path := "/audit?operation=profiles.&limit=4"; ; path = "/audit?operation=profiles.&limit=4&before=" + page.Next {
		w.ask(http.MethodGet, path, nil, &page)
		for _, e := range page.Items {
			seqs = append(seqs, e.Seq)
		}
		if page.Next == "" {
			break
		}
	}
	if len(seqs) != 31 || page.Looked == 0 {
		t.Errorf("%d entries by pages, %+v", len(seqs), page)
	}
	for query, want := range map[string]int{
		"principal=admin&result=failed": 1, "resource=profile%20p0": 11, "group=norway": 1, "q=SUM%20oslo": 1, "from=1h&operation=profiles.": 31, "to=1h": 0,
		"break_glass=true&operation=profiles.": 31, fmt.Sprintf("after=%d", seqs[0]): 1,
	} {
		w.ask(http.MethodGet, "/audit?"+query, nil, &page)
		if len(page.Items) != want {
			t.Errorf("%s: %d entries, want %d", query, len(page.Items), want)
		}
	}
	for _, query := range []string{"before=x", "from=soon", "result=maybe", "limit=0", "after=-1"} {
		if p := w.refused(http.MethodGet, "/audit?"+query, nil); p.Status != 422 {
			t.Errorf("%s: %+v", query, p)
		}
	}

	var settings resource.AuditSettings
	w.ask(http.MethodGet, "/settings/audit", nil, &settings)
	key, err := audit.ParseHubKey(settings.HubKey)
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.VerifyExport(w.get("/audit/export?format=jsonl").Body, "x", key)
	if err != nil || report.Problem != nil || report.Entries < 33 || report.Signed != report.Last.Seq {
		t.Errorf("%v, %s", err, report.String())
	}
	rows, err := csv.NewReader(w.get("/audit/export?format=csv&q=sum").Body).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][2] != "'=cmd|'x" && rows[1][2] != "'=cmd|x" || strings.Contains(rows[1][9], "\x1b") || !strings.HasSuffix(rows[1][9], "\n'@sum") {
		t.Errorf("%v %q", err, rows)
	}
	w.ask(http.MethodGet, "/audit?operation=audit.export", nil, &page)
	if len(page.Items) != 2 || page.Items[0].Detail != "as csv" {
		t.Errorf("who exported the trail is not in it: %+v", page.Items)
	}

	var verified resource.AuditReport
	w.ask(http.MethodPost, "/audit/verify", nil, &verified)
	if !verified.Holds || verified.Entries < 33 || !strings.Contains(verified.Text, "hold") {
		t.Errorf("%+v", verified)
	}
}

func record(t *testing.T, w *world, e audit.Entry) {
	t.Helper()
	if err := w.config.Audit.Record(e); err != nil {
		t.Fatal(err)
	}
}

func (w *world) get(path string) *http.Response {
	w.t.Helper()
	resp := w.request(http.MethodGet, path, nil)
	w.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(resp.Body)
		w.t.Fatalf("%s: %d %s", path, resp.StatusCode, raw)
	}
	return resp
}

func TestHowMuchOfTheTrailIsKept(t *testing.T) {
	w := newWorld(t)
	var s resource.AuditSettings
	w.ask(http.MethodGet, "/settings/audit", nil, &s)
	if s.Days != 400 || s.Megabytes != 1024 || s.Last == 0 || s.Bytes == 0 {
		t.Fatalf("%+v", s)
	}
	was := s.Etag
	w.ask(http.MethodPut, "/settings/audit", resource.PutAuditSettings{Days: 30, Megabytes: 64}, &s)
	if s.Days != 30 || s.Megabytes != 64 || s.Etag == was {
		t.Errorf("%+v", s)
	}
	if p := w.refused(http.MethodPut, "/settings/audit", resource.PutAuditSettings{Days: 31, Megabytes: 64}, "If-Match", was); p.Status != 412 {
		t.Errorf("%+v", p)
	}
	if p := w.refused(http.MethodPut, "/settings/audit", resource.PutAuditSettings{Days: 1, Megabytes: 64}); p.Status != 422 {
		t.Errorf("%+v", p)
	}
	w.Hub()
	if trail := w.trail(); !strings.Contains(trail, `"detail":"keep 30 days, 64 MB"`) {
		t.Error(trail)
	}
}
