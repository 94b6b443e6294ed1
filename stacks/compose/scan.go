package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3" // the loader's, so that both read the same

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Bounds of what the loader is let do, so that a few lines cannot fill the memory or take hours.
const (
	// maxNodes of a document, its aliases written out.
	maxNodes = 200_000
	// maxOpened files, counting each time that one is opened, and maxOpenSize bytes of them.
	maxOpened   = 5000
	maxOpenSize = 16 << 20
)

// scope is what a compose file is read in. Whatever is included has one of its own, by its id.
type scope struct {
	id   int
	base string            // the folder that paths are relative to
	env  map[string]string // the variables
}

// scan names a compose file that was scanned.
type scan struct {
	name, base string
	scope      int
}

// scan parses a compose file and those it includes or extends, before the loader opens any of them: it refuses what
// leaves the bundle, what is missing, what is not well-formed, and what would explode. It looks at what the YAML comes
// to, since there are many ways to spell a key: merges, aliases, tags.
func (b *bundle) scan(name string, in scope) error {
	if key := (scan{name, in.base, in.id}); b.scanned[key] {
		return nil
	} else {
		b.scanned[key] = true
	}
	models, err := b.decode(name)
	if err != nil {
		return err
	}
	for _, model := range models {
		if err := b.scanExtends(name, in, mapping(mapping(model)["services"])); err != nil {
			return err
		}
	}
	b.chain = append(b.chain, name)
	defer func() { b.chain = b.chain[:len(b.chain)-1] }()
	for _, model := range models {
		includes, _ := mapping(model)["include"].([]any)
		for i, entry := range includes {
			if err := b.scanInclude(name, in, i, entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// decode parses a compose file once.
func (b *bundle) decode(name string) ([]any, error) {
	if models, ok := b.models[name]; ok {
		return models, nil
	}
	var models []any
	for dec := yaml.NewDecoder(bytes.NewReader(b.files[name])); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, b.syntaxError(name, err.Error())
		}
		if expanded(&doc, map[*yaml.Node]int{}) > maxNodes {
			return nil, &Error{Code: ipc.CodeComposeSyntax, File: name, Text: "its aliases expand to too much", Remedy: "write it with fewer aliases"}
		}
		if b.docs[name] == nil {
			b.docs[name] = &doc
		}
		var model any
		if err := doc.Decode(&model); err != nil {
			return nil, b.syntaxError(name, err.Error())
		}
		models = append(models, model)
	}
	if models == nil {
		return nil, &Error{Code: ipc.CodeComposeInvalid, File: name, Text: "the file is empty", Remedy: "add a services section"}
	}
	b.models[name] = models
	return models, nil
}

func (b *bundle) scanExtends(name string, in scope, services map[string]any) error {
	for service, v := range services {
		file, ok := mapping(mapping(v)["extends"])["file"]
		if !ok || file == nil {
			continue
		}
		rel, err := b.follow(name, in, reference{"extends", file, []string{"services", service, "extends", "file"}})
		if err != nil {
			return err
		}
		if err := b.scan(rel, scope{in.id, path.Dir(rel), in.env}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bundle) scanInclude(name string, in scope, i int, entry any) error {
	at := []string{"include", strconv.Itoa(i)}
	refs := []reference{{"include", entry, at}}
	if m := mapping(entry); m != nil {
		for key := range m {
			if key != "path" {
				line, _ := b.descend(name, append(at, key))
				return &Error{
					Code: ipc.CodeComposeInvalid, File: name, Line: line, Text: "include with " + key + " is not supported",
					Remedy: "put the variables in the .env beside the included file, and write paths relative to it",
				}
			}
		}
		refs = []reference{{"include", m["path"], append(at, "path")}}
		if paths, ok := m["path"].([]any); ok {
			refs = nil
			for j, p := range paths {
				refs = append(refs, reference{"include", p, append(slices.Clone(at), "path", strconv.Itoa(j))})
			}
		}
	}
	var files []string
	for _, ref := range refs {
		rel, err := b.follow(name, in, ref)
		if err != nil {
			return err
		}
		files = append(files, rel)
	}
	if len(files) == 0 {
		return nil // the loader refuses it
	}
	if slices.Contains(b.chain, files[0]) {
		return nil // a cycle, which the loader reports
	}
	dir := path.Dir(files[0]) // also for the files beside the first
	env, err := b.overEnv(path.Join(dir, ".env"), in.env)
	if err != nil {
		return err
	}
	b.scopes++
	for _, file := range files {
		if slices.Contains(b.chain, file) {
			return &Error{Code: ipc.CodeComposeInvalid, File: name, Text: fmt.Sprintf("%s is included within itself", file), Remedy: "remove the include"}
		}
		if err := b.scan(file, scope{b.scopes, dir, env}); err != nil {
			return err
		}
	}
	return nil
}

// reference is where a compose file names another.
type reference struct {
	what  string // the key
	value any
	at    []string // the path to it
}

// follow returns the name of the file that is referred to, and counts that the loader opens it.
func (b *bundle) follow(name string, in scope, ref reference) (string, error) {
	line, _ := b.descend(name, ref.at)
	text, ok := ref.value.(string)
	if !ok {
		return "", &Error{Code: ipc.CodeComposeInvalid, File: name, Line: line, Text: "what " + ref.what + " names is not a file name", Remedy: "write a relative path"}
	}
	b.chosen = b.chosen || holdsVariable(text)
	value, err := b.substitute(text, func(k string) (string, bool) { v, ok := in.env[k]; return v, ok })
	if err != nil {
		return "", b.explain(err)
	}
	rel, err := b.resolvePath(in.base, value, fmt.Sprintf("%s of %q", ref.what, value), where{name, line})
	if err != nil {
		return "", err
	}
	b.opened++
	b.openSize += len(b.files[rel])
	if b.opened > maxOpened || b.openSize > maxOpenSize {
		return "", &Error{Code: ipc.CodeComposeInvalid, File: name, Line: line, Text: "files are included or extended too often", Remedy: "use fewer, or smaller ones"}
	}
	return rel, nil
}

// mapping is v as a mapping by its textual keys, nil when it is none.
func mapping(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return v
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			if text, ok := key.(string); ok {
				m[text] = value
			}
		}
		return m
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
