package reconciler

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// failure is why a job did not succeed.
type failure struct {
	state  protocol.StackState
	code   string
	detail string
	log    string // the end of the log of the container that is to blame
	// unchanged: nothing was changed on the engine, what ran before runs still.
	unchanged bool
	permanent bool // the same entry gives the same failure
	passing   bool // not the entry's fault: it is tried again for ever
	cancelled bool
}

// Error is what is told to whoever waits for the job.
func (f *failure) Error() string { return f.said("") }

// said is the whole detail, with a remark on what follows.
func (f *failure) said(then string) string {
	text := f.detail
	if then != "" {
		text += " (" + then + ")"
	}
	if f.log != "" {
		text += "\n" + f.log
	}
	return text
}

// ours reports whether the failure is the version's: it counts as an attempt.
func (f *failure) ours() bool { return f.state == protocol.StackFailed && !f.passing }

func (r *Reconciler) tooLong() *failure {
	return &failure{
		state: protocol.StackFailed, code: stacks.CodeRetrying,
		detail: fmt.Sprintf("applying the stack took longer than %s and was ended", r.cfg.ApplyTimeout),
	}
}

// maxLogTail is how much of a failing container's log goes into a status.
const maxLogTail = 1 << 10

func logTail(log string) string {
	if len(log) > maxLogTail {
		log = strings.ToValidUTF8(log[len(log)-maxLogTail:], "")
	}
	return log
}

// composed classes what the composer reported.
func composed(e ipc.Event) *failure {
	f := &failure{
		state: protocol.StackFailed, code: e.Code, detail: e.Detail, log: logTail(e.Log), unchanged: e.Unchanged, passing: e.Away,
	}
	switch e.Code {
	case ipc.CodeComposeSyntax, ipc.CodeComposeUnknownKey, ipc.CodeComposeInvalid, ipc.CodePathOutside,
		ipc.CodeMissingFile, ipc.CodeBadRequest:
		f.permanent = f.unchanged
	case ipc.CodeUnhealthy, ipc.CodeExited:
		f.unchanged = false // it runs, if badly, whichever attempt has made it
	case ipc.CodeEngineUnreachable:
		f.state, f.code = protocol.StackWaiting, stacks.CodeEngineAbsent
	case stacks.CodeComposerAbsent:
		f.state, f.unchanged = protocol.StackWaiting, true
	case ipc.CodeDiskFull:
		f.state = protocol.StackWaiting
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

// attempts is how often an entry is tried in all; 0: for ever.
func attempts(e *protocol.Entry) uint32 {
	switch {
	case e.Retries == 0:
		return protocol.DefaultRetries + 1
	case e.Retries > protocol.MaxRetries:
		return 0
	}
	return e.Retries + 1
}

// then says what follows the attempt after which the journal has this line.
func then(line *Applied, pause time.Duration) string {
	limit := attempts(line.Next)
	switch {
	case line.Final && limit != 0 && line.Tries >= limit:
		return fmt.Sprintf("gave up after %d attempts", line.Tries)
	case line.Final || line.Tries == 0:
		return ""
	}
	of := ""
	if limit != 0 {
		of = fmt.Sprintf(" of %d", limit)
	}
	return fmt.Sprintf("attempt %d%s, next in %s", line.Tries, of, pause.Round(time.Second))
}
