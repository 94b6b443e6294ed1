package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each command line that the documents show is one that the program has, with flags and arguments that it takes.
func TestDocumentsShowCommandsThatExist(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range append(files, "../../README.md", "../../deploy/README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(string(text)) {
			seen++
			root := newRoot(&app{in: strings.NewReader("")})
			c, rest, err := root.Find(line)
			if err == nil {
				err = c.ParseFlags(rest)
			}
			if err == nil {
				err = c.ValidateArgs(c.Flags().Args())
			}
			if err == nil {
				err = usage(c, c.ValidateRequiredFlags())
			}
			if err == nil && c.HasSubCommands() {
				err = errors.New("needs a command")
			}
			if err != nil {
				t.Errorf("%s: farshore %s: %v", file, strings.Join(line, " "), err)
			}
		}
	}
	if seen < 50 {
		t.Fatalf("only %d command lines found: did the form of the documents change?", seen)
	}
}

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	shellWord  = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)
	tail       = regexp.MustCompile(`\s[#>].*`)
)

// commandLines are the arguments of farshore in the shell blocks of a document.
func commandLines(text string) (lines [][]string) {
	for _, block := range shellBlock.FindAllStringSubmatch(strings.ReplaceAll(text, "\\\n", " "), -1) {
		for _, line := range strings.FieldsFunc(tail.ReplaceAllString(block[1], ""), func(r rune) bool { return r == '\n' || r == ';' }) {
			words := shellWord.FindAllString(line, -1)
			if len(words) < 2 || words[0] != "farshore" && words[0] != "bin/farshore" {
				continue
			}
			for i, w := range words {
				words[i] = strings.Trim(w, `'"`)
			}
			lines = append(lines, words[1:])
		}
	}
	return lines
}
