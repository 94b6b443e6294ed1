package reconciler

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// trial is the time in which a version that was applied is watched.
type trial struct {
	until    time.Time
	restarts map[protocol.ContainerID]uint32 // when it was first seen
	lost     bool                            // the engine went away meanwhile
}

// watch judges a version that runs on trial.
func (r *Reconciler) watch(ctx context.Context, s *stack, v *view) (due time.Time) {
	e, a, t := v.desired[s.key], v.journal[s.key], s.trial
	st := protocol.StackStatus{Stack: e.ID, Version: e.Version, Nonce: e.Nonce, State: protocol.StackVerify}
	switch {
	case v.seen == nil:
		return t.until
	case v.seen.Engine.State != protocol.EngineRunning:
		t.lost = true
		st.State, st.Code, st.Detail = protocol.StackWaiting, stacks.CodeEngineAbsent, engineAbsent(v.seen)
		s.report(r, st)
		return due
	case t.lost: // what ended with the engine does not speak against the version
		s.trial = nil
		return r.advance(ctx, s, v, true)
	case v.now.Before(s.judgeFrom):
		return s.judgeFrom
	}
	line := *a
	line.Entry = *a.Next
	found := examine(&line, v.seen)
	if found.code == "" || found.code == stacks.CodeServiceStopped {
		found.code = ""
		t.restarted(&found, a.Next.Name, v.seen)
	}
	j := &job{stack: s, entry: e, hash: e.Content(), was: a}
	switch {
	case found.code != "":
		j.why, j.culprit = condemn, found.culprit
		j.verdict = &failure{state: protocol.StackFailed, code: found.code, detail: "while it was watched: " + found.detail}
	case v.now.Before(t.until):
		s.report(r, st)
		return t.until
	case found.undecided:
		return due // the next snapshot decides
	default:
		j.why, j.services = accept, a.Services
	}
	r.start(ctx, s, j)
	return due
}

// restarted finds containers that the engine started again.
func (t *trial) restarted(f *finding, project string, seen *protocol.Snapshot) {
	if t.restarts == nil {
		t.restarts = map[protocol.ContainerID]uint32{}
	}
	for _, c := range seen.Containers {
		if c.Project != project {
			continue
		}
		before, known := t.restarts[c.ID]
		if !known {
			t.restarts[c.ID] = c.Restarts
		} else if c.Restarts > before {
			f.code, f.culprit = stacks.CodeServiceDown, c.Name
			f.detail = fmt.Sprintf("service %s: container %s ended and was started again %d times", c.Service, c.Name, c.Restarts-before)
		}
	}
}

// tailTimeout bounds reading a log.
const tailTimeout = 10 * time.Second

// condemn is the failure of a version on trial, with the log of the container that is to blame, while it is there.
func (r *Reconciler) condemn(ctx context.Context, j *job) *failure {
	f := *j.verdict
	if r.cfg.Tail == nil || j.culprit == "" {
		return &f
	}
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	log, err := r.cfg.Tail(ctx, j.culprit)
	if err != nil {
		return &f // logging drivers that cannot be read are usual
	}
	secrets, err := r.cfg.OpenSecrets(j.entry)
	if err != nil {
		return &f
	}
	for _, value := range secrets.Env {
		if value != "" {
			log = strings.ReplaceAll(log, value, "***")
		}
	}
	f.log = logTail(log)
	return &f
}
