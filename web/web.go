// Package web is the console's files, built into the hub, and nothing else. While the console is not built, a plain
// page stands in its place, which says how to go on without it, and the page of the one-time link works.
//
// It never asks who reads the files: they hold nothing that is secret, and everything else is asked of the API. All
// links in the pages are relative, so that they work below any path prefix. Nothing is loaded from elsewhere, and no
// script or style is inline. A handler has no state and may be used by any number of goroutines.
package web

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed all:dist placeholder
var files embed.FS

// Handler serves the console, or the placeholder where the console was not built.
func Handler() http.Handler {
	if _, err := fs.Stat(files, "dist/index.html"); err == nil {
		return handler{folder("dist")}
	}
	return handler{folder("placeholder")}
}

func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic("web: " + err.Error()) // only a name that is no path has an error
	}
	return sub
}
