package api_test

import (
	"encoding/csv"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

func TestTheTrailIsForwarded(t *testing.T) {
	w := newWorld(t)
	var bodies atomic.Int64
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hush-hush" {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		raw, _ := io.ReadAll(r.Body)
		bodies.Add(int64(strings.Count(string(raw), `"hash":"`)))
	}))
	defer receiver.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}))
	wrong, right := "wrong", "Bearer hush-hush"
	put := resource.PutAuditDestination{URL: receiver.URL, CA: ca, Header: "Authorization", Secret: &wrong}
	var d resource.AuditDestination
	w.ask(http.MethodPut, "/audit/destinations/siem", put, &d)
	if d.Kind != "webhook" || !d.HasSecret {
		t.Errorf("%+v", d)
	}
	var test resource.AuditTest
	w.ask(http.MethodPost, "/audit/destinations/siem/test", nil, &test)
	if test.OK || !strings.Contains(test.Text, "403") {
		t.Errorf("%+v", test)
	}
	put.Secret = &right
	if p := w.refused(http.MethodPut, "/audit/destinations/siem", put, "If-Match", "x"); p.Status != 412 {
		t.Errorf("%+v", p)
	}
	w.ask(http.MethodPut, "/audit/destinations/siem", put, &d)
	w.ask(http.MethodPost, "/audit/destinations/siem/test", nil, &test)
	if !test.OK {
		t.Errorf("%+v", test)
	}
	var all resource.List[resource.AuditDestination]
	w.Until("all entries arrive", 30*time.Second, func() bool {
		w.ask(http.MethodGet, "/audit/destinations", nil, &all)
		return len(all.Items) == 1 && all.Items[0].Arrived > 0 && all.Items[0].Backlog == 0 && bodies.Load() >= int64(all.Items[0].Sent)
	})
	raw, err := io.ReadAll(w.getAt("/metrics").Body)
	if err != nil || !strings.Contains(string(raw), `farshore_audit_forward_backlog{destination="siem"} 0`) {
		t.Errorf("%v, the metrics lack the backlog", err)
	}
	w.ask(http.MethodDelete, "/audit/destinations/siem", nil, nil)
	if p := w.refused(http.MethodDelete, "/audit/destinations/siem", nil); p.Status != 404 {
		t.Errorf("%+v", p)
	}
	put.URL = "http://plain.example/"
	if p := w.refused(http.MethodPut, "/audit/destinations/siem", put); p.Status != 422 {
		t.Errorf("%+v", p)
	}
	if trail := w.trail(); strings.Contains(trail, "hush-hush") || !strings.Contains(trail, `"resource":"destination siem","result":"done","detail":"to https://127.0.0.1`) {
		t.Error(trail)
	}
}

func (w *world) getAt(path string) *http.Response {
	w.t.Helper()
	resp, err := w.server.Client().Get(w.server.URL + path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}
