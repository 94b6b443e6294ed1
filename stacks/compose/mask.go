package compose

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Masked stands in the place of what a reader may not see. A bundle that has it is not one to be applied.
const Masked = "MASKED-BY-FARSHORE"

// Mask gives the bundle, file contents by path, as it is shown to those who may not see secrets, and reports whether
// anything is masked in it. Lines stay where they are. Masked are:
//
//   - values of environment and build arguments, but for references to variables;
//   - contents of secrets and configs, and the values of keys that are named like a password;
//   - environment files, and files that secrets are made of, whatever they are called;
//   - arguments and addresses with a password in them.
//
// Other files are shown as they are. What cannot be read is masked whole.
func Mask(files map[string][]byte) (map[string][]byte, bool) {
	m := masking{env: map[string]bool{}, whole: map[string]bool{}, yaml: map[string]bool{}, seen: map[*yaml.Node]bool{}}
	docs := map[string][]*yaml.Node{}
	for grown := true; grown; { // a file that is included may name others
		grown = false
		for name := range files {
			if _, done := docs[name]; done || !m.yaml[path.Base(name)] && !isYAML(name) {
				continue
			}
			docs[name], grown = parseAll(files[name]), true
			for _, doc := range docs[name] {
				m.references(doc, "")
			}
		}
	}
	out, any := make(map[string][]byte, len(files)), false
	for name, content := range files {
		base := path.Base(name)
		read, isDoc := docs[name]
		switch {
		case isDoc && read != nil:
			out[name] = maskYAML(content, read)
		case isDoc, m.whole[base]:
			out[name] = maskLines(content, wholeLine)
		case m.env[base], strings.Contains(strings.ToLower(base), "env"):
			out[name] = maskLines(content, envLine)
		case m.unknown:
			out[name] = maskLines(content, wholeLine)
		default:
			out[name] = content
		}
		any = any || !bytes.Equal(out[name], content)
	}
	return out, any
}

// LooksSecret reports whether what is called so is likely a password, a key, or the like.
func LooksSecret(name string) bool { return secretName.MatchString(name) }

var (
	secretName = regexp.MustCompile(`(?i)pass(word|wd|phrase)?($|[^a-z])|pwd|secret|token|credential|(api|access|private|auth|encryption|signing)[-_.]?key|auth($|[-_.])`)
	// secretArgument is a password among arguments, or in an address.
	secretArgument = regexp.MustCompile(`(?i)(pass|pwd|secret|token|credential|api[-_]?key|auth)[a-z_-]*["']?[=: ]+["']?[^\s-]|://[^/\s@]*:[^/\s@]+@`)
	bareReference  = regexp.MustCompile(`^\$(\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z_][A-Za-z0-9_]*)$`)
	variableName   = regexp.MustCompile(`^["']?[A-Za-z_][A-Za-z0-9_.-]*(=|["']?$)`)
	argumentName   = regexp.MustCompile(`^["']?[A-Za-z0-9_./-]+=`)
	envName        = regexp.MustCompile(`^\s*#*\s*(export\s+)?[A-Za-z_][A-Za-z0-9_.-]*\s*[=:]`)
)

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml")
}

// masking is what compose files say of the other files, which go by the last part of their path: relative to what a path
// is depends on more than is known here.
type masking struct {
	env, whole, yaml map[string]bool
	unknown          bool // a file is named by a variable
	seen             map[*yaml.Node]bool
}

// references finds the files that a document names; under is the key above.
func (m *masking) references(n *yaml.Node, under string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			switch {
			case key == "env_file":
				m.add(m.env, value)
			case key == "file" && under == "secrets":
				m.add(m.whole, value)
			case key == "include", key == "extends", key == "file" && under == "extends", key == "path" && under == "include":
				m.add(m.yaml, value)
			}
			below := key
			if under == "secrets" && value.Kind == yaml.MappingNode {
				below = "secrets" // the name of a secret stands between
			}
			m.references(value, below)
		}
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, item := range n.Content {
			m.references(item, under)
		}
	}
}

func (m *masking) add(to map[string]bool, n *yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		to[path.Base(n.Value)] = true
		m.unknown = m.unknown || strings.Contains(n.Value, "$")
	case yaml.AliasNode:
		if !m.seen[n] { // an alias may lead to itself
			m.seen[n] = true
			m.add(to, n.Alias)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			m.add(to, item)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i].Value; key == "path" || key == "file" || key == "env_file" {
				m.add(to, n.Content[i+1])
			}
		}
	}
}

// parseAll reads all documents of a file. Nil: it cannot be read.
func parseAll(content []byte) []*yaml.Node {
	if !utf8.Valid(content) {
		return nil
	}
	docs := []*yaml.Node{}
	for d := yaml.NewDecoder(bytes.NewReader(content)); ; {
		var doc yaml.Node
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs
		case err != nil:
			return nil
		}
		docs = append(docs, &doc)
	}
}

func wholeLine(line string) string {
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	return line[:indent] + Masked
}

func envLine(line string) string {
	switch name := envName.FindString(line); {
	case name != "":
		return name + Masked
	case strings.HasPrefix(strings.TrimSpace(line), "#"):
		return line
	}
	return wholeLine(line)
}

