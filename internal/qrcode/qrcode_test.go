package qrcode_test

import (
	"fmt"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/farshore/farshore/internal/qrcode"
)

const text = "https://hub.example.com:9443/waiting?code=7ZK4-M0QD"

// seen is what a scanner sees of a drawing on a terminal: a line of modules each, "#" for dark.
func seen(t *testing.T, drawing string, dark map[rune][2]bool) (rows []string) {
	t.Helper()
	for line := range strings.Lines(drawing) {
		line = strings.NewReplacer("\x1b[38;5;16;48;5;231m", "", "\x1b[0m", "", "\n", "").Replace(line)
		for half := range 2 {
			var row strings.Builder
			for _, r := range line {
				d, known := dark[r]
				if !known {
					t.Fatalf("%q is drawn", r)
				}
				row.WriteByte(module(d[half]))
			}
			rows = append(rows, row.String())
		}
	}
	return rows
}

func module(dark bool) byte {
	if dark {
		return '#'
	}
	return '.'
}

// want is the code with a border of four light modules.
func want(t *testing.T) (rows []string) {
	t.Helper()
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	for y := -4; y < code.Size+4; y++ {
		var row strings.Builder
		for x := -4; x < code.Size+4; x++ {
			row.WriteByte(module(code.Black(x, y)))
		}
		rows = append(rows, row.String())
	}
	return rows
}

func TestTerminalShowsTheCodeWithItsBorder(t *testing.T) {
	code, err := qrcode.New(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		paint qrcode.Paint
		dark  map[rune][2]bool // of each character: is its upper, its lower half dark
	}{
		"black on white":   {qrcode.Coloured, map[rune][2]bool{'█': {true, true}, '▀': {true, false}, '▄': {false, true}, ' ': {}}},
		"on a dark ground": {qrcode.Plain, map[rune][2]bool{' ': {true, true}, '▄': {true, false}, '▀': {false, true}, '█': {}}},
	} {
		got, want := seen(t, code.Terminal(c.paint), c.dark), want(t)
		if len(got) != len(want)+1 {
			t.Fatalf("%s: %d rows, want %d and half a line", name, len(got), len(want))
		}
		if got, want := strings.Join(got[:len(want)], "\n"), strings.Join(want, "\n"); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

func TestPathFillsTheDarkModules(t *testing.T) {
	code, err := qrcode.New(text)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]byte, code.Size())
	for y := range rows {
		rows[y] = []byte(strings.Repeat(".", code.Size()))
	}
	for bar := range strings.SplitSeq(strings.TrimSuffix(code.Path(), "z"), "z") {
		var x, y, width, back int
		if n, err := fmt.Sscanf(bar, "M%d %dh%dv1h-%d", &x, &y, &width, &back); n != 4 || width != back {
			t.Fatalf("%q: %v", bar, err)
		}
		for i := range width {
			rows[y][x+i] = '#'
		}
	}
	for y, row := range want(t)[4 : 4+code.Size()] {
		if got := "...." + string(rows[y]) + "...."; got != row {
			t.Errorf("row %d is %s, want %s", y, got, row)
		}
	}
}

func TestTooLongIsRefused(t *testing.T) {
	if _, err := qrcode.New(strings.Repeat("a", 3000)); err == nil || !strings.Contains(err.Error(), "3000 bytes") {
		t.Errorf("%v", err)
	}
}
