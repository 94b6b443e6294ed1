package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	script = "export const answer = 42;\n"
	asBr   = "the script in brotli" // Go packs no brotli: what is in the file is sent as it is
)

// built is a console as the build leaves it: what gets smaller is there only in its two smaller forms.
func built(t *testing.T) handler {
	file := func(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }
	return handler{fstest.MapFS{
		"index.html": file(`<html><head><base href="./" /><meta name="csp-nonce" content="__NONCE__" />` +
			`<link nonce="__NONCE__" rel="stylesheet" href="./assets/app-1.css"></head>The console</html>`),
		"icon.svg":           file("<svg/>"),
		".gitignore":         file("*"),
		"assets/app-1.css":   file("a{}"),
		"assets/app-1.js.br": file(asBr),
		"assets/app-1.js.gz": file(string(pack(t, script))),
	}}
}

func pack(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEachAnswerHasItsOwnNonce(t *testing.T) {
	h := built(t)
	inPage, inPolicy := regexp.MustCompile(`(?:content|nonce)="([^"]+)"`), regexp.MustCompile(`style-src 'self' 'nonce-([^']+)'`)
	seen := map[string]bool{}
	for range 3 {
		w := get(h, "/")
		policy := inPolicy.FindStringSubmatch(w.Header().Get("Content-Security-Policy"))
		page := inPage.FindAllStringSubmatch(w.Body.String(), -1)
		if policy == nil || len(page) != 2 || page[0][1] != policy[1] || page[1][1] != policy[1] || len(policy[1]) < 22 {
			t.Fatalf("nonces %q in the page, %q in the policy", page, policy)
		}
		if seen[policy[1]] {
			t.Errorf("nonce %s came twice", policy[1])
		}
		seen[policy[1]] = true
		if w.Header().Get("ETag") != "" || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("a page with a nonce may be taken from a cache: %v", w.Header())
		}
	}
}

func TestPolicyIsStrict(t *testing.T) {
	h := built(t)
	for _, address := range []string{"/", "/icon.svg", "/assets/app-1.js", "/assets/none.js"} {
		header := get(h, address).Header()
		policy := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "base-uri 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q has no %s", address, policy, want)
			}
		}
		for _, never := range []string{"unsafe", "http", "*", "{"} {
			if strings.Contains(policy, never) {
				t.Errorf("%s: policy %q has %s", address, policy, never)
			}
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if header.Get(name) != want {
				t.Errorf("%s: %s is %q", address, name, header.Get(name))
			}
		}
	}
}

func TestEveryPlaceIsThePage(t *testing.T) {
	h := built(t)
	for address, base := range map[string]string{
		"/":                         "./",
		"/index.html":               "./",
		"/devices":                  "./",
		"/devices/x":                "../",
		"/devices/x/":               "../../",
		"/groups/plants/oslo/north": "../../../",
		"/devices/a%2Fb":            "../", // one step for a browser
		"/devices/<b>":              "../",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if u, err := r.URL.Parse(address); err == nil {
			r.URL = u
		} else {
			t.Fatal(err)
		}
		w := ask(h, r)
		if want := `<base href="` + base + `" />`; w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %q, want %s", address, w.Code, w.Body, want)
		}
	}
	// A name with a dot in it is told from a file by what is asked for.
	browser := "text/html,application/xhtml+xml,*/*;q=0.8"
	if w := get(h, "/devices/pump.example.com", "Accept", browser); w.Code != 200 || !strings.Contains(w.Body.String(), "The console") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	for _, address := range []string{"/missing.png", "/assets/gone-2.js", "/assets/gone", "/assets", "/assets/"} {
		if w := get(h, address); w.Code != 404 {
			t.Errorf("%s: %d %q", address, w.Code, w.Body)
		}
	}
	if w := get(h, "/assets/gone-2.js", "Accept", browser); w.Code != 404 {
		t.Errorf("a page in place of a script: %d", w.Code)
	}
}

