package reconciler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// finding is what is wrong with an applied stack.
type finding struct {
	code   string // "": nothing
	detail string
	// culprit is the first container that it is about; "": none.
	culprit string
	// undecided: a health check has not decided yet.
	undecided bool
	missing   bool
	rebooted  bool // a container ended with the machine and nothing started it since
	stopped   bool
}

// heal reports whether the stack should be applied again: something was removed or did not come back after a reboot,
// and nothing would be started that a command stopped.
func (f *finding) heal() bool { return (f.missing || f.rebooted) && !f.stopped }

// maxProblems is how many containers a detail names.
const maxProblems = 5

// examine compares what the last success left behind with what the engine has.
func examine(a *Applied, seen *protocol.Snapshot) finding {
	have := map[string][]protocol.Container{}
	for _, c := range seen.Containers {
		if c.Project == a.Entry.Name {
			have[c.Service] = append(have[c.Service], c)
		}
	}
	want := map[string][]Service{}
	for _, s := range a.Services {
		want[s.Service] = append(want[s.Service], s)
	}
	var f finding
	problems := map[string][]string{} // by code: name of the container, tab, sentence
	for service, expected := range want {
		if n := len(expected) - len(have[service]); n > 0 {
			f.missing = true
			problems[stacks.CodeServiceMissing] = append(problems[stacks.CodeServiceMissing],
				fmt.Sprintf("\tservice %s: a container is gone", service))
		}
		ended := slices.ContainsFunc(expected, func(s Service) bool { return s.Ended })
		for _, c := range have[service] {
			f.container(c, examined{a, seen.Host.Booted, ended}, problems)
		}
	}
	for _, code := range []string{
		stacks.CodeServiceMissing, stacks.CodeServiceDown, stacks.CodeServiceUnhealthy, stacks.CodeServiceStopped,
	} {
		if list := problems[code]; len(list) > 0 && f.code == "" {
			slices.Sort(list)
			f.code = code
			f.culprit, _, _ = strings.Cut(list[0], "\t")
			for i := range list {
				_, list[i], _ = strings.Cut(list[i], "\t")
			}
			f.detail = strings.Join(list[:min(len(list), maxProblems)], "; ")
			if more := len(list) - maxProblems; more > 0 {
				f.detail += fmt.Sprintf("; and %d more", more)
			}
		}
	}
	return f
}

// examined is what a container is judged by.
type examined struct {
	applied *Applied
	booted  int64 // when the machine started, Unix seconds; 0: not known
	ended   bool  // its service had done its work when the stack was applied
}

func (f *finding) container(c protocol.Container, by examined, problems map[string][]string) {
	add := func(code, format string, args ...any) {
		problems[code] = append(problems[code], fmt.Sprintf("%s\tservice %s: container %s ", c.Name, c.Service, c.Name)+fmt.Sprintf(format, args...))
	}
	switch {
	case c.State == protocol.ContainerRunning && c.Health == protocol.HealthUnhealthy:
		add(stacks.CodeServiceUnhealthy, "is unhealthy")
	case c.State == protocol.ContainerRunning && c.Health == protocol.HealthStarting:
		f.undecided = true
	case c.State == protocol.ContainerRunning:
	case slices.Contains(by.applied.Stopped, c.Name):
		f.stopped = true
		add(stacks.CodeServiceStopped, "was stopped by a command")
	case by.ended && c.State == protocol.ContainerExited && c.ExitCode == 0:
	case c.State == protocol.ContainerExited:
		f.rebooted = f.rebooted || c.Started != 0 && c.Started < by.booted
		add(stacks.CodeServiceDown, "ended with exit code %d", c.ExitCode)
	default:
		add(stacks.CodeServiceDown, "is %s", c.State)
	}
}

// find returns the container that a command named by name or id; nil when the snapshot does not know it.
func find(seen *protocol.Snapshot, target string) *protocol.Container {
	if seen == nil || target == "" {
		return nil
	}
	for i := range seen.Containers {
		c := &seen.Containers[i]
		id := c.ID.String()
		if c.Name == target || len(target) >= 4 && (strings.HasPrefix(id, target) || strings.HasPrefix(target, id)) {
			return c
		}
	}
	return nil
}

// owner returns the journal's line of the stack that a container belongs to; nil for none.
func owner(v *view, c *protocol.Container) *Applied {
	for _, a := range v.journal {
		if c.Project != "" && a.Entry.Name == c.Project {
			return a
		}
	}
	return nil
}

func engineAbsent(seen *protocol.Snapshot) string {
	text := "the container engine does not answer"
	if seen.Engine.Reason != "" {
		text += " (" + seen.Engine.Reason + ")"
	}
	return text + "; start it on the device, the stack goes on by itself then"
}
