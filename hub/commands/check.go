package commands

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Bounds of what an operator may ask for.
const (
	// DefaultTTL is how long a command may wait for its device.
	DefaultTTL = 24 * time.Hour
	// MaxTTL is the longest time that a command may wait.
	MaxTTL = 400 * 24 * time.Hour
	// MaxTail is the most lines of log.
	MaxTail = 10000
	// MaxTimeout is the longest time before a stop kills, in seconds.
	MaxTimeout = 24 * 3600
)

var (
	validObject = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$`)
	validImage  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.:/@-]{0,254}$`)
	validSignal = regexp.MustCompile(`^(SIG)?[A-Z][A-Z0-9]{1,9}([+-][0-9]{1,2})?$`)
)

// options that a kind of command understands, beside its target.
type options struct {
	target                       string // what Target names; empty: there is none
	form                         *regexp.Regexp
	tail, signal, timeout, force bool
	job                          bool // it is about a job; package jobs/dispatch gives it
}

func optionsOf(k protocol.CommandKind) (options, bool) {
	const container = "a container's name or id"
	switch k {
	case protocol.CommandContainerStart:
		return options{target: container, form: validObject}, true
	case protocol.CommandContainerStop, protocol.CommandContainerRestart:
		return options{target: container, form: validObject, timeout: true}, true
	case protocol.CommandContainerKill:
		return options{target: container, form: validObject, signal: true}, true
	case protocol.CommandContainerRemove:
		return options{target: container, form: validObject, force: true}, true
	case protocol.CommandContainerLogs:
		return options{target: container, form: validObject, tail: true}, true
	case protocol.CommandStackRedeploy:
		return options{target: "a stack's id, a number from 1"}, true
	case protocol.CommandImageRemove:
		return options{target: "an image's id or reference", form: validImage, force: true}, true
	case protocol.CommandVolumeRemove:
		return options{target: "a volume's name", form: validObject, force: true}, true
	case protocol.CommandSnapshot, protocol.CommandUpdate:
		return options{}, true
	}
	if k == protocol.CommandJobRun || k == protocol.CommandJobCancel || k == protocol.CommandJobOutput {
		return options{job: true}, true
	}
	return options{}, false
}

// check says what is wrong with a command that somebody wants to give. Errors wrap ErrInvalid.
func check(c protocol.Command) error {
	o, ok := optionsOf(c.Kind)
	if !ok {
		return fmt.Errorf("%w: kind %d is not known", ErrInvalid, c.Kind)
	}
	if !targetFits(o, c.Target) {
		if o.target == "" {
			return fmt.Errorf("%w: %s has no target; leave it out", ErrInvalid, c.Kind)
		}
		return fmt.Errorf("%w: %s of %.80q: the target must be %s", ErrInvalid, c.Kind, c.Target, o.target)
	}
	for _, option := range []struct {
		name         string
		set, allowed bool
	}{
		{"tail", c.Tail != 0, o.tail},
		{"signal", c.Signal != "", o.signal},
		{"timeout", c.Timeout != 0, o.timeout},
		{"force", c.Force, o.force},
	} {
		if option.set && !option.allowed {
			return fmt.Errorf("%w: %s does not know the option %q; leave it out", ErrInvalid, c.Kind, option.name)
		}
	}
	switch {
	case (c.Kind == protocol.CommandUpdate) != (c.Update != nil):
		return fmt.Errorf("%w: %s is given by an update alone: start one with `farshore updates start`, or in the console", ErrInvalid, protocol.CommandUpdate)
	case o.job != (c.Job != nil):
		return fmt.Errorf("%w: %s and the like are given where jobs are: use `farshore jobs run`, `cancel` or `output`, or the console", ErrInvalid, protocol.CommandJobRun)
	case c.Job != nil && !asksRightly(c):
		return fmt.Errorf("%w: %s has to name a job or a run, and nothing else", ErrInvalid, c.Kind)
	case c.Tail > MaxTail:
		return fmt.Errorf("%w: tail %d: at most %d lines", ErrInvalid, c.Tail, MaxTail)
	case c.Timeout > MaxTimeout:
		return fmt.Errorf("%w: timeout %d s: at most %d s", ErrInvalid, c.Timeout, MaxTimeout)
	case c.Signal != "" && !signalFits(c.Signal):
		return fmt.Errorf("%w: signal %.20q: use a name such as SIGTERM or HUP, or a number from 1 to 64", ErrInvalid, c.Signal)
	}
	return nil
}

// asksRightly reports whether a command about jobs names what its kind wants.
func asksRightly(c protocol.Command) bool {
	a := *c.Job
	switch c.Kind {
	case protocol.CommandJobRun:
		return a.Job != 0 && a == protocol.JobAsk{Job: a.Job}
	case protocol.CommandJobCancel:
		return (a.Run == 0) != (a.Job == 0) && a == protocol.JobAsk{Job: a.Job, Run: a.Run}
	}
	return a.Run != 0 && a.Job == 0 && a.Max <= protocol.MaxJobOutput
}

func targetFits(o options, target string) bool {
	switch {
	case o.target == "":
		return target == ""
	case o.form == nil: // a stack
		n, err := strconv.ParseUint(target, 10, 64)
		return err == nil && n > 0 && !strings.HasPrefix(target, "0")
	}
	return o.form.MatchString(target)
}

func signalFits(s string) bool {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		return n >= 1 && n <= 64
	}
	return validSignal.MatchString(s)
}
