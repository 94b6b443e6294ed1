package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// What the policy forbids, or what does not work below a path prefix.
var forbidden = regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\son[a-z]+=|\sstyle=|(?:href|src|action)="(?:https?:|/)|fetch\("/`)

func TestPagesKeepToTheirPolicy(t *testing.T) {
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if found := forbidden.Find(content); found != nil {
			t.Errorf("%s has %q", name, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPagesAreServed(t *testing.T) {
	for url, want := range map[string]struct {
		status     int
		kind, says string
	}{
		"/":                {200, "text/html", "was not built"},
		"/first-start":     {200, "text/html", `src="first-start.js"`},
		"/first-start.js":  {200, "text/javascript", "api/v1/session/first-admin"},
		"/style.css":       {200, "text/css", "color"},
		"/nothing":         {404, "text/plain", "no page"},
		"/../web.go":       {404, "text/plain", "no page"},
		"/placeholder/web": {404, "text/plain", "no page"},
	} {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		if w.Code != want.status || !strings.HasPrefix(w.Header().Get("Content-Type"), want.kind) || !strings.Contains(w.Body.String(), want.says) {
			t.Errorf("%s: %d %s %.60q, want %d %s with %q", url, w.Code, w.Header().Get("Content-Type"), w.Body, want.status, want.kind, want.says)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", url, csp)
		}
	}
}
