package depcheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/farshore/farshore"

// pkg is what `go list` says of a package; the project's own packages are named without the module.
type pkg struct {
	ImportPath   string
	Imports      []string // of the package itself
	TestImports  []string // of its tests, in the package
	XTestImports []string // of its tests, beside the package
	Deps         []string // everything it links
}

// load lists the project's packages as they are for Linux, tests of all tags included. Broken packages are listed as far
// as they go: saying what is wrong with them is the compiler's part.
func load(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-tags", "soak,bench",
		"-json=ImportPath,Imports,TestImports,XTestImports,Deps", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS=linux")
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("output of go list: %v", err)
		}
		p.ImportPath = short(p.ImportPath)
		for _, list := range [][]string{p.Imports, p.TestImports, p.XTestImports, p.Deps} {
			for i := range list {
				list[i] = short(list[i])
			}
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("go list found no packages")
	}
	return all
}

// short turns a package of the project into "./path"; others stay as they are.
func short(path string) string {
	if rest, ok := strings.CutPrefix(path, module); ok && (rest == "" || rest[0] == '/') {
		return "." + rest
	}
	return path
}

// matches tells whether path is one of the patterns: "a/b" is that package, "a/b/..." also everything below it.
func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		tree, isTree := strings.CutSuffix(pattern, "/...")
		return path == tree || isTree && strings.HasPrefix(path, tree+"/")
	})
}

// folder is the part of an own package's path that is one unit by rule 1: "./internal/meter" of "./internal/meter/x".
func folder(path string) string {
	parts := strings.SplitN(path, "/", 4)
	return strings.Join(parts[:min(len(parts), 3)], "/")
}