// maskLines masks each line that is not blank.
func maskLines(content []byte, mask func(string) string) []byte {
	lines := strings.Split(string(content), "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) != "" {
			lines[i] = mask(line)
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// maskYAML masks the secret scalars of a file.
func maskYAML(content []byte, docs []*yaml.Node) []byte {
	f := marking{secret: map[*yaml.Node]keeping{}, flow: map[*yaml.Node]bool{}, hidden: map[hidden]bool{}}
	for _, doc := range docs {
		f.mark(doc, "", "")
		f.flatten(doc, false)
	}
	slices.SortStableFunc(f.order, func(a, b *yaml.Node) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	lines := strings.Split(string(content), "\n")
	for i, n := range slices.Backward(f.order) { // from the end, so that columns before stay what they are
		if keep, is := f.secret[n]; is {
			var next *yaml.Node
			if i+1 < len(f.order) {
				next = f.order[i+1]
			}
			f.cut(lines, n, next, keep)
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// keeping says what of a scalar is shown all the same.
type keeping int

const (
	nothing  keeping = iota
	variable         // the name in NAME=value
	argument         // the same, where what has no = is shown
)

// marking finds which scalars of a file are secret, and where they end.
type marking struct {
	secret map[*yaml.Node]keeping
	order  []*yaml.Node // scalars and aliases, and where mappings and sequences begin
	flow   map[*yaml.Node]bool
	hidden map[hidden]bool // targets of aliases that hide has seen
}

type hidden struct {
	node *yaml.Node
	keep keeping
}

// nameless are keys whose own keys are names that people give.
var nameless = []string{"services", "secrets", "configs", "volumes", "networks", "depends_on"}

// mark walks below a key, which is itself below another.
func (f *marking) mark(n *yaml.Node, key, above string) {
	switch n.Kind {
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, item := range n.Content {
			f.mark(item, key, above)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i].Value, n.Content[i+1]
			named := slices.Contains(nameless, key)
			switch {
			case (k == "environment" || k == "args") && !named:
				f.hide(v, variable)
			case k == "content" && (above == "secrets" || above == "configs"), !named && !slices.Contains(nameless, k) && LooksSecret(k):
				f.hide(v, nothing)
			default:
				f.mark(v, k, key)
			}
		}
	case yaml.ScalarNode:
		if key == "image" {
			return
		}
		name, _, has := strings.Cut(n.Value, "=")
		switch {
		case secretArgument.MatchString(n.Value) && !(has && LooksSecret(name) && argumentName.MatchString(n.Value)):
			f.secret[n] = nothing
		case has && LooksSecret(name):
			f.secret[n] = argument
		}
	}
}

// hide marks all below a node, by way of aliases too.
func (f *marking) hide(n *yaml.Node, keep keeping) {
	switch n.Kind {
	case yaml.AliasNode:
		if target := (hidden{n.Alias, keep}); !f.hidden[target] { // an alias may lead to itself
			f.hidden[target] = true
			f.hide(n.Alias, keep)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			f.hide(n.Content[i+1], nothing)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			f.hide(item, keep)
		}
	case yaml.ScalarNode:
		before, marked := f.secret[n]
		if n.Value != "" && !bareReference.MatchString(n.Value) && (!marked || keep < before) {
			f.secret[n] = keep
		}
	}
}

func (f *marking) flatten(n *yaml.Node, flow bool) {
	if n.Kind != yaml.DocumentNode {
		f.order = append(f.order, n)
		f.flow[n] = flow
	}
	for _, c := range n.Content {
		f.flatten(c, flow || n.Style&yaml.FlowStyle != 0)
	}
}

// cut masks the lines from a scalar to what comes next in the file.
func (f *marking) cut(lines []string, n, next *yaml.Node, keep keeping) {
	last := len(lines)
	if next != nil {
		last = next.Line
	}
	for at := n.Line; at <= last && at <= len(lines); at++ {
		line := lines[at-1]
		from, to := 0, len(line)
		if at == n.Line {
			from = offset(line, n.Column)
		}
		if next != nil && at == next.Line {
			to = offset(line, next.Column)
			if at != n.Line {
				return // what stands before it belongs to it: its indentation, the dash of its list
			}
		}
		text := line[from:to]
		if strings.TrimSpace(text) == "" {
			continue
		}
		shown, tail := text[:len(text)-len(strings.TrimLeft(text, " \t"))], ""
		if at == n.Line && keep != nothing && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			shown = nameIn(text, keep, f.flow[n])
		}
		if f.flow[n] {
			tail = text[len(strings.TrimRight(text, " \t\r,]}")):]
			if len(tail) == len(text) {
				continue
			}
		}
		if shown == text {
			continue
		}
		lines[at-1] = line[:from] + shown + Masked + tail + line[to:]
	}
}

// nameIn is what of a line is shown: the name of a variable, with all of the line where there is nothing else.
func nameIn(text string, keep keeping, flow bool) string {
	form := variableName
	if keep == argument {
		form = argumentName
	}
	bare := strings.TrimSpace(text)
	if flow {
		bare = strings.TrimRight(bare, " ,]}")
	}
	name := form.FindString(bare)
	switch {
	case name == "":
		return ""
	case !strings.HasSuffix(name, "="):
		return text // a name alone: its value is the engine's
	}
	return strings.TrimLeft(name, `"'`)
}

// offset is where a column, counted in characters from 1, begins.
func offset(line string, column int) int {
	i := 0
	for range column - 1 {
		if i >= len(line) {
			return len(line)
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		i += size
	}
	return i
}

// HasMasked names a file that has masked values; "" where none has.
func HasMasked(files map[string][]byte) string {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if bytes.Contains(files[name], []byte(Masked)) {
			return name
		}
	}
	return ""
}
