package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/farshore/farshore/internal/program"
)

// Forms of output.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

// table is what people see: a head and rows.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// lines adds a text of several lines, each as a row.
func (t *table) lines(text string) {
	for line := range strings.Lines(text) {
		t.add(strings.TrimRight(line, "\n"))
	}
}

// write gives columns that stand under each other. What a device said of itself cannot move the cursor.
func (t *table) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if t.head != nil {
		say(tw, "%s\n", strings.Join(t.head, "\t"))
	}
	for _, r := range t.rows {
		cells := make([]string, len(r))
		for i, c := range r {
			cells[i] = plain(c)
		}
		say(tw, "%s\n", strings.Join(cells, "\t"))
	}
	return tw.Flush()
}

// print writes v in the form that was asked for; as a table, what human gives.
func (a *app) print(v any, human func() *table) error {
	switch a.format {
	case formatJSON:
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			return err
		}
		_, err := io.WriteString(a.out, plainJSON(text.String()))
		return err
	case formatYAML:
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		text, err := toYAML(raw)
		if err == nil {
			_, err = io.WriteString(a.out, text)
		}
		return err
	}
	return human().write(a.out)
}

// toYAML writes JSON as YAML. JSON is YAML, so names and their order stay.
func toYAML(raw []byte) (string, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(replace(string(raw), hiddenFrom(""), yamlEscape)), &node); err != nil {
		return "", err
	}
	block(&node)
	var out strings.Builder
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&node), enc.Close()); err != nil {
		return "", err
	}
	return replace(out.String(), hiddenFrom("\n"), yamlEscape), nil
}

// block takes the form of JSON away, but from texts with characters that must be escaped.
func block(n *yaml.Node) {
	n.Style = 0
	if strings.ContainsFunc(n.Value, hiddenFrom("\n")) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		block(c)
	}
}

func yamlEscape(r rune) string { return fmt.Sprintf(`\U%08x`, r) }

// done says what was done, where somebody looks; programs get the exit code.
func (a *app) done(format string, args ...any) {
	if a.format == formatTable {
		say(a.out, "%s\n", plain(fmt.Sprintf(format, args...)))
	}
}

// ago gives a time as people say it.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := time.Since(t)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// exactly gives a duration without the zeros behind it: 10m, not 10m0s.
func exactly(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

func exact(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// size gives bytes as people say them; JSON and YAML have the number.
func size(n uint64) string { return program.Size(n) }

// column is size for columns of numbers, which stand under each other.
func column(n uint64) string { return fmt.Sprintf("%8s", size(n)) }

// right is the head of such a column.
func right(head string) string { return fmt.Sprintf("%8s", head) }

// counted gives a number with its noun: 1 group, 2 groups.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// cut gives the beginning of a text that is too long for its column.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

func pairs(m map[string]string) string {
	out := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return dash(strings.Join(out, ", "))
}

func counts(m map[string]int) string {
	out := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%d %s", m[k], k))
	}
	return dash(strings.Join(out, ", "))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
