package protocol

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable makes a text that a peer sent fit to be stored and shown anywhere, a terminal included: line breaks and
// tabs become spaces, other characters that are not printable are left out, and what is beyond limit bytes is cut off.
func Printable(s string, limit int) string {
	if len(s) > 4*limit {
		s = s[:4*limit] // not much of it can be left
	}
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t':
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s))
	if len(s) > limit {
		s = strings.TrimSpace(strings.ToValidUTF8(s[:limit], ""))
	}
	return s
}

// Cut gives at most limit bytes of the beginning of s, cut between characters. What is not UTF-8 stays as it is.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
