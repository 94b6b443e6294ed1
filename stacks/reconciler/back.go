package reconciler

import (
	"context"
	"fmt"

	"github.com/farshore/farshore/protocol"
)

// goBack brings back the last good version, after what was begun since has failed or was interrupted.
func (r *Reconciler) goBack(ctx context.Context, j *job) *failure {
	line := *j.was
	line.Phase, line.Touched = PhaseRollingBack, true
	if err := r.cfg.State.PutApplied(line); err != nil {
		return local("the step could not be journaled", err)
	}
	j.changing.Store(true)
	failed := line.Code != ""
	if failed && !j.quiet {
		st := rolledBack(&line)
		st.State = protocol.StackRollingBack
		j.stack.report(r, st)
	}
	final, f := r.bring(ctx, j)
	if f != nil {
		return f
	}
	line.Phase, line.Touched, line.Services, line.Stopped = PhaseRolledBack, false, servicesOf(final.Services), nil
	if !failed {
		line.Phase = PhaseFetching // nothing speaks against what was begun
	}
	if err := r.cfg.State.PutApplied(line); err != nil {
		return local("the success could not be journaled", err)
	}
	r.cfg.Log.Info("stack went back", "stack", line.Entry.ID, "failed", line.Next.Version, "version", line.Entry.Version)
	if failed {
		j.stack.report(r, r.withHold(rolledBack(&line), &line))
	}
	r.tidy(&line.Entry)
	return nil
}

// failedBack reports that the last good version cannot be brought back either. It is tried again for ever.
func (r *Reconciler) failedBack(j *job) {
	f, next := j.failure, j.was.Next
	detail := f.said("")
	if j.was.Code != "" {
		detail = fmt.Sprintf("version %d failed: %s\nbringing back version %d fails as well: %s", next.Version, j.was.Detail, j.was.Entry.Version, detail)
	}
	j.stack.report(r, r.withHold(protocol.StackStatus{
		Stack: next.ID, Version: next.Version, Nonce: next.Nonce, State: f.state, Code: f.code, Detail: detail,
	}, j.was))
}
