package fleet

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Selector names devices by their labels, in the syntax of Kubernetes label selectors: "site=oslo, line in (a, b),
// !spare". The zero value, and "", match all. Selectors are immutable.
type Selector struct {
	parsed labels.Selector // nil matches all
}

// maxSelector is the most bytes of a selector's text.
const maxSelector = 4096

// ParseSelector reads a selector. Errors wrap ErrInvalid and point at the requirement that is wrong.
func ParseSelector(s string) (Selector, error) {
	if len(s) > maxSelector {
		return Selector{}, fmt.Errorf("selector %.60q…: %w: it has %d bytes, at most %d are read", s, ErrInvalid, len(s), maxSelector)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' }); i >= 0 {
		return Selector{}, fmt.Errorf("selector %q: %w: character %d cannot be shown: remove it", s, ErrInvalid, i+1)
	}
	parsed, err := labels.Parse(s)
	if err != nil {
		return Selector{}, explain(s, err)
	}
	if parsed.Empty() {
		return Selector{}, nil
	}
	return Selector{parsed: parsed}, nil
}

// Matches reports whether a device with all of these labels is meant. See Registry.LabelsOf. Who took the place of
// other devices is meant by their ids as well as by its own.
func (s Selector) Matches(all map[string]string) bool {
	if s.parsed == nil || all[FactReplaces] == "" {
		return s.parsed == nil || s.parsed.Matches(labels.Set(all))
	}
	requirements, _ := s.parsed.Requirements()
	for _, r := range requirements {
		if r.Key() == FactID && !matchesPlace(r, all) || r.Key() != FactID && !r.Matches(labels.Set(all)) {
			return false
		}
	}
	return true
}

// matchesPlace holds a requirement of FactID to all ids of a device: one must be wanted, or none unwanted.
func matchesPlace(r labels.Requirement, all map[string]string) bool {
	unwanted := r.Operator() == selection.NotIn || r.Operator() == selection.NotEquals
	for _, id := range append(strings.Split(all[FactReplaces], "."), all[FactID]) {
		if r.Matches(labels.Set{FactID: id}) != unwanted {
			return !unwanted
		}
	}
	return unwanted
}

// Needs gives a label without which a device is not meant: a key, and the values of which it must have one (none: any
// will do). A key of "" says that there is no such label. It is never FactID, since devices are meant by several ids.
// Whoever asks many selectors about one device need not ask those whose label it lacks.
func (s Selector) Needs() (key string, values []string) {
	if s.parsed == nil {
		return "", nil
	}
	requirements, _ := s.parsed.Requirements()
	for _, r := range requirements {
		if r.Key() == FactID {
			continue
		}
		switch r.Operator() {
		case selection.Equals, selection.DoubleEquals, selection.In:
			if of := r.ValuesUnsorted(); len(values) == 0 || len(of) < len(values) {
				key, values = r.Key(), of
			}
		case selection.Exists, selection.GreaterThan, selection.LessThan:
			if key == "" {
				key = r.Key()
			}
		}
	}
	return key, values
}

// String gives the selector in one normal form; "" matches all.
func (s Selector) String() string {
	if s.parsed == nil {
		return ""
	}
	return s.parsed.String()
}

// MarshalText implements encoding.TextMarshaler.
func (s Selector) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (s *Selector) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSelector(string(b))
	return err
}

// explain finds the requirement that the parser stumbled over and says what is wrong with it.
func explain(s string, cause error) error {
	at := 0
	pieces := requirements(s)
	for _, piece := range pieces {
		_, err := labels.Parse(piece)
		blank := strings.TrimSpace(piece) == ""
		if err != nil || blank && len(pieces) > 1 {
			column := at + 1 + len(piece) - len(strings.TrimLeft(piece, " \t\r\n"))
			if blank {
				return fmt.Errorf("selector %q: %w: nothing stands beside the comma at character %d: remove the comma",
					s, ErrInvalid, max(at, 1))
			}
			return fmt.Errorf("selector %q: %w: %q at character %d: %s",
				s, ErrInvalid, strings.TrimSpace(piece), column, remedy(piece))
		}
		at += len(piece) + 1
	}
	return fmt.Errorf("selector %q: %w: %w", s, ErrInvalid, cause)
}

// requirements splits at the commas that stand outside of parentheses.
func requirements(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth = max(depth-1, 0)
		case ',':
			if depth == 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	return append(out, s[from:])
}

var requirementForm = regexp.MustCompile(`^\s*(!?)\s*([^\s=!<>(),]*)\s*(==|!=|=|>|<|in\b|notin\b|)\s*(.*?)\s*$`)

func remedy(piece string) string {
	const forms = "write key, !key, key=value, key!=value, key>1, key<1, key in (a, b) or key notin (a, b)"
	m := requirementForm.FindStringSubmatch(piece)
	if m == nil {
		return forms
	}
	not, key, operator, value := m[1], m[2], m[3], m[4]
	switch {
	case key == "":
		return "a label key is missing: " + forms
	case len(validation.IsQualifiedName(key)) > 0:
		return fmt.Sprintf("label key %q: %s", key, wantKey)
	case not != "" && operator != "":
		return fmt.Sprintf("! stands before a key alone: write !%s or %s!=value", key, key)
	case operator == "in" || operator == "notin":
		if !strings.HasPrefix(value, "(") || !strings.HasSuffix(value, ")") {
			return fmt.Sprintf("the values need parentheses: write %s %s (a, b)", key, operator)
		}
		for v := range strings.SplitSeq(strings.Trim(value, "()"), ",") {
			if v = strings.TrimSpace(v); len(validation.IsValidLabelValue(v)) > 0 {
				return fmt.Sprintf("value %q: %s", v, wantValue)
			}
		}
	case operator == ">" || operator == "<":
		return fmt.Sprintf("want a whole number after %s", operator)
	case operator != "" && len(validation.IsValidLabelValue(value)) > 0:
		return fmt.Sprintf("value %q: %s", value, wantValue)
	}
	return forms
}
