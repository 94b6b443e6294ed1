package reconciler

import (
	"context"
	"errors"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// takeDown removes a stack, by its project name: its bundle may be gone.
func (r *Reconciler) takeDown(ctx context.Context, j *job) *failure {
	was := *j.was
	latest := was.latest()
	st := protocol.StackStatus{Stack: was.Entry.ID, Version: latest.Version, State: protocol.StackRemoving, Nonce: latest.Nonce}
	if was.Phase != PhaseRemoving {
		was.Phase = PhaseRemoving
		if err := r.cfg.State.PutApplied(was); err != nil {
			return local("the step could not be journaled", err)
		}
	}
	j.changing.Store(true)
	if !j.quiet {
		j.stack.report(r, st)
	}
	leave, f := enter(ctx, r.slots)
	if f != nil {
		return f
	}
	defer leave()
	if f := r.engineThere(); f != nil {
		return f
	}
	volumes := KeepVolumes
	if latest.RemoveVolumes {
		volumes = RemoveVolumes
	}
	_, f = r.compose(ctx, ipc.Request{
		Action: ipc.ActionDown, Project: was.Entry.Name, Root: r.cfg.Stager.Root(was.Entry.EntryKey),
		Host: r.cfg.Host, Volumes: string(volumes),
	}, func(ipc.Event) {})
	if f != nil {
		return f
	}
	if err := r.cfg.Stager.Remove(was.Entry.EntryKey, volumes); err != nil {
		return local("the stack's folder could not be removed", err)
	}
	// The status before the journal: a crash in between repeats the removal, which finds nothing, and the status.
	st.State = protocol.StackRemoved
	j.stack.report(r, st)
	if !j.stack.reported {
		return local("the removal could not be reported", errors.New("its status could not be stored"))
	}
	if err := r.cfg.State.RemoveApplied(was.Entry.EntryKey); err != nil {
		return local("the removal could not be journaled", err)
	}
	r.cfg.Log.Info("stack removed", "stack", was.Entry.ID)
	r.keepImages()
	if err := r.cfg.State.CollectBlobs(); err != nil {
		r.cfg.Log.Warn("cannot remove files that are not needed any more", "stack", was.Entry.ID, "error", err)
	}
	return nil
}
