// Package doctor says whether a hub's installation is sound: a table of checks, each of which gives a finding. It knows
// how to look at files, disk, ports, limits and clocks, and how to judge what the hub's parts say of themselves; who the
// parts are and which checks there are is the assembly's. It changes nothing but for small files that it writes onto the
// disk to time it, and removes.
//
// It keeps no state; its functions are safe for concurrent use.
package doctor

import (
	"context"
	"fmt"
	"time"
)

// Levels of findings.
const (
	// OK: nothing is to be done.
	OK = "ok"
	// Warn: it works, and will not for ever, or could not be looked at.
	Warn = "warn"
	// Fail: something is wrong now.
	Fail = "fail"
)

// Finding is one line of a report.
type Finding struct {
	// Level is one of the constants above.
	Level string `json:"level"`
	// Thing is what was looked at, and Text a sentence: what was found, what it means, and what to do.
	Thing string `json:"thing"`
	Text  string `json:"text"`
}

// Check is a row of the table.
type Check struct {
	Thing string
	// Look gives one finding or more; their Thing is set by Run.
	Look func(context.Context) []Finding
}

// Run looks at one thing after another.
func Run(ctx context.Context, checks []Check) (out []Finding) {
	for _, c := range checks {
		for _, f := range c.Look(ctx) {
			f.Thing = c.Thing
			out = append(out, f)
		}
	}
	return out
}

// Sound reports whether nothing has failed.
func Sound(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Fail {
			return false
		}
	}
	return true
}

// Say makes a finding of a sentence.
func Say(level, format string, args ...any) []Finding {
	return []Finding{{Level: level, Text: fmt.Sprintf(format, args...)}}
}

// Size is a number of bytes for people.
func Size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d kB", (n+1023)>>10)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }
