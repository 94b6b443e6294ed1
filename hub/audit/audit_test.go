package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/farshore/farshore/hub/audit"
)

func TestTheChainHoldsOverSegmentsAndRestarts(t *testing.T) {
	w := newTrail(t)
	w.small = 4 << 10
	w.again(func() {})
	w.fill(100)
	if n := len(w.files()); n < 5 {
		t.Fatalf("%d files, want several", n)
	}
	w.holds(100)
	w.again(func() {})
	w.fill(10)
	w.holds(110)
	for _, f := range w.files() {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v, want 0600", info, err)
		}
	}
}

func TestRunSignsAndLetsReadersKnow(t *testing.T) {
	w := newTrail(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.log.Run(ctx) }()
	w.fill(3)
	for {
		durable, news := w.log.News()
		if durable == 3 {
			break
		}
		<-news
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := w.holds(3); r.Signed != 3 {
		t.Errorf("signed up to %d after a stop, want 3", r.Signed)
	}
	got, oldest, err := w.log.Batch(1, 1<<20)
	if err != nil || len(got) != 2 || oldest != 1 {
		t.Fatalf("%d lines after the first, oldest %d, %v", len(got), oldest, err)
	}
	if l, err := audit.ParseLine(got[0]); err != nil || l.Seq != 2 || l.Resource != "stack s1" {
		t.Errorf("%+v %v", l, err)
	}
}

// What strangers put into any field stays within it, and does nothing to whoever looks at the file.
func TestFieldsCannotBreakOut(t *testing.T) {
	w := newTrail(t)
	hostile := []string{
		"two lines\n{\"seq\":1,\"principal\":\"forged\"}", "\x1b[2J\x1b]0;owned\x07", "\u009b31m", "\xff\xfe not UTF-8 \xc3\x28", "\u202egnp.exe\u2066",
		"\u2028next", strings.Repeat("ø", 100_000), strings.Repeat("\x00", 100_000), `","hash":"`, `{"checkpoint":{"seq":1}}`, "\r\n.\r\n",
	}
	var wg sync.WaitGroup
	for _, h := range hostile {
		wg.Go(func() {
			for i := range 7 {
				var e audit.Entry
				*[]*string{&e.Principal, &e.Remote, &e.Operation, &e.Resource, &e.Group, &e.Result, &e.Detail}[i] = h
				if err := w.log.Record(e); err != nil {
					t.Error(err)
				}
			}
			if err := w.log.Record(audit.Entry{Principal: h, Remote: h, Operation: h, Resource: h, Group: h, Result: h, Detail: h}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := uint64(8 * len(hostile))
	w.holds(n)
	w.again(func() {})
	w.holds(n)
	for _, line := range lines(t, w.files()[0]) {
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool {
			return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x2066
		}) {
			t.Errorf("%.200q", line)
		}
	}
	p, err := w.log.Page(t.Context(), audit.Query{Limit: 1000})
	if err != nil || len(p.Lines) != int(n) {
		t.Fatalf("%d entries, %v", len(p.Lines), err)
	}
	for _, l := range p.Lines {
		if len(l.Detail) > 2100 || l.Principal == "forged" || time.Since(l.At) > time.Minute {
			t.Errorf("%+.300v", l)
		}
	}
}

func TestClosed(t *testing.T) {
	w := newTrail(t)
	w.again(func() {
		if err := w.log.Record(audit.Entry{}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Beyond some, what strangers do is counted; what others do is not.
func TestStrangersCannotFillTheDisk(t *testing.T) {
	w := newTrail(t)
	for i := range 1000 {
		err := w.log.RecordStranger(audit.Entry{
			Principal: "nobody", Remote: []string{"192.0.2.1", "192.0.2.2", "192.0.2.1"}[i%3], Operation: "session.login",
			Resource: "account admin", Result: audit.ResultRefused,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.fill(1)
	w.close()
	w.open()
	r := w.verify()
	if r.Problem != nil || r.Entries < 101 || r.Entries > 110 {
		t.Fatalf("%s", r.String())
	}
	p, err := w.log.Page(t.Context(), audit.Query{Limit: 1})
	if err != nil || p.Lines[0].Operation != audit.OpSummedUp || p.Lines[0].Result != audit.ResultRefused ||
		!strings.HasPrefix(p.Lines[0].Detail, "900 more like session.login since ") ||
		!strings.Contains(p.Lines[0].Detail, "from 192.0.2.1 (600), 192.0.2.2 (300); about account admin (900)") {
		t.Errorf("%v %+v", err, p.Lines)
	}
}

// The entry's form is read by other programs.
func TestAnEntryIsJSON(t *testing.T) {
	w := newTrail(t)
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	err := w.log.Record(audit.Entry{
		At: at, Principal: "anna", BreakGlass: true, Remote: "192.0.2.7", Operation: "stacks.apply", Resource: "stack web", Group: "/norway",
		Result: audit.ResultDone, Detail: "a < b",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines(t, w.files()[0])[1]), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "prev")
	delete(got, "hash")
	text, _ := json.Marshal(got)
	want := `{"at":"2026-11-22T08:00:00Z","break_glass":true,"detail":"a \u003c b","group":"/norway","operation":"stacks.apply","principal":"anna","remote":"192.0.2.7","resource":"stack web","result":"done","seq":1}`
	if string(text) != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
}
