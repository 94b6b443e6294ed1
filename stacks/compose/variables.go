package compose

import (
	"bytes"
	"fmt"
	"maps"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Bounds of variables: a value can be made of others, so that a few lines double it again and again.
const (
	// maxEnvFile is the most bytes of one file of variables.
	maxEnvFile = 64 << 10
	// maxExpanded is the most bytes that variables are replaced with in one bundle.
	maxExpanded = 8 << 20
	// maxReferences is how often variables can be used in one bundle.
	maxReferences = 50_000
)

// environment merges env over the bundle's .env.
func (b *bundle) environment(env map[string]string) (err error) {
	b.env, err = b.overEnv(".env", env)
	return err
}

// overEnv merges env over the file of variables with the name, if the bundle has it.
func (b *bundle) overEnv(name string, env map[string]string) (map[string]string, error) {
	out := map[string]string{}
	if _, ok := b.files[name]; ok {
		vars, err := b.dotenv(name, env, nil)
		if err != nil {
			return nil, err
		}
		out = vars
	}
	maps.Copy(out, env)
	return out, nil
}

// dotenv reads a file of variables, in which those of env count before its own. Its error never repeats the file's
// text, which may be secret. before holds the variables of the files that this one continues, and gets its own; nil:
// it continues none.
func (b *bundle) dotenv(name string, env, before map[string]string) (map[string]string, error) {
	data := b.files[name]
	b.variables[name] = true
	if len(data) > maxEnvFile {
		return nil, &Error{
			Code: ipc.CodeComposeSyntax, File: name, Text: fmt.Sprintf("a file of variables has at most %d bytes", maxEnvFile),
			Remedy: "mount large data as a file",
		}
	}
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	if err := b.explodes(data, lookup, before); err != nil {
		return nil, err
	}
	vars, err := dotenv.ParseWithLookup(bytes.NewReader(data), lookup)
	if err == nil {
		return vars, nil
	}
	e := &Error{Code: ipc.CodeComposeSyntax, File: name, Text: "this is not a list of NAME=value lines", Remedy: "correct the line, or quote its value"}
	if m := reLine.FindStringSubmatch(err.Error()); m != nil {
		_, _ = fmt.Sscanf(m[1], "%d", &e.Line)
	}
	return nil, e
}

// explodes reads a file of variables statement by statement and stops when what they are replaced with is too much,
// which the parser does not. What is not well-formed is left to the parser.
func (b *bundle) explodes(data []byte, env func(string) (string, bool), vars map[string]string) error {
	if vars == nil {
		vars = map[string]string{}
	}
	lookup := func(k string) (string, bool) {
		if v, ok := env(k); ok {
			return v, true
		}
		v, ok := vars[k]
		return v, ok
	}
	statement := ""
	for line := range strings.Lines(string(data)) {
		statement += line // a quoted value may have several lines
		if _, err := dotenv.UnmarshalWithLookup(strings.ReplaceAll(statement, "$", "_"), env); err != nil {
			continue
		}
		if b.refer(statement); b.exploded() {
			return tooMuch()
		}
		got, err := dotenv.UnmarshalWithLookup(statement, b.counted(lookup))
		if b.exploded() {
			return tooMuch()
		}
		if err == nil {
			maps.Copy(vars, got)
		}
		statement = ""
	}
	return nil
}

// refer counts the variables that a text may use.
func (b *bundle) refer(text string) { b.references += strings.Count(text, "$") }

func (b *bundle) exploded() bool { return b.expanded > maxExpanded || b.references > maxReferences }

// counted counts the bytes that variables are replaced with, and gives nothing any more when they are too many.
func (b *bundle) counted(lookup func(string) (string, bool)) func(string) (string, bool) {
	return func(k string) (string, bool) {
		v, ok := lookup(k)
		if b.expanded += len(v); b.expanded > maxExpanded {
			return "", ok
		}
		return v, ok
	}
}

// substitute is what the loader replaces variables with.
func (b *bundle) substitute(text string, lookup template.Mapping) (string, error) {
	if b.refer(text); b.exploded() {
		return "", tooMuch()
	}
	out, err := template.SubstituteWithOptions(text, b.counted(lookup), template.WithoutLogging)
	if b.exploded() {
		return "", tooMuch()
	}
	if b.spread(out); b.ports > maxPorts {
		return "", &Error{
			Code: ipc.CodeComposeInvalid, Text: fmt.Sprintf("its ranges of ports have more than %d ports", maxPorts/2),
			Remedy: "publish fewer, or use network_mode host",
		}
	}
	return out, err
}

func tooMuch() error {
	return &Error{
		Code: ipc.CodeComposeInvalid, Text: fmt.Sprintf("variables are used more than %d times, or replaced with more than %d MB", maxReferences, maxExpanded>>20),
		Remedy: "use them less, or shorter ones",
	}
}
