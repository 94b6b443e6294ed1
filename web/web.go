// Package web is the console's files, built into the hub, and nothing else. While the console is not built, a plain
// page stands in its place, which says how to go on without it, and the page of the one-time link works.
//
// All links in the pages are relative, so that they work below any path prefix. Nothing is loaded from elsewhere, and
// no script or style is inline. A handler has no state.
package web

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

//go:embed placeholder
var files embed.FS

// policy lets pages load their own files and ask their own hub, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// types of the files by their ending. They are named here, because a system may know them by other names.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
}

// Handler serves the console: each page by its name, with or without .html.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "This is a page: it can only be read.", http.StatusMethodNotAllowed)
			return
		}
		content, kind, ok := find(r.URL.Path)
		if !ok {
			http.Error(w, "There is no page here: begin at the hub's address without a path.", http.StatusNotFound)
			return
		}
		h.Set("Content-Type", kind)
		if r.Method == http.MethodGet {
			_, _ = w.Write(content) // whoever has gone needs no page
		}
	})
}

func find(url string) (content []byte, kind string, ok bool) {
	name := path.Clean("/" + url)[1:]
	if name == "" {
		name = "index.html"
	}
	if path.Ext(name) == "" {
		name += ".html"
	}
	content, err := fs.ReadFile(files, path.Join("placeholder", name))
	return content, types[path.Ext(name)], err == nil
}
