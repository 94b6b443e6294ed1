package main

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// A job's file is YAML with the words of the API, and a few that are better to write: name, script_file beside script, and
// durations such as timeout: 10m in place of timeout_seconds. It is read by the type that is sent, so that a word that the
// type has not is refused, with its line.

// jobFile is one job of a file.
type jobFile struct {
	file string
	line int
	name string
	put  resource.PutJob
}

func (f *jobFile) String() string { return fmt.Sprintf("%s, line %d", f.file, f.line) }

// maxJobFile is more than a file of jobs has.
const maxJobFile = 16 << 20

// durations are words of files for those of the API that count seconds.
var durations = map[string]string{"timeout": "timeout_seconds", "retry_delay": "retry_delay_seconds", "jitter": "jitter_seconds"}

// readJobs reads the jobs of a file, or of standard input for "-".
func (a *app) readJobs(file string) ([]jobFile, error) {
	raw, err := a.readAll(file, maxJobFile)
	if err != nil {
		return nil, fmt.Errorf("read job: %w", err)
	}
	shown, dir := file, filepath.Dir(file)
	if file == "-" {
		shown, dir = "standard input", "."
	}
	var out []jobFile
	for docs := yaml.NewDecoder(strings.NewReader(string(raw))); ; {
		var doc yaml.Node
		if err := docs.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("job in %s: it is no YAML: %w", shown, err)
		}
		if doc.Content[0].Tag == "!!null" { // nothing between two lines of ---
			continue
		}
		f := jobFile{file: shown, line: doc.Content[0].Line}
		if err := f.read(doc.Content[0], dir); err != nil {
			return nil, fmt.Errorf("job in %s: %w", shown, err)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("job in %s: there is none: it wants name, script and schedule", shown)
	}
	return out, nil
}

// readAll reads a file, or standard input for "-", of at most so many bytes.
func (a *app) readAll(file string, most int64) ([]byte, error) {
	from := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close() // only read
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("%s has more than %s", file, size(uint64(most)))
	}
	return raw, err
}

func (f *jobFile) read(doc *yaml.Node, dir string) error {
	own := struct {
		Name       string `json:"name"`
		ScriptFile string `json:"script_file"`
		*resource.PutJob
	}{PutJob: &f.put}
	if err := readNode(doc, reflect.ValueOf(&own).Elem(), ""); err != nil {
		return err
	}
	if f.name = own.Name; f.name == "" {
		return fmt.Errorf("line %d: the job has no name: say name: NAME", f.line)
	}
	if own.ScriptFile == "" {
		return nil
	}
	if f.put.Script != "" {
		return fmt.Errorf("line %d: job %q has script and script_file: give one of them", f.line, f.name)
	}
	path := own.ScriptFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	script, err := readScript(path)
	f.put.Script = script
	return err
}

// readScript reads a script from its file.
func readScript(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read script: %w", err)
	}
	if info.Size() > protocol.MaxScript {
		return "", fmt.Errorf("read script: %s has %s, at most %s: let it fetch the rest, or bring that in an image", path, size(uint64(info.Size())), size(protocol.MaxScript))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read script: %w", err)
	}
	return scriptText(path, raw)
}

func scriptText(from string, raw []byte) (string, error) {
	switch {
	case len(raw) == 0:
		return "", fmt.Errorf("read script: %s is empty", from)
	case !utf8.Valid(raw) || slices.Contains(raw, 0):
		return "", fmt.Errorf("read script: %s is no text: a program comes to devices in an image, or is fetched by a script", from)
	}
	return string(raw), nil
}

