// Package script reads the interpreter line of a script as the kernel does: executors say what is missing before they
// start anything. It owns nothing, touches no file and is safe for concurrent use.
package script

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
)

// longest interpreter line that is looked at.
const longest = 4096

// Line is the interpreter line of a script.
type Line struct {
	// Program is the path of the interpreter.
	Program string
	// Arg is what follows it: all of it is one argument. "": none.
	Arg string
}

// Read takes the interpreter line of a script. Its errors are sentences for people, about the script as "it".
func Read(text []byte) (Line, error) {
	rest, ok := bytes.CutPrefix(text, []byte("#!"))
	if !ok {
		if bytes.IndexByte(text[:min(len(text), longest)], 0) >= 0 {
			return Line{}, errors.New("it is binary: it must be text that begins with an interpreter line, such as #!/bin/sh")
		}
		return Line{}, errors.New("it has no interpreter line: its first line must be one, such as #!/bin/sh")
	}
	first, _, _ := bytes.Cut(rest[:min(len(rest), longest)], []byte("\n"))
	if bytes.IndexByte(first, 0) >= 0 {
		return Line{}, errors.New("it is binary: its interpreter line has a zero byte; it must be text")
	}
	line := strings.Trim(string(first), " \t")
	if strings.HasSuffix(line, "\r") {
		return Line{}, errors.New("its interpreter line ends as on Windows (CR LF), so the interpreter would not be found: save it with LF line ends")
	}
	l := Line{Program: line}
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		l.Program, l.Arg = line[:i], strings.Trim(line[i:], " \t")
	}
	switch {
	case l.Program == "":
		return Line{}, errors.New("its interpreter line names no program: it must be one such as #!/bin/sh")
	case !path.IsAbs(l.Program):
		return Line{}, fmt.Errorf("its interpreter line names %.80q, which is no full path: write one such as #!/bin/sh", l.Program)
	}
	return l, nil
}

// Sought is the program that /usr/bin/env is to look for in PATH, "" where the line asks for no such thing, or for more.
func (l Line) Sought() string {
	if path.Base(l.Program) != "env" || l.Arg == "" || strings.HasPrefix(l.Arg, "-") || strings.ContainsAny(l.Arg, "= \t/") {
		return ""
	}
	return l.Arg
}

// Command is the program and its arguments with which the kernel would run the script at path with args.
func (l Line) Command(path string, args []string) []string {
	out := []string{l.Program}
	if l.Arg != "" {
		out = append(out, l.Arg)
	}
	return append(append(out, path), args...)
}
