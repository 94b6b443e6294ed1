package jobs

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/farshore/farshore/internal/script"
	"github.com/farshore/farshore/protocol"
)

// Bounds of a definition.
const (
	MaxArgs       = 1000     // arguments
	MaxArgBytes   = 32 << 10 // of all arguments
	MaxEnv        = 16 << 10 // bytes of all variables, names and values
	MaxPath       = 4095     // bytes of a path
	MaxMounts     = 64
	MaxDevices    = 10_000     // named by one job
	MaxTimeout    = 31 * 86400 // seconds
	MaxRetries    = 100
	MaxRetryDelay = 86400     // seconds
	MaxJitter     = 7 * 86400 // seconds
)

var (
	validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	validEnv  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	validUser = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?$`)
)

// Check says what is wrong with a job whose latest version is v: the first fault found, as a FieldError. Script nil: it has
// none. Whether selector, edge groups and devices exist, and what a policy says, is not looked at.
func Check(j *Job, v *Version, text []byte) error {
	s := &v.Spec
	for _, check := range []func() error{
		func() error { return checkName(j.Name) },
		func() error { return checkDevices(j.Reach.Devices) },
		func() error { return checkProgram(s, text) },
		func() error { return checkArgs(s.Args) },
		func() error { return checkEnv(v.Env) },
		func() error { return checkPath("dir", s.Dir) },
		func() error { return checkUser(s.User) },
		func() error { return checkContainer(s.Container, text != nil) },
		func() error { return CheckSchedule(s.Schedule, v.Zone) },
		func() error { return checkNumbers(s) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func bad(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

func checkName(name string) error {
	if !validName.MatchString(name) {
		return bad("name", "%.80q is no name of a job: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit", name)
	}
	return nil
}

func checkDevices(ids []protocol.DeviceID) error {
	if len(ids) > MaxDevices {
		return bad("devices", "it names %d devices, at most %d: use a selector or an edge group", len(ids), MaxDevices)
	}
	for _, id := range ids {
		if _, err := protocol.ParseDeviceID(string(id)); err != nil {
			return bad("devices", "%v: name a device that is there", err)
		}
	}
	return nil
}

func checkProgram(s *protocol.Job, text []byte) error {
	switch {
	case text != nil:
		return CheckScript(text)
	case s.Container == nil:
		return bad("script", "there is none: give one that begins with a line such as #!/bin/sh, or a container whose own program is run")
	}
	return nil
}

// CheckScript says why a script cannot be run anywhere. It need not be UTF-8, but is text: it has no zero byte.
func CheckScript(text []byte) error {
	switch {
	case len(text) == 0:
		return bad("script", "it is empty: begin it with a line such as #!/bin/sh")
	case len(text) > protocol.MaxScript:
		return bad("script", "it has %d bytes, at most %d: put what is large into an image, or have the script fetch it", len(text), protocol.MaxScript)
	}
	if _, err := script.Read(text); err != nil {
		return bad("script", "%v", err)
	}
	if at := bytes.IndexByte(text, 0); at >= 0 {
		return bad("script", "it is binary, with a zero byte at offset %d: it must be text; put programs into an image", at)
	}
	return nil
}

func checkArgs(args []string) error {
	if len(args) > MaxArgs {
		return bad("args", "there are %d, at most %d: put them into the script", len(args), MaxArgs)
	}
	size := 0
	for i, a := range args {
		if strings.ContainsRune(a, 0) {
			return bad("args", "argument %d has a zero byte, which no program can be given: take it out", i+1)
		}
		size += len(a)
	}
	if size > MaxArgBytes {
		return bad("args", "they have %d bytes, at most %d: put what is long into the script", size, MaxArgBytes)
	}
	return nil
}

// reserved begins the names of variables that the device sets for each run.
const reserved = "FARSHORE_"

// checkEnv never says a value.
func checkEnv(env map[string]string) error {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case !validEnv.MatchString(name):
			return bad("env", "%.80q is no name of a variable: use 1 to 128 of A-Z, a-z, 0-9 and _, not beginning with a digit", name)
		case strings.HasPrefix(name, reserved):
			return bad("env", "the variable %.80s cannot be set: names that begin with %s are set by the device; choose another", name, reserved)
		case strings.ContainsRune(env[name], 0):
			return bad("env", "the value of the variable %.80s has a zero byte, which no program can be given: take it out", name)
		}
		size += len(name) + len(env[name])
	}
	if size > MaxEnv {
		return bad("env", "the variables have %d bytes, at most %d: put what is long into the script", size, MaxEnv)
	}
	return nil
}

// checkPath holds a path to being absolute and clean. Empty: it was not given.
func checkPath(field, p string) error {
	switch {
	case p == "":
		return nil
	case len(p) > MaxPath:
		return bad(field, "it has %d bytes, at most %d: use a shorter path", len(p), MaxPath)
	case strings.ContainsFunc(p, unicode.IsControl):
		return bad(field, "%.80q has control characters: take them out", p)
	case !path.IsAbs(p):
		return bad(field, "%.80q is no full path: begin it with /", p)
	case path.Clean(p) != p:
		return bad(field, "%.80q is not the plain form of the path: write %.80s", p, path.Clean(p))
	}
	return nil
}

// lastID is the highest number of a user or group: the next means "leave it as it is" to the kernel.
const lastID = 1<<32 - 2

func checkUser(user string) error {
	if user == "" {
		return nil
	}
	name, group, both := strings.Cut(user, ":")
	for i, part := range []string{name, group} {
		if i == 1 && !both {
			break
		}
		if !validUser.MatchString(part) {
			return bad("user", "%.80q is no user: give a name or number, and a group after a colon if need be, such as nobody or 1000:1000", user)
		}
		if strings.Trim(part, "0123456789") == "" {
			if n, err := strconv.ParseUint(part, 10, 64); err != nil || n > lastID {
				return bad("user", "%.80s is beyond the numbers of users and groups: use 0 to %d", part, uint64(lastID))
			}
		}
	}
	return nil
}

func checkNumbers(s *protocol.Job) error {
	switch {
	case s.Timeout > MaxTimeout:
		return bad("timeout_seconds", "%d is more than 31 days: use at most %d", s.Timeout, MaxTimeout)
	case s.Retries > MaxRetries:
		return bad("retries", "%d are too many: use at most %d", s.Retries, MaxRetries)
	case s.RetryDelay > MaxRetryDelay:
		return bad("retry_delay_seconds", "%d is more than a day: use at most %d", s.RetryDelay, MaxRetryDelay)
	case s.Overlap > protocol.OverlapKill:
		return bad("overlap", "%d is no rule: use skip, queue or kill", uint8(s.Overlap))
	case s.Missed > protocol.MaxJobMissed:
		return bad("missed_limit", "%d are too many: use at most %d", s.Missed, protocol.MaxJobMissed)
	case s.Output > protocol.OutputNever:
		return bad("output", "%d is no policy: use on-failure, always, on-request or never", uint8(s.Output))
	case s.OutputCap > protocol.MaxJobOutput:
		return bad("output_cap", "%d bytes are too many: use at most %d", s.OutputCap, protocol.MaxJobOutput)
	}
	return nil
}
