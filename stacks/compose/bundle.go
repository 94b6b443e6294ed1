package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/staging"
)

// bundle is a bundle while it is loaded. It belongs to one goroutine.
type bundle struct {
	dir   string                // absolute
	files map[string][]byte     // by name
	env   map[string]string     // Source.Env over .env
	main  string                // the first compose file
	docs  map[string]*yaml.Node // the compose files seen by scan, by name

	models     map[string][]any // what docs decode to, all documents of each
	chain      []string         // the files that scan is in, by way of includes
	scanned    map[scan]bool
	scopes     int
	opened     int // files that the loader will open, each time it does
	openSize   int // their bytes
	expanded   int // bytes that variables were replaced with
	references int // to variables
	ports      int // in ranges

	variables map[string]bool // the files of variables that were read
	chosen    bool            // a variable says which file is read
}

func openBundle(dir string) (*bundle, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("read bundle %q: the folder must be an absolute path", dir)
	}
	files, err := staging.Read(dir)
	if errors.Is(err, staging.ErrBadName) {
		return nil, &Error{Code: ipc.CodePathOutside, Text: err.Error(), Remedy: "bundles hold plain files only"}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Code: ipc.CodeMissingFile, Text: "the folder with the bundle's files is gone", Remedy: "apply the stack again"}
	}
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	return &bundle{dir: filepath.Clean(dir), files: files, docs: map[string]*yaml.Node{}, models: map[string][]any{}, scanned: map[scan]bool{}, variables: map[string]bool{}}, nil
}

// choose finds the compose files.
func (b *bundle) choose(names []string) ([]string, error) {
	if len(names) == 0 {
		for _, name := range DefaultFiles() {
			if _, ok := b.files[name]; ok {
				b.main = name
				return []string{name}, nil
			}
		}
		return nil, &Error{
			Code: ipc.CodeMissingFile, Text: "the bundle has no compose file",
			Remedy: "name it " + strings.Join(DefaultFiles(), " or "),
		}
	}
	for _, name := range names {
		if staging.CheckName(name) != nil {
			return nil, outside("", 0, fmt.Sprintf("the compose file %q", name))
		}
		if _, ok := b.files[name]; !ok {
			return nil, &Error{Code: ipc.CodeMissingFile, Text: fmt.Sprintf("the bundle has no compose file %q", name), Remedy: "add it, or correct its name"}
		}
	}
	b.main = names[0]
	return names, nil
}

// where is a place in a file of the bundle.
type where struct {
	file string
	line int
}

// resolvePath returns value, which is relative to base, relative to the bundle, if it is a file of the bundle.
func (b *bundle) resolvePath(base, value, what string, at where) (string, error) {
	rel := path.Join(base, value)
	if path.IsAbs(value) || strings.HasPrefix(value, "~") || strings.Contains(value, "://") || !fs.ValidPath(rel) {
		return "", outside(at.file, at.line, what)
	}
	if _, ok := b.files[rel]; !ok {
		return "", &Error{
			Code: ipc.CodeMissingFile, File: at.file, Line: at.line, Text: fmt.Sprintf("%s: the bundle has no file %q", what, rel),
			Remedy: "add it to the bundle, or correct its name",
		}
	}
	return rel, nil
}

// has says whether the bundle has a file or a folder rel.
func (b *bundle) has(rel string) bool {
	_, err := os.Lstat(filepath.Join(b.dir, filepath.FromSlash(rel)))
	return err == nil
}

// relative takes the folder of the bundle out of a sentence, so that people read the names they know.
func (b *bundle) relative(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, b.dir+string(filepath.Separator), ""), b.dir, "the bundle")
}

// redact takes the values of variables out of a sentence: they may be secret. Short ones are left, as they would
// mutilate the sentence and are no secrets.
func (b *bundle) redact(text string) string {
	var values []string
	for _, v := range b.env {
		if len(v) >= 5 {
			values = append(values, v)
		}
	}
	sort.Slice(values, func(i, j int) bool { return len(values[i]) > len(values[j]) })
	for _, v := range values {
		text = strings.ReplaceAll(text, v, "***")
	}
	return text
}

// find is the place of what path leads to, in whichever compose file goes deepest along it; the main file goes first.
func (b *bundle) find(path ...string) where {
	names := slices.Sorted(maps.Keys(b.docs))
	names = append([]string{b.main}, names...)
	for depth := len(path); depth > 1; depth-- {
		for _, name := range names {
			if line, n := b.descend(name, path[:depth]); n == depth {
				return where{name, line}
			}
		}
	}
	return where{file: b.main}
}

// line finds the line of the deepest node that path leads to in a compose file; 0 when nothing of it is there.
func (b *bundle) line(file string, path []string) int {
	line, _ := b.descend(file, path)
	return line
}

// descend follows path from the top of a compose file and returns the line of the last node found and how many were.
func (b *bundle) descend(file string, path []string) (line, depth int) {
	node := resolve(b.docs[file])
	for _, key := range path {
		if node == nil {
			break
		}
		found := false
		if node.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(node.Content); i += 2 {
				if node.Content[i].Value == key {
					line, node, found = node.Content[i].Line, resolve(node.Content[i+1]), true
					break
				}
			}
		}
		if node != nil && node.Kind == yaml.SequenceNode {
			var i int
			if n, _ := fmt.Sscanf(key, "%d", &i); n == 1 && i >= 0 && i < len(node.Content) {
				node, found = resolve(node.Content[i]), true
				line = node.Line
			}
		}
		if !found {
			break
		}
		depth++
	}
	return line, depth
}

func outside(file string, line int, what string) *Error {
	return &Error{
		Code: ipc.CodePathOutside, File: file, Line: line, Text: what + " is outside the bundle",
		Remedy: "add the file to the bundle and refer to it by a relative path",
	}
}

// resolve steps over document and alias nodes; nil stays nil.
func resolve(n *yaml.Node) *yaml.Node {
	for n != nil {
		switch {
		case n.Kind == yaml.DocumentNode && len(n.Content) > 0:
			n = n.Content[0]
		case n.Kind == yaml.AliasNode:
			n = n.Alias
		default:
			return n
		}
	}
	return nil
}
