// Package qrcode draws QR codes (ISO/IEC 18004) where people point a phone at them: on a terminal and in a page. It is
// pure; a Code is immutable.
package qrcode

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the empty border that a scanner wants, in modules.
const quiet = 4

// Code is a QR code.
type Code struct{ code *qr.Code }

// New makes the code of a text, with the lowest level of error correction: screens are clean, and small codes are read
// from farther away. It fails when the text is longer than about 2,900 bytes.
func New(text string) (Code, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return Code{}, fmt.Errorf("make a QR code of %d bytes: %w", len(text), err)
	}
	return Code{code}, nil
}

// Size is the number of modules on each side, without the border.
func (c Code) Size() int { return c.code.Size }

// Path is the data of an SVG path that fills the dark modules, one module to a unit. The border is not part of it: a
// view box from -4 to Size + 4 has it.
func (c Code) Path() string {
	var b strings.Builder
	for y := range c.code.Size {
		for x := 0; x < c.code.Size; x++ {
			from := x
			for c.code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	return b.String()
}

// Paint is how a terminal is told what is dark and what is light.
type Paint uint8

// The paints.
const (
	// Plain has no colours and takes light letters on a dark ground for granted; where it is the other way round, most
	// scanners read the code still.
	Plain Paint = iota
	// Coloured is black on white, whatever the terminal's own colours.
	Coloured
)

// Colours of the 256 that are the same everywhere; the first 16 are what a theme makes of them.
const (
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	asBefore     = "\x1b[0m"
)

// halves are the characters for a light and a dark module, by what is light: 1 the upper, 2 the lower.
var halves = [2][4]string{Plain: {" ", "▀", "▄", "█"}, Coloured: {"█", "▄", "▀", " "}}

// Terminal draws the code with its border in half blocks: two modules to a character, Size + 8 characters to a line. Each
// line ends in a line feed.
func (c Code) Terminal(p Paint) string {
	var b strings.Builder
	for y := -quiet; y < c.code.Size+quiet; y += 2 {
		if p == Coloured {
			b.WriteString(blackOnWhite)
		}
		for x := -quiet; x < c.code.Size+quiet; x++ {
			light := 0
			if !c.code.Black(x, y) {
				light |= 1
			}
			// The number of lines is odd; what is below the last one is no part of the code, and light on white.
			if last := y+1 == c.code.Size+quiet; !c.code.Black(x, y+1) && (!last || p == Coloured) {
				light |= 2
			}
			b.WriteString(halves[p][light])
		}
		if p == Coloured {
			b.WriteString(asBefore)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
