package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

// What the policy forbids, or what does not work below a path prefix.
var forbidden = regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\son[a-z]+=|\sstyle=|(?:href|src|action)="(?:https?:|/)|fetch\("/`)

// TestPagesKeepToTheirPolicy looks at the placeholder, and at the console if it was built.
func TestPagesKeepToTheirPolicy(t *testing.T) {
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		kind := path.Ext(name)
		if err != nil || d.IsDir() || kind != ".html" && kind != ".js" {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if found := forbidden.Find(content); found != nil && !strings.HasPrefix(name, "dist/assets/") {
			t.Errorf("%s has %q", name, found)
		}
		if kind == ".html" && strings.Count(string(content), baseMark) != 1 {
			t.Errorf("%s: want one %s, with which the page works at any address", name, baseMark)
		}
		if name == "dist/index.html" && !strings.Contains(string(content), nonceMark) {
			t.Errorf("%s: want %s in it, from which scripts take the nonce for their styles", name, nonceMark)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWithoutTheConsoleAPageTellsHowToGoOn(t *testing.T) {
	h := handler{folder("placeholder")}
	for address, want := range map[string]struct {
		status     int
		kind, says string
	}{
		"/":               {200, "text/html", "was not built"},
		"/devices/abc":    {200, "text/html", "was not built"},
		"/first-start":    {200, "text/html", `src="first-start.js"`},
		"/first-start/":   {200, "text/html", `<base href="../">`},
		"/first-start.js": {200, "text/javascript", "api/v1/session/first-admin"},
		"/style.css":      {200, "text/css", "color"},
		"/nothing.css":    {404, "text/plain", "no page"},
		"/../web.go":      {404, "text/plain", "no page"},
	} {
		w := get(h, address)
		if w.Code != want.status || !strings.HasPrefix(w.Header().Get("Content-Type"), want.kind) || !strings.Contains(w.Body.String(), want.says) {
			t.Errorf("%s: %d %s %.60q, want %d %s with %q", address, w.Code, w.Header().Get("Content-Type"), w.Body, want.status, want.kind, want.says)
		}
	}
}

func TestTheHubServesAPageEitherWay(t *testing.T) {
	if w := get(Handler(), "/"); w.Code != 200 || !strings.Contains(w.Body.String(), "Farshore") {
		t.Errorf("%d %.80q", w.Code, w.Body)
	}
}

// TestFirstLoadIsSmall counts what a browser fetches before it shows anything. 350 kB are 3 s on a link of 1 Mbit/s.
func TestFirstLoadIsSmall(t *testing.T) {
	const most = 350_000
	page, err := files.ReadFile("dist/index.html")
	if err != nil {
		t.Skip("the console was not built: make console")
	}
	total := 0
	for _, script := range regexp.MustCompile(`assets/[\w.-]+\.js`).FindAllString(string(page), -1) {
		content, _, err := handler{folder("dist")}.read(script, gzipped)
		if err != nil {
			t.Fatal(err)
		}
		total += len(content)
	}
	if total == 0 || total > most {
		t.Errorf("%d bytes of script by gzip at first, want at most %d: import what only one page needs where that page is imported", total, most)
	}
}

// get asks for an address, with pairs of names and values as headers.
func get(h http.Handler, address string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.URL.Path, r.URL.RawPath = address, ""
	return ask(h, r, headers...)
}

func ask(h http.Handler, r *http.Request, headers ...string) *httptest.ResponseRecorder {
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
