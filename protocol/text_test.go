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