// readNode reads YAML into a value by the words of its JSON form. in is the word above.
func readNode(n *yaml.Node, to reflect.Value, in string) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	bad := func(want string) error {
		return fmt.Errorf("line %d: %s: want %s", n.Line, or(in, "the job"), want)
	}
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		return readNode(n, to.Elem(), in)
	}
	if text, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if n.Kind != yaml.ScalarNode {
			return bad("one value")
		}
		if err := text.UnmarshalText([]byte(n.Value)); err != nil {
			if _, isTime := text.(*time.Time); isTime {
				return bad(fmt.Sprintf("a time such as 2027-01-31T02:00:00Z, not %.40q", n.Value))
			}
			return fmt.Errorf("line %d: %s: %w", n.Line, in, err)
		}
		return nil
	}
	switch to.Kind() {
	case reflect.Struct:
		if n.Kind != yaml.MappingNode {
			return bad("words with values, such as name: backup")
		}
		return readWords(n, to, in)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			return bad("a list")
		}
		for _, item := range n.Content {
			to.Set(reflect.Append(to, reflect.Zero(to.Type().Elem())))
			if err := readNode(item, to.Index(to.Len()-1), in); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		if n.Kind != yaml.MappingNode {
			return bad("names with values, such as A: b")
		}
		to.Set(reflect.MakeMap(to.Type()))
		for i := 0; i+1 < len(n.Content); i += 2 {
			value := reflect.New(to.Type().Elem()).Elem()
			key := n.Content[i].Value
			if to.MapIndex(reflect.ValueOf(key)).IsValid() {
				return fmt.Errorf("line %d: %s: %s is there twice", n.Content[i].Line, in, key)
			}
			if err := readNode(n.Content[i+1], value, in+"."+key); err != nil {
				return err
			}
			to.SetMapIndex(reflect.ValueOf(key), value)
		}
		return nil
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return bad("a value")
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(n.Value)
	case reflect.Bool:
		is, err := strconv.ParseBool(n.Value)
		if err != nil {
			return bad("true or false")
		}
		to.SetBool(is)
	case reflect.Uint32, reflect.Uint64:
		number, err := strconv.ParseUint(n.Value, 10, to.Type().Bits())
		if err != nil {
			return bad(fmt.Sprintf("a whole number, not %.40q", n.Value))
		}
		to.SetUint(number)
	default:
		panic("no way to read " + to.Type().String())
	}
	return nil
}

// readWords reads the words of a struct.
func readWords(n *yaml.Node, to reflect.Value, in string) error {
	fields := map[string]reflect.Value{}
	wordsOf(to, fields)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		word, value := n.Content[i], n.Content[i+1]
		name := word.Value
		long, isDuration := durations[name]
		if _, has := fields[long]; isDuration && has {
			name = long
		} else {
			isDuration = false
		}
		field, known := fields[name]
		path := strings.TrimPrefix(in+"."+word.Value, ".")
		switch {
		case !known:
			return fmt.Errorf("line %d: nobody knows the word %.80q%s: there are %s", word.Line, word.Value, within(in), strings.Join(allWords(fields), ", "))
		case seen[name]:
			return fmt.Errorf("line %d: %s is said twice", word.Line, path)
		case value.Tag == "!!null":
			return fmt.Errorf("line %d: %s has no value: give one, or leave it out", word.Line, path)
		}
		seen[name] = true
		if isDuration {
			d, err := time.ParseDuration(value.Value)
			if err != nil || d < 0 || d%time.Second != 0 || d > maxDuration {
				return fmt.Errorf("line %d: %s: want a duration of whole seconds such as 90s, 10m or 2h, not %.40q", value.Line, path, value.Value)
			}
			field.SetUint(uint64(d / time.Second))
			continue
		}
		if err := readNode(value, field, path); err != nil {
			return err
		}
	}
	return nil
}

// maxDuration is the longest that fits the API's seconds.
const maxDuration = (1<<32 - 1) * time.Second

func within(in string) string {
	if in == "" {
		return ""
	}
	return " in " + in
}

// wordsOf gathers the fields of a struct by their words.
func wordsOf(v reflect.Value, to map[string]reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Pointer:
			wordsOf(v.Field(i).Elem(), to)
		case f.Anonymous:
			wordsOf(v.Field(i), to)
		default:
			word, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			to[word] = v.Field(i)
		}
	}
}

func allWords(fields map[string]reflect.Value) (words []string) {
	for word := range fields {
		words = append(words, word)
		for short, long := range durations {
			if long == word {
				words = append(words, short)
			}
		}
	}
	slices.Sort(words)
	return words
}
