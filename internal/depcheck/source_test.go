package depcheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// blankImports are the imports for effect that are allowed, everywhere: each does nothing when the program starts.
var blankImports = map[string]string{
	"embed":       "needed for //go:embed into a string or bytes",
	"time/tzdata": "time zones for devices that have none; data only",
}

// TestNothingRunsBeforeMain holds all code, tests included, to rule 6: registration is an explicit table.
func TestNothingRunsBeforeMain(t *testing.T) {
	const top = "../.."
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if skipFolder(top, path, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") {
			checkFile(t, path, nil)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSourceRulesBite(t *testing.T) {
	for source, want := range map[string]int{
		"package p\nfunc init() {}":                    1,
		"package p\nimport _ \"net/http/pprof\"":       1,
		"package p\nimport _ \"embed\"":                0,
		"package p\ntype t int\nfunc (t) init() {}":    0,
		"package p\nimport (\n_ \"os\"\n_ \"time\"\n)": 2,
	} {
		if got := len(fileProblems(t, "example.go", source)); got != want {
			t.Errorf("%q: %d problems, want %d", source, got, want)
		}
	}
}

func checkFile(t *testing.T, path string, source any) {
	t.Helper()
	for _, problem := range fileProblems(t, path, source) {
		t.Error(problem)
	}
}

func fileProblems(t *testing.T, path string, source any) []string {
	t.Helper()
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Logf("%v: not checked; the compiler will say more", err)
		return nil
	}
	var problems []string
	for _, imported := range file.Imports {
		name, err := strconv.Unquote(imported.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if imported.Name != nil && imported.Name.Name == "_" && blankImports[name] == "" {
			problems = append(problems, positions.Position(imported.Pos()).String()+": imports "+name+
				" for its effect: call what it registers from main, or name it in blankImports with a reason")
		}
	}
	for _, declared := range file.Decls {
		if function, ok := declared.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
			problems = append(problems, positions.Position(function.Pos()).String()+
				": func init runs before main and cannot fail: call it from where it is needed")
		}
	}
	return problems
}

func skipFolder(top, path, name string) bool {
	relative, err := filepath.Rel(top, path)
	switch {
	case err != nil:
		return false
	case name == "testdata" || name == "node_modules":
		return true
	case path != top && strings.HasPrefix(name, "."):
		return true
	}
	return relative == "data" || relative == "bin"
}
