package composer

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// output writes events, and is the writer that the Compose library reports progress to as JSON lines. Its methods may
// be called concurrently.
type output struct {
	hide  *strings.Replacer // what is secret
	mu    sync.Mutex        // guards all below and the writes
	w     io.Writer
	noise io.Writer
	names map[string]string // service by container name
	last  map[string]string // last text by thing, to leave out repetitions
}

// leastSecret is the length below which a secret is left in texts: it would mutilate them, and keeps nothing secret.
const leastSecret = 4

func newOutput(cfg Config) *output {
	var secrets []string
	add := func(value string) {
		if len(value) >= leastSecret {
			secrets = append(secrets, value)
		}
	}
	for _, v := range cfg.Request.Secrets {
		add(v)
		for line := range strings.Lines(v) { // logs and errors have a key line by line
			add(strings.TrimSpace(line))
		}
	}
	for _, a := range cfg.Request.Registries {
		add(a.Password)
	}
	// Of several that begin alike, the longest is to be hidden.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, "***")
	}
	return &output{w: cfg.Events, noise: cfg.Noise, hide: strings.NewReplacer(pairs...)}
}

// progressLine is what the library writes for one progress event.
type progressLine struct {
	ID     string `json:"id"`
	Parent string `json:"parent_id"`
	Text   string `json:"text"`
	Status string `json:"status"`
}

// reTemporary matches the name that a container has while it replaces another.
var reTemporary = regexp.MustCompile(`^[0-9a-f]{12}_`)

// know tells output which service a container name belongs to.
func (o *output) know(container, service string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.names == nil {
		o.names = map[string]string{}
	}
	o.names[container] = service
}

func (o *output) emit(e ipc.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.write(e)
}

func (o *output) step(service, text string) {
	o.emit(ipc.Event{Kind: ipc.KindStep, Service: service, Text: text})
}

func (o *output) write(e ipc.Event) {
	for _, text := range []*string{&e.Text, &e.Detail, &e.Log} {
		*text = o.hide.Replace(*text)
	}
	for i := range e.Warnings {
		e.Warnings[i] = o.hide.Replace(e.Warnings[i])
	}
	line, err := json.Marshal(e)
	if err != nil {
		return // Event holds plain strings and numbers: it marshals
	}
	// A reader that is gone ends the process by the signal, or by the check for the parent.
	_, _ = o.w.Write(append(line, '\n'))
}

// Write takes what the library prints: progress as JSON lines becomes steps, anything else is noise.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for line := range bytes.Lines(p) {
		var l progressLine
		if json.Unmarshal(line, &l) != nil || l.ID == "" {
			_, _ = o.hide.WriteString(o.noise, string(line))
			continue
		}
		o.progress(l)
	}
	return len(p), nil
}

func (o *output) progress(l progressLine) {
	text := l.Status
	if text == "" {
		text = l.Text
	}
	if l.Parent != "" || text == "" || o.last[l.ID] == text {
		return
	}
	if o.last == nil {
		o.last = map[string]string{}
	}
	o.last[l.ID] = text
	e := ipc.Event{Kind: ipc.KindStep, Text: strings.ToLower(text)}
	kind, name, ok := strings.Cut(l.ID, " ")
	switch {
	case ok && kind == "Container":
		e.Container = reTemporary.ReplaceAllString(name, "")
		e.Service = o.names[e.Container]
	case ok:
		e.Text = strings.ToLower(kind) + " " + name + " " + e.Text
	default:
		e.Service = l.ID
	}
	o.write(e)
}
