package composer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/farshore/farshore/stacks/compose"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// afterwards bounds the questions that are asked after a failure, to report it.
const afterwards = 5 * time.Second

// The engine and the library say these in prose only.
var (
	rePortInUse = regexp.MustCompile(`port is already allocated|address already in use`)
	rePort      = regexp.MustCompile(`(?:\d+\.\d+\.\d+\.\d+|\]):(\d+)`)
	reNameInUse = regexp.MustCompile(`The container name "/?([^"]+)" is already in use`)
	reDiskFull  = regexp.MustCompile(`no space left on device|disk quota exceeded`)
	reNoImage   = regexp.MustCompile(`No such image|manifest unknown|pull access denied`)
	reNoSource  = regexp.MustCompile(`bind source path does not exist: (\S+)`)
	reEnded     = regexp.MustCompile(`is unhealthy|exited \(\d+\)|didn't complete successfully|has no healthcheck configured`)
	reCannotRun = regexp.MustCompile(`(?i)OCI runtime|failed to create (?:shim )?task|starting container process`)
)

// failed is the last event of a failure.
func (r *run) failed(ctx context.Context, err error) ipc.Event {
	f := r.classify(ctx, err)
	e := ipc.Event{
		Kind: ipc.KindFailed, Code: f.Code, Service: f.Service, Container: f.Container, Text: "failed",
		Detail: r.redact(f.Detail), Log: f.Log, Warnings: r.warnings,
		Unchanged: !r.changing, Away: f.Away,
	}
	if r.eng == nil || f.Code == ipc.CodeEngineUnreachable {
		return e
	}
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	e.Services, _ = r.states(ask, nil) // a failure that cannot be asked about is reported as it is
	return e
}

// classify gives an error its code and its sentence.
func (r *run) classify(ctx context.Context, err error) *Failure {
	var f *Failure
	var invalid *compose.Error
	text := err.Error()
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &invalid):
		return &Failure{Code: invalid.Code, Detail: invalid.Error()}
	case ctx.Err() != nil:
		return &Failure{Code: ipc.CodeCancelled, Detail: "the composer was told to stop before it was done; apply the stack again to finish"}
	case client.IsErrConnectionFailed(err), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF):
		host := r.req.Host
		if r.eng != nil {
			host = r.eng.host
		}
		return &Failure{Code: ipc.CodeEngineUnreachable, Detail: fmt.Sprintf("the Docker Engine at %s went away; when it is back, apply the stack again", host)}
	case saysDiskFull(err):
		return &Failure{Code: ipc.CodeDiskFull, Detail: "the device's disk is full; remove images or volumes that are not needed, then apply the stack again"}
	case reNameInUse.MatchString(text):
		name := reNameInUse.FindStringSubmatch(text)[1]
		return &Failure{Code: ipc.CodeNameInUse, Container: name, Detail: fmt.Sprintf("the container name %q is taken; remove or rename that container, or change container_name", name)}
	case rePortInUse.MatchString(text):
		port := "a published port"
		if m := rePort.FindStringSubmatch(text); m != nil {
			port = "port " + m[1]
		}
		return &Failure{Code: ipc.CodePortInUse, Detail: port + " is held by something else on the device; stop that, or publish another port"}
	case reNoImage.MatchString(text):
		return &Failure{Code: ipc.CodeImageUnavailable, Detail: oneLine(text) + "; check the image's name and the registry's credentials"}
	case reNoSource.MatchString(text):
		return &Failure{Code: ipc.CodeMissingFile, Detail: fmt.Sprintf("the device has no %s, which is mounted; create it, or remove the mount", reNoSource.FindStringSubmatch(text)[1])}
	}
	return &Failure{Code: ipc.CodeInternal, Detail: oneLine(text) + "; correct what the engine complains about, then apply the stack again"}
}

func saysDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || reDiskFull.MatchString(err.Error())
}

// startFailure names the container that an error of starting is about.
func (r *run) startFailure(ctx context.Context, p *project, err error) error {
	text := err.Error()
	ended := reEnded.MatchString(text)
	if ctx.Err() != nil {
		return err
	}
	all, listErr := r.eng.containers(ctx, p.Name)
	if listErr != nil {
		return err
	}
	if !ended && !reCannotRun.MatchString(text) {
		return r.blame(ctx, all, err)
	}
	w := &watch{run: r, project: p, since: map[string]time.Time{}}
	for _, c := range all {
		info, inspectErr := r.eng.ContainerInspect(ctx, c.ID)
		if inspectErr != nil {
			continue
		}
		service := c.Labels[api.ServiceLabel]
		if v := w.judge(service, nameOf(c), info); v.fail != nil {
			return r.withLog(ctx, v.fail)
		} else if v.late != nil && info.State.Status != container.StateCreated && strings.Contains(text, nameOf(c)) {
			return r.withLog(ctx, v.late)
		}
	}
	code := ipc.CodeExited
	if strings.Contains(text, "health") {
		code = ipc.CodeUnhealthy
	}
	return &Failure{Code: code, Detail: oneLine(text) + "; correct that service"}
}

// blame adds to an error the container that the engine could not start.
func (r *run) blame(ctx context.Context, all []container.Summary, err error) error {
	f := r.classify(ctx, err)
	for _, c := range all {
		if c.State != container.StateCreated {
			continue
		}
		info, inspectErr := r.eng.ContainerInspect(ctx, c.ID)
		if inspectErr == nil && info.State.Error != "" {
			f.Service, f.Container = c.Labels[api.ServiceLabel], nameOf(c)
			f.Detail = "service " + f.Service + " cannot be started: " + f.Detail
			break
		}
	}
	return f
}

// withLog adds the end of the container's log to a failure.
func (r *run) withLog(ctx context.Context, f *Failure) error {
	if f.Container == "" {
		return f
	}
	ask, cancel := context.WithTimeout(ctx, afterwards)
	defer cancel()
	info, err := r.eng.ContainerInspect(ask, f.Container)
	if err != nil {
		return f
	}
	logs, err := r.eng.ContainerLogs(ask, f.Container, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "50"})
	if err != nil {
		return f // logging drivers that cannot be read are usual
	}
	defer func() { _ = logs.Close() }()
	tail := &tail{}
	if info.Config.Tty {
		_, _ = io.Copy(tail, logs)
	} else {
		_, _ = stdcopy.StdCopy(tail, tail, logs)
	}
	f.Log = tail.String()
	return f
}

// tail keeps the last MaxLog bytes written to it.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - ipc.MaxLog; over > 0 {
		t.buf = bytes.Clone(t.buf[over:])
	}
	return len(p), nil
}

// String is valid UTF-8 of at most MaxLog bytes.
func (t *tail) String() string { return strings.ToValidUTF8(string(t.buf), "") }

// redact takes the values of variables out of a sentence: they may be secret. Short ones are left, as they would
// mutilate the sentence and are no secrets.
func (r *run) redact(text string) string {
	var values []string
	for _, v := range r.req.Env {
		if len(v) >= 5 {
			values = append(values, v)
		}
	}
	sort.Slice(values, func(i, j int) bool { return len(values[i]) > len(values[j]) })
	for _, v := range values {
		text = strings.ReplaceAll(text, v, "***")
	}
	return text
}
