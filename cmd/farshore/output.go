package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"
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

// plain takes out what could change a terminal or a table.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// plainLines is plain for text of several lines.
func plainLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// print writes v in the form that was asked for; as a table, what human gives.
func (a *app) print(v any, human func() *table) error {
	switch a.format {
	case formatJSON:
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	case formatYAML:
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		var node yaml.Node // JSON is YAML; so names and order stay
		if err := yaml.Unmarshal(raw, &node); err != nil {
			return err
		}
		block(&node)
		enc := yaml.NewEncoder(a.out)
		enc.SetIndent(2)
		if err := enc.Encode(&node); err != nil {
			return err
		}
		return enc.Close()
	}
	return human().write(a.out)
}

func block(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		block(c)
	}
}

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

func exact(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// size gives bytes as people say them.
func size(n uint64) string {
	const units = "kMGT"
	v, i := float64(n), -1
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i < 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
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
