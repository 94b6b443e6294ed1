package reconciler

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// failure is why a job did not succeed.
type failure struct {
	state  protocol.StackState
	code   string
	detail string
	// unchanged: nothing was changed on the engine, what ran before runs still.
	unchanged bool
	permanent bool
	cancelled bool
}

func (f *failure) Error() string { return f.detail }

func (r *Reconciler) tooLong() *failure {
	return &failure{
		state: protocol.StackFailed, code: stacks.CodeRetrying,
		detail: fmt.Sprintf("applying the stack took longer than %s and was ended; what was downloaded is kept, it is tried again", r.cfg.ApplyTimeout),
	}
}

// maxLogTail is how much of a failing container's log goes into a status.
const maxLogTail = 1 << 10

// composed classes what the composer reported.
func composed(e ipc.Event) *failure {
	f := &failure{state: protocol.StackFailed, code: e.Code, detail: e.Detail}
	switch e.Code {
	case ipc.CodeComposeSyntax, ipc.CodeComposeUnknownKey, ipc.CodeComposeInvalid, ipc.CodePathOutside,
		ipc.CodeMissingFile, ipc.CodeBadRequest:
		f.permanent, f.unchanged = true, true // the same files give the same answer
	case ipc.CodeImageUnavailable:
		f.unchanged = true
	case ipc.CodeEngineUnreachable:
		f.state, f.code, f.unchanged = protocol.StackWaiting, stacks.CodeEngineAbsent, true
	case stacks.CodeComposerAbsent:
		f.state, f.unchanged = protocol.StackWaiting, true
	case ipc.CodeDiskFull:
		f.state = protocol.StackWaiting
	}
	if tail := e.Log; tail != "" {
		if len(tail) > maxLogTail {
			tail = strings.ToValidUTF8(tail[len(tail)-maxLogTail:], "")
		}
		f.detail += "\n" + tail
	}
	return f
}

// local is a failure on the agent's own side; nothing was changed on the engine by it, and it is tried again.
func local(what string, err error) *failure {
	f := &failure{
		state: protocol.StackWaiting, code: stacks.CodeRetrying, unchanged: true,
		detail: fmt.Sprintf("%s: %s; it is tried again", what, err),
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		f.code = stacks.CodeDiskFull
		f.detail = fmt.Sprintf("%s: the disk is full; free some space on the device, it goes on by itself then", what)
	}
	return f
}

// changed takes back that nothing was changed.
func changed(f *failure) *failure {
	f.unchanged = false
	return f
}