func TestNothingOutsideTheFolderIsServed(t *testing.T) {
	h := built(t)
	for _, address := range []string{
		"/.gitignore", "/../web.go", "/assets/../../web.go", "/assets/..\\web.go", "//etc/passwd.txt", "/a\x00.js", "/assets/.x.js",
	} {
		if w := get(h, address); w.Code != 404 {
			t.Errorf("%q: %d %.60q", address, w.Code, w.Body)
		}
	}
}

func TestFilesComeInTheFewestBytesTheAskerReads(t *testing.T) {
	h := built(t)
	packed := string(pack(t, script))
	tags := map[string]string{}
	for accepted, want := range map[string][2]string{
		"":                                {"", script},
		"identity":                        {"", script},
		"gzip":                            {"gzip", packed},
		"gzip, deflate, br, zstd":         {"br", asBr},
		"GZIP;q=1.0":                      {"gzip", packed},
		"br;q=0.5, gzip;q=0.8":            {"gzip", packed},
		"br;q=0, *":                       {"gzip", packed},
		"*":                               {"br", asBr},
		"*;q=0":                           {"", script},
		"gzip;q=0":                        {"", script},
		"gzip;q=0.2, identity;q=0.9":      {"", script},
		"gzip;q=nonsense":                 {"", script},
		"gzip;q=NaN, br;q=-1, zstd;q=1e9": {"", script},
		",;,;q=,=":                        {"", script},
	} {
		w := get(h, "/assets/app-1.js", "Accept-Encoding", accepted)
		header := w.Header()
		if header.Get("Content-Encoding") != want[0] || w.Body.String() != want[1] {
			t.Errorf("%q: %q %q", accepted, header.Get("Content-Encoding"), w.Body)
		}
		if header.Get("Vary") != "Accept-Encoding" || header.Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%q: %v", accepted, header)
		}
		tags[header.Get("ETag")] = want[0]
	}
	if len(tags) != 3 {
		t.Errorf("three forms of a file have the ETags %v", tags)
	}
	if w := get(h, "/assets/app-1.css", "Accept-Encoding", "br"); w.Body.String() != "a{}" || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("a file that does not get smaller: %v %q", w.Header(), w.Body)
	}
}

func TestCaches(t *testing.T) {
	h := built(t)
	for address, want := range map[string]string{
		"/assets/app-1.css": "public, max-age=31536000, immutable",
		"/assets/app-1.js":  "public, max-age=31536000, immutable",
		"/assets/gone.js":   "no-cache",
		"/icon.svg":         "no-cache",
		"/":                 "no-cache",
	} {
		if got := get(h, address).Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	tag := get(h, "/icon.svg").Header().Get("ETag")
	if w := get(h, "/icon.svg", "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("the file that the browser has: %d %q", w.Code, w.Body)
	}
	if w := get(h, "/icon.svg", "If-None-Match", `"other"`); w.Code != 200 || w.Body.String() != "<svg/>" {
		t.Errorf("another file than the browser has: %d %q", w.Code, w.Body)
	}
}

func TestMethodsAndRanges(t *testing.T) {
	h := built(t)
	for _, address := range []string{"/", "/icon.svg", "/assets/app-1.js"} {
		if w := ask(h, httptest.NewRequest(http.MethodHead, address, nil)); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Type") == "" {
			t.Errorf("HEAD %s: %d %v %q", address, w.Code, w.Header(), w.Body)
		}
		if w := ask(h, httptest.NewRequest(http.MethodPost, address, nil)); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d %v", address, w.Code, w.Header())
		}
	}
	if w := get(h, "/icon.svg", "Range", "bytes=1-3"); w.Code != http.StatusPartialContent || w.Body.String() != "svg" {
		t.Errorf("a part: %d %q", w.Code, w.Body)
	}
	if w := get(h, "/icon.svg", "Range", "bytes=99-"); w.Code != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a part that is not there: %d", w.Code)
	}
}

func FuzzQuality(f *testing.F) {
	f.Add("gzip;q=0.5, br")
	f.Fuzz(func(t *testing.T, accepted string) {
		if q := quality(accepted, brotli); !(q >= 0 && q <= 1) {
			t.Errorf("%q: %v", accepted, q)
		}
	})
}
