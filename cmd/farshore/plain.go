package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Names, labels, reasons and logs come from devices, and devices may be hostile: what could take over a terminal, or
// make text look like other text, is written out before it gets there.

// plain is for a text within a line: \x1b in place of the character itself.
func plain(s string) string { return visible(s, "") }

// plainLines is for text of several lines, such as logs. Colours are dropped, since many programs write them.
func plainLines(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if strings.Contains(s, "\x1b[") {
		s = regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(s, "")
	}
	return visible(s, "\n\t")
}

// plainJSON is for encoded JSON: characters that JSON allows as they are, and terminals do not, are escaped. The value
// stays the same.
func plainJSON(s string) string {
	return replace(s, hiddenFrom("\n"), func(r rune) string {
		if r > 0xffff {
			r -= 0x10000
			return fmt.Sprintf(`\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
		return fmt.Sprintf(`\u%04x`, r)
	})
}

func visible(s, but string) string {
	return replace(s, hiddenFrom(but), func(r rune) string { return strings.Trim(strconv.QuoteRune(r), "'") })
}

// hiddenFrom reports characters that are not shown as they are, but those given.
func hiddenFrom(but string) func(rune) bool {
	return func(r rune) bool { return !unicode.IsPrint(r) && !strings.ContainsRune(but, r) }
}

func replace(s string, which func(rune) bool, with func(rune) string) string {
	if !strings.ContainsFunc(s, which) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if which(r) {
			b.WriteString(with(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
