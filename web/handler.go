package web

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// What pages may do, which is to load their own files and to ask their own hub. A page's own nonce is added for the
// style tags that its scripts make.
const (
	policy = "default-src 'none'; script-src 'self'; style-src 'self'{nonce}; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
	// The camera reads a device's QR code.
	permissions = "camera=(self), accelerometer=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), " +
		"microphone=(), midi=(), payment=(), usb=()"
)

// What stands in a page for what differs each time: the nonce, and the way from the page's address to the hub's.
const (
	nonceMark = "__NONCE__"
	baseMark  = `<base href="./"`
)

// handler serves a folder of files: those below assets/ have a hash of what they hold in their names, and name.br and
// name.gz hold the file name in fewer bytes, most often in its place. Every other address is a place in index.html.
type handler struct{ files fs.FS }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", strings.Replace(policy, "{nonce}", "", 1))
	header.Set("Permissions-Policy", permissions)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-cache")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "This is a page: it can only be read.", http.StatusMethodNotAllowed)
		return
	}
	name := path.Clean("/" + r.URL.Path)[1:]
	page := h.page(name, r)
	switch {
	case page != "":
		h.servePage(w, r, page)
	case !h.serveFile(w, r, name):
		http.Error(w, "There is no page here: begin at the hub's address without a path.", http.StatusNotFound)
	}
}

// page says which page is asked for. "": none, but a file.
func (h handler) page(name string, r *http.Request) string {
	switch {
	case path.Ext(name) == ".html" && h.has(name):
		return name
	case name != "" && h.has(name+".html"):
		return name + ".html"
	case h.has(name) || h.has(name+".gz") || strings.HasPrefix(name, "assets/") || name == "assets":
		return ""
	case path.Ext(name) == "" || strings.Contains(r.Header.Get("Accept"), "text/html"): // names may have dots in them
		return "index.html"
	}
	return ""
}

// servePage serves a page as it has to be for this answer. It has no ETag: a page out of a cache has the nonce of the
// answer that brought it, and would meet the policy of another.
func (h handler) servePage(w http.ResponseWriter, r *http.Request, name string) {
	page, err := fs.ReadFile(h.files, name)
	if err != nil {
		http.Error(w, "This page cannot be read.", http.StatusInternalServerError)
		return
	}
	nonce := rand.Text()
	page = bytes.ReplaceAll(page, []byte(nonceMark), []byte(nonce))
	page = bytes.Replace(page, []byte(baseMark), []byte(`<base href="`+base(r.URL.EscapedPath())+`"`), 1)
	w.Header().Set("Content-Security-Policy", strings.Replace(policy, "{nonce}", " 'nonce-"+nonce+"'", 1))
	w.Header().Set("Content-Type", types(name))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(page))
}

// base is the way from the page at an address to the hub's address, however much of the path a proxy has taken away.
func base(address string) string {
	if depth := strings.Count(address, "/") - 1; depth > 0 {
		return strings.Repeat("../", depth)
	}
	return "./"
}

// serveFile serves a file in the encoding that suits whoever asks, and tells whether there is such a file.
func (h handler) serveFile(w http.ResponseWriter, r *http.Request, name string) bool {
	if strings.HasPrefix(name, ".") || strings.Contains(name, "/.") || !fs.ValidPath(name) {
		return false
	}
	content, encoding, err := h.read(name, r.Header.Get("Accept-Encoding"))
	if err != nil {
		return false
	}
	header := w.Header()
	header.Set("Vary", "Accept-Encoding")
	header.Set("Content-Type", types(name))
	if encoding != identity {
		header.Set("Content-Encoding", encoding)
	}
	if strings.HasPrefix(name, "assets/") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	sum := sha256.Sum256(content)
	header.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return true
}

func (h handler) has(name string) bool {
	info, err := fs.Stat(h.files, name)
	return err == nil && info.Mode().IsRegular()
}

// types of the files by their ending. They are named here, because a system may know them by other names.
func types(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
