package protocol

import (
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"pump 7 läuft":                   "pump 7 läuft",
		" a\nb\tc\r\n":                   "a b c",
		"\x1b[2J\x1b]0;owned\x07\x9b31m": "[2J]0;owned31m",
		"a\u202egpj.exe\u200b":           "agpj.exe",
		strings.Repeat("ä", 20):          strings.Repeat("ä", 8),
		strings.Repeat("\x00", 1<<20):    "",
	} {
		if got := Printable(in, 17); got != want {
			t.Errorf("Printable(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	for _, c := range []struct {
		s     string
		limit int
		want  string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc"},
		{"aéé", 3, "aé"},
		{"aéé", 2, "a"},
		{"日本", 2, ""},
		{"a\xffb", 2, "a\xff"},
		{"abc", 0, ""},
	} {
		if got := Cut(c.s, c.limit); got != c.want {
			t.Errorf("Cut(%q, %d) is %q, want %q", c.s, c.limit, got, c.want)
		}
	}
}
