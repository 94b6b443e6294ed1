package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/internal/qrcode"
)

// printQR shows what a technician before the device needs: the pairing code, and the way to approve it.
func printQR(out io.Writer, s edgeagent.Status) error {
	fmt.Fprintf(out, "\nPairing code  %s\n\n%s\n", s.PairingCode, large(s.PairingCode))
	if s.NoEdgeKey {
		_, err := fmt.Fprintf(out, "This device has %s.\n", noEdgeKey(s))
		return err
	}
	code, err := qrcode.New(s.ApproveURL)
	if err != nil {
		return err
	}
	paint := qrcode.Plain
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		paint = qrcode.Coloured
	}
	fmt.Fprintf(out, "%s\n%s\n", code.Terminal(paint), s.ApproveURL)
	_, err = fmt.Fprintln(out, standing(s))
	return err
}

// standing is how the device stands with its hub, in a sentence.
func standing(s edgeagent.Status) string {
	switch {
	case s.Approved:
		return "This device is approved; nothing is left to be done."
	case s.Waiting != nil && s.Waiting.Reason != "":
		return fmt.Sprintf("This device is %s: %s.", s.Waiting.State, s.Waiting.Reason)
	default:
		return "Scan the code with a phone, compare the pairing code, and approve the device."
	}
}

// large draws a pairing code in letters of five lines.
func large(code string) string {
	var lines [letterHeight]strings.Builder
	for _, r := range code {
		at := strings.IndexRune(alphabet, r)
		for y := range lines {
			part := strings.Repeat(" ", letterWidth)
			if at >= 0 {
				part = letters[at/lettersInRow][y][at%lettersInRow*(letterWidth+1):][:letterWidth]
			}
			lines[y].WriteString(strings.ReplaceAll(part, "#", "█") + "  ")
		}
	}
	var b strings.Builder
	for y := range lines {
		b.WriteString(strings.TrimRight(lines[y].String(), " ") + "\n")
	}
	return b.String()
}

const (
	letterWidth  = 5
	letterHeight = 5
	lettersInRow = 11
	// alphabet of pairing codes, in the order of letters.
	alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ-"
)

var letters = [...][letterHeight]string{
	{
		" ###    #    ###  ####     #  #####  ###  #####  ###   ###   ### ",
		"#  ##  ##   #   #     #   ##  #     #         # #   # #   # #   #",
		"# # #   #      #   ###   # #  ####  ####     #   ###   #### #####",
		"##  #   #    #        # #####     # #   #   #   #   #     # #   #",
		" ###   ###  ##### ####     #  ####   ###   #     ###   ###  #   #",
	},
	{
		"####   #### ####  ##### #####  #### #   #   ### #   # #   # #   #",
		"#   # #     #   # #     #     #     #   #    #  #  #  ## ## ##  #",
		"####  #     #   # ####  ####  #  ## #####    #  ###   # # # # # #",
		"#   # #     #   # #     #     #   # #   # #  #  #  #  #   # #  ##",
		"####   #### ####  ##### #      #### #   #  ##   #   # #   # #   #",
	},
	{
		"####   ###  ####   #### ##### #   # #   # #   # #   # #####      ",
		"#   # #   # #   # #       #   #   # #   #  # #   # #     #       ",
		"####  # # # ####   ###    #   #   # # # #   #     #     #    ### ",
		"#     #  #  #  #      #   #    # #  ## ##  # #    #    #         ",
		"#      ## # #   # ####    #     #   #   # #   #   #   #####      ",
	},
}
