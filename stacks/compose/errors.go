package compose

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Error says what is wrong with a bundle.
type Error struct {
	// Code is one of the codes of package ipc.
	Code string
	// File is the file's name in the bundle; empty when it is about no file in particular.
	File string
	// Line counts from 1; 0 when it is not known.
	Line int
	// Text says what is wrong with which thing, without a full stop.
	Text string
	// Remedy says what to do, as an order without a full stop.
	Remedy string
}

// Error is one sentence: where, what, and the remedy.
func (e *Error) Error() string {
	text := e.Text
	switch {
	case e.File != "" && e.Line > 0:
		text = fmt.Sprintf("%s, line %d: %s", e.File, e.Line, e.Text)
	case e.File != "":
		text = e.File + ": " + e.Text
	}
	if e.Remedy == "" {
		return text
	}
	return text + "; " + e.Remedy
}

// The loader has no typed errors for these, so its sentences are read. Golden cases in testdata hold them to it.
var (
	reLine       = regexp.MustCompile(`line (\d+)`)
	reValidating = regexp.MustCompile(`^validating ([^:]+): (.*)$`)
	reAdditional = regexp.MustCompile(`^(\S*) ?additional propert(?:y|ies) (.+) not allowed$`)
	reParse      = regexp.MustCompile(`^failed to parse ([^:]+): (.*)$`)
	rePath       = regexp.MustCompile(`\b(?:services|networks|volumes|configs|secrets)(?:\.[\w-]+)+`)
	reService    = regexp.MustCompile(`service "?([\w.-]+)"?`)
	reDecode     = regexp.MustCompile(`^decoding failed due to the following error\(s\): '([^']+)'`)
	reParsing    = regexp.MustCompile(`parsing ".*?"`)
	reQuoted     = regexp.MustCompile(`'([^']*)'`)
)

// explain turns what the loader said into an Error.
func (b *bundle) explain(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	var missing *template.MissingRequiredError
	if errors.As(err, &missing) {
		return &Error{
			Code: ipc.CodeComposeInvalid, File: b.main, Text: "the variable " + missing.Variable + " is required and not set",
			Remedy: "set it in the stack's environment variables or in the bundle's .env",
		}
	}
	text := strings.TrimSuffix(oneLine(b.relative(err.Error())), ": invalid compose project")
	if m := reParse.FindStringSubmatch(text); m != nil {
		return b.syntaxError(m[1], m[2])
	}
	file := b.main
	if m := reValidating.FindStringSubmatch(text); m != nil {
		file, text = m[1], m[2]
		if a := reAdditional.FindStringSubmatch(text); a != nil {
			return b.unknownKey(file, a[1], a[2])
		}
	}
	if e := b.clearer(text); e != nil {
		if e.File == "" {
			e.File = file
		}
		return e
	}
	// Values may come from variables, whole or in part, so they are not repeated.
	text = reParsing.ReplaceAllString(text, "parsing the value")
	if m := reDecode.FindStringSubmatch(text); m != nil {
		text = strings.NewReplacer("[", ".", "]", "").Replace(m[1]) + " has a value of the wrong form"
	}
	e := &Error{Code: ipc.CodeComposeInvalid, File: file, Text: text, Remedy: "correct it"}
	if p := rePath.FindString(text); p != "" {
		e.Line = b.line(file, strings.Split(p, "."))
	}
	if m := reService.FindStringSubmatch(text); m != nil && e.Line == 0 {
		at := b.find("services", m[1])
		e.File, e.Line = at.file, at.line
	}
	return e
}

// maxText bounds the loader's own words in an Error, in bytes.
const maxText = 300

// oneLine joins the lines of a message and cuts it to a readable length.
func oneLine(text string) string {
	text = strings.TrimRight(strings.Join(strings.Fields(text), " "), ".")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

func (b *bundle) unknownKey(file, at, keys string) *Error {
	key := keys
	if m := reQuoted.FindStringSubmatch(keys); m != nil {
		key = m[1]
	}
	var path []string
	where := "at the top of the file"
	if at != "" {
		path = strings.Split(at, ".")
		where = "in " + at
	}
	e := &Error{
		Code: ipc.CodeComposeUnknownKey, File: file, Line: b.line(file, append(path, key)),
		Text: fmt.Sprintf("unknown key %q %s", key, where), Remedy: "correct its spelling or remove it",
	}
	switch {
	case at == "" && b.isService(file, key):
		e.Text, e.Remedy = fmt.Sprintf("service %s is at the top of the file, as in the first version of Compose", key), "put services: above it, and indent it below"
	case slices.Contains(nameless, at) && !reKeyName.MatchString(key):
		e.Text, e.Remedy = fmt.Sprintf("the name %q in %s has characters that names cannot have", key, at), "use letters of English, digits, and . _ -"
	}
	return e
}

var reKeyName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// isService reports whether what a file has at its top under a key looks like a service.
func (b *bundle) isService(file, key string) bool {
	for _, model := range b.models[file] {
		m := mapping(mapping(model)[key])
		if m["image"] != nil || m["build"] != nil {
			return true
		}
	}
	return false
}

// Sentences of the YAML parser.
var (
	reTwice  = regexp.MustCompile(`^mapping key "(.*)" already defined at (line \d+)`)
	reAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

func (b *bundle) syntaxError(file, text string) *Error {
	e := &Error{Code: ipc.CodeComposeSyntax, File: file, Remedy: "correct the YAML there"}
	if m := reLine.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
	}
	text = strings.TrimPrefix(text, "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:")
	if _, after, ok := strings.Cut(text, fmt.Sprintf("line %d: ", e.Line)); ok {
		text = after
	}
	text = strings.TrimSpace(text)
	lines, line := strings.Split(string(b.files[file]), "\n"), ""
	if e.Line > 0 && e.Line <= len(lines) {
		line = lines[e.Line-1]
	}
	e.Text = "this is not well-formed YAML: " + text
	if m := reTwice.FindStringSubmatch(text); m != nil {
		e.Text, e.Remedy = fmt.Sprintf("the key %q is there twice, first in %s", m[1], m[2]), "keep one of them"
	}
	if m := reAnchor.FindStringSubmatch(text); m != nil {
		e.Line = 1 + slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "*"+m[1]) })
		e.Text, e.Remedy = fmt.Sprintf("the alias *%s has no anchor", m[1]), fmt.Sprintf("write &%s where it is defined, above", m[1])
	}
	switch {
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		e.Text, e.Remedy = "the line is indented with a tab", "indent with spaces"
	case strings.HasPrefix(text, "found character that cannot start"):
		e.Remedy = "put the value in quotes"
	case strings.HasPrefix(text, "mapping values are not allowed"), strings.HasPrefix(text, "did not find expected key"):
		e.Remedy = "check the indentation of this line and of the one above, and put texts with a colon in quotes"
	case strings.HasPrefix(text, "found unexpected end of stream"):
		e.Remedy = "close the quotes that are open"
	}
	return e
}
