package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"gopkg.in/yaml.v3"

	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/staging"
)

// maxNodes bounds a compose file's size after its aliases are expanded, so that a few lines cannot fill the memory.
const maxNodes = 200_000

// bundle is a bundle while it is loaded. It belongs to one goroutine.
type bundle struct {
	dir   string                // absolute
	files map[string][]byte     // by name
	env   map[string]string     // Source.Env over .env
	main  string                // the first compose file
	docs  map[string]*yaml.Node // the compose files seen by scan, by name
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
	return &bundle{dir: filepath.Clean(dir), files: files, docs: map[string]*yaml.Node{}}, nil
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

// environment merges env over the bundle's .env.
func (b *bundle) environment(env map[string]string) error {
	b.env = map[string]string{}
	if data, ok := b.files[".env"]; ok {
		vars, err := b.dotenv(".env", data, env)
		if err != nil {
			return err
		}
		b.env = vars
	}
	for k, v := range env {
		b.env[k] = v
	}
	return nil
}

// dotenv reads a file of variables. Its error never repeats the file's text, which may be secret.
func (b *bundle) dotenv(name string, data []byte, env map[string]string) (map[string]string, error) {
	vars, err := dotenv.ParseWithLookup(bytes.NewReader(data), func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	if err == nil {
		return vars, nil
	}
	e := &Error{Code: ipc.CodeComposeSyntax, File: name, Text: "this is not a list of NAME=value lines", Remedy: "correct the line, or quote its value"}
	if m := reLine.FindStringSubmatch(err.Error()); m != nil {
		_, _ = fmt.Sscanf(m[1], "%d", &e.Line)
	}
	return nil, e
}

// scan parses a compose file and those it includes or extends, before the loader opens any of them: it refuses what
// leaves the bundle, what is missing and what is not well-formed. base is the folder that paths in it are relative to.
func (b *bundle) scan(name, base string) error {
	if _, seen := b.docs[name]; seen {
		return nil // the loader reports cycles
	}
	dec := yaml.NewDecoder(bytes.NewReader(b.files[name]))
	var first *yaml.Node
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return syntaxError(name, err.Error())
		}
		if expanded(&doc, map[*yaml.Node]int{}) > maxNodes {
			return &Error{Code: ipc.CodeComposeSyntax, File: name, Text: "its aliases expand to too much", Remedy: "write it with fewer aliases"}
		}
		if first == nil {
			first = &doc
			b.docs[name] = first
		}
		if err := b.scanDocument(name, base, &doc); err != nil {
			return err
		}
	}
	if first == nil {
		return &Error{Code: ipc.CodeComposeInvalid, File: name, Text: "the file is empty", Remedy: "add a services section"}
	}
	return nil
}

func (b *bundle) scanDocument(name, base string, doc *yaml.Node) error {
	root := resolve(doc)
	if include := child(root, "include"); include != nil {
		for _, entry := range resolve(include).Content {
			if err := b.scanInclude(name, base, resolve(entry)); err != nil {
				return err
			}
		}
	}
	services := resolve(child(root, "services"))
	if services == nil || services.Kind != yaml.MappingNode {
		return nil
	}
	for i := 1; i < len(services.Content); i += 2 {
		file := resolve(child(child(services.Content[i], "extends"), "file"))
		if file == nil {
			continue
		}
		if err := b.follow(name, base, "extends", file); err != nil {
			return err
		}
	}
	return nil
}

func (b *bundle) scanInclude(name, base string, entry *yaml.Node) error {
	if entry.Kind == yaml.ScalarNode {
		return b.follow(name, base, "include", entry)
	}
	for _, key := range []string{"project_directory", "env_file"} {
		if n := child(entry, key); n != nil {
			return &Error{
				Code: ipc.CodeComposeInvalid, File: name, Line: n.Line, Text: "include with " + key + " is not supported",
				Remedy: "put the variables in the .env beside the included file, and write paths relative to it",
			}
		}
	}
	paths := resolve(child(entry, "path"))
	if paths == nil {
		return nil // the loader refuses it
	}
	if paths.Kind == yaml.ScalarNode {
		return b.follow(name, base, "include", paths)
	}
	for _, p := range paths.Content {
		if err := b.follow(name, base, "include", resolve(p)); err != nil {
			return err
		}
	}
	return nil
}

// follow scans the compose file that the scalar ref of the file name refers to.
func (b *bundle) follow(name, base, what string, ref *yaml.Node) error {
	value, err := template.Substitute(ref.Value, func(k string) (string, bool) { v, ok := b.env[k]; return v, ok })
	if err != nil {
		return b.explain(err)
	}
	rel, err := b.resolvePath(base, value, fmt.Sprintf("%s of %q", what, value), where{name, ref.Line})
	if err != nil {
		return err
	}
	dir := path.Dir(rel)
	if data, ok := b.files[path.Join(dir, ".env")]; ok && what == "include" {
		if _, err := b.dotenv(path.Join(dir, ".env"), data, b.env); err != nil {
			return err
		}
	}
	return b.scan(rel, dir)
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

// child is the value of a key of a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// expanded counts nodes as if aliases were written out, up to a little over maxNodes. An alias within itself counts as
// too much.
func expanded(n *yaml.Node, seen map[*yaml.Node]int) int {
	if n == nil {
		return 0
	}
	if n.Kind == yaml.AliasNode {
		return expanded(n.Alias, seen)
	}
	if known, ok := seen[n]; ok {
		return known
	}
	seen[n] = maxNodes + 1
	total := 1
	for _, c := range n.Content {
		if total += expanded(c, seen); total > maxNodes {
			return maxNodes + 1
		}
	}
	seen[n] = total
	return total
}
