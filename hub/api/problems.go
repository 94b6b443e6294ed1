package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"syscall"

	"github.com/danielgtaylor/huma/v2"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/audit/forward"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/hub/registries"
	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/hub/releases/releasefile"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/hub/tunnel"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/hub/variables"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot/fold"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// Errors of this package.
var (
	errInvalid  = errors.New("cannot be accepted")
	errNotFound = errors.New("not found")
	errBusy     = errors.New("the hub is busy")
	errTaken    = errors.New("cannot be made")
	errCount    = errors.New("another number of devices")
)

// fieldError says which part of a request an error is about.
type fieldError struct {
	// field as in a problem's errors: body.selector, query.as_of.
	field string
	err   error
}

func (e *fieldError) Error() string { return e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// inField says that err is about a part of the request. A nil err stays nil.
func inField(field string, err error) error {
	if err == nil {
		return nil
	}
	return &fieldError{field, err}
}

// errUnrecorded is of a change that was made, while its line in the audit trail could not be written.
var errUnrecorded = errors.New("it was done, but could not be put on record")

func invalid(field, format string, args ...any) error {
	return &fieldError{field, fmt.Errorf("%w: %s", errInvalid, fmt.Sprintf(format, args...))}
}

// row of the table is what is answered to an error. Code is a stable word.
type row struct {
	is     error
	status int
	code   string
}

// table maps errors to answers; the first that fits counts.
func table() []row {
	return []row{
		{access.ErrSecondFactor, http.StatusUnauthorized, "second-factor"},
		{access.ErrUnauthenticated, http.StatusUnauthorized, "not-signed-in"},
		{access.ErrSetup, http.StatusForbidden, "second-factor-needed"},
		{access.ErrForbidden, http.StatusForbidden, "not-allowed"},
		{errForeign, http.StatusForbidden, "foreign-request"},
		{access.ErrNotFound, http.StatusNotFound, "not-found"},
		{fleet.ErrNotFound, http.StatusNotFound, "not-found"},
		{stacks.ErrNotFound, http.StatusNotFound, "not-found"},
		{tunnel.ErrMode, http.StatusConflict, "no-tunnel"},
		{tunnel.ErrDevice, http.StatusNotFound, "not-found"},
		{tunnel.ErrOffline, http.StatusConflict, "offline"},
		{tunnel.ErrRefused, http.StatusBadGateway, "refused"},
		{tunnel.ErrNoAnswer, http.StatusGatewayTimeout, "no-answer"},
		{tunnel.ErrBusy, http.StatusServiceUnavailable, "busy"},
		{tunnel.ErrClosed, http.StatusBadGateway, "tunnel-closed"},
		{jobs.ErrNotFound, http.StatusNotFound, "not-found"},
		{dispatch.ErrDevice, http.StatusNotFound, "not-found"},
		{dispatch.ErrRunning, http.StatusConflict, "ended"},
		{jobs.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{commands.ErrNotFound, http.StatusNotFound, "not-found"},
		{admission.ErrNotWaiting, http.StatusNotFound, "not-found"},
		{admission.ErrKeyUnknown, http.StatusNotFound, "not-found"},
		{fold.ErrNone, http.StatusNotFound, "not-found"},
		{variables.ErrNotFound, http.StatusNotFound, "not-found"},
		{registries.ErrNotFound, http.StatusNotFound, "not-found"},
		{errNotFound, http.StatusNotFound, "not-found"},
		{errCount, http.StatusConflict, "count"},
		{fleet.ErrAmbiguous, http.StatusConflict, "ambiguous"},
		{errChanged, http.StatusPreconditionFailed, "changed"},
		{errThere, http.StatusPreconditionFailed, "exists"},
		{errTaken, http.StatusConflict, "exists"},
		{access.ErrExists, http.StatusConflict, "exists"},
		{fleet.ErrExists, http.StatusConflict, "exists"},
		{fleet.ErrInUse, http.StatusConflict, "in-use"},
		{fleet.ErrRevoked, http.StatusConflict, "revoked"},
		{planner.ErrUnderWay, http.StatusConflict, "rollout-under-way"},
		{planner.ErrClash, http.StatusUnprocessableEntity, "clash"},
		{planner.ErrNoRollout, http.StatusNotFound, "not-found"},
		{planner.ErrRemoving, http.StatusConflict, "removing"},
		{planner.ErrUnderWay, http.StatusConflict, "rollout-under-way"},
		{planner.ErrClash, http.StatusConflict, "clash"},
		{planner.ErrNoRollout, http.StatusNotFound, "not-found"},
		{commands.ErrEnded, http.StatusConflict, "ended"},
		{commands.ErrTooMany, http.StatusConflict, "too-many"},
		{admission.ErrNoUses, http.StatusConflict, "key-used-up"},
		{admission.ErrWrongCode, http.StatusConflict, "wrong-code"},
		{protocol.ErrTooLarge, http.StatusRequestEntityTooLarge, "too-large"},
		{access.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{forward.ErrNotFound, http.StatusNotFound, "not-found"},
		{forward.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{audit.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{audit.ErrCursor, http.StatusUnprocessableEntity, "invalid"},
		{fleet.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{gitsource.ErrNotFound, http.StatusNotFound, "not-found"},
		{gitsource.ErrFromGit, http.StatusConflict, "from-git"},
		{gitsource.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{stacks.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{commands.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{admission.ErrBadSpec, http.StatusUnprocessableEntity, "invalid"},
		{waitingroom.ErrRule, http.StatusUnprocessableEntity, "invalid"},
		{waitingroom.ErrPairingCode, http.StatusUnprocessableEntity, "invalid"},
		{waitingroom.ErrInvalidEdgeKey, http.StatusConflict, "hub-address"},
		{timeline.ErrCursor, http.StatusUnprocessableEntity, "invalid"},
		{errInvalid, http.StatusUnprocessableEntity, "invalid"},
		{gate.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{gate.ErrShutOut, http.StatusConflict, "shut-out"},
		{certificate.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{certificate.ErrFiles, http.StatusConflict, "files"},
		{syscall.ENOSPC, http.StatusInsufficientStorage, "disk-full"},
		{syscall.EDQUOT, http.StatusInsufficientStorage, "disk-full"},
		{releases.ErrNotFound, http.StatusNotFound, "not-found"},
		{updates.ErrNotFound, http.StatusNotFound, "not-found"},
		{releases.ErrExists, http.StatusConflict, "exists"},
		{releases.ErrInUse, http.StatusConflict, "in-use"},
		{releases.ErrTooMany, http.StatusConflict, "too-many"},
		{updates.ErrTooMany, http.StatusConflict, "too-many"},
		{releases.ErrNoKey, http.StatusConflict, "no-release-key"},
		{rollout.ErrNotNow, http.StatusConflict, "not-now"},
		{releasefile.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{protocol.ErrBadSignature, http.StatusUnprocessableEntity, "signature"},
		{updates.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{rollout.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{variables.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{registries.ErrExists, http.StatusConflict, "exists"},
		{registries.ErrPassword, http.StatusUnprocessableEntity, "password-needed"},
		{registries.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{policy.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{policy.ErrRefused, http.StatusForbidden, "policy"},
		{backup.ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
		{backup.ErrBusy, http.StatusServiceUnavailable, "busy"},
		{backup.ErrNoRoom, http.StatusInsufficientStorage, "disk-full"},
		{errBusy, http.StatusServiceUnavailable, "busy"},
		{context.Canceled, http.StatusServiceUnavailable, "stopping"},
	}
}

// look finds the answer to an error; ok is false for one that is the hub's own fault.
func look(err error) (status int, code string, ok bool) {
	var delay *access.DelayError
	if errors.As(err, &delay) {
		return http.StatusTooManyRequests, "too-many-attempts", true
	}
	var rate *rateError
	if errors.As(err, &rate) {
		return http.StatusTooManyRequests, "too-many-requests", true
	}
	// A device that was removed or revoked while a request about it was under way.
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return http.StatusConflict, "revoked", true
	}
	for _, r := range table() {
		if errors.Is(err, r.is) {
			return r.status, r.code, true
		}
	}
	return http.StatusInternalServerError, "fault", false
}

// problem is an answer as in RFC 9457, with a stable word.
type problem struct {
	huma.ErrorModel
	// Code is a stable word for programs.
	Code string `json:"code,omitempty" doc:"A stable word for programs, such as not-found" example:"not-found"`
}

// sentence is what people are told of an error: all that a part says of a request, nothing of the hub's inside.
func (s *server) sentence(err error) string {
	switch status, _, ok := look(err); {
	case errors.Is(err, errUnrecorded) && status == http.StatusInsufficientStorage:
		return errUnrecorded.Error() + ", since the hub's disk is full: free some space there, and look before doing it again"
	case errors.Is(err, errUnrecorded):
		return errUnrecorded.Error() + ": the hub's log says why; look before doing it again"
	case status == http.StatusInsufficientStorage:
		return "the hub's disk is full: nothing was changed; free some space there and try again"
	case !ok:
		return "the hub could not do it because of a fault of its own: its log says more"
	}
	return err.Error()
}

// problem makes an answer of an error, and logs what is the hub's own fault.
func (s *server) problem(err error, operation string) error {
	status, code, ok := look(err)
	if !ok || status == http.StatusInsufficientStorage {
		s.Log.Error("request failed", "operation", operation, "error", err)
	}
	p := newProblem(status, code, s.sentence(err))
	var f *fieldError
	if errors.As(err, &f) {
		p.Errors = []*huma.ErrorDetail{{Location: f.field, Message: p.Detail}}
	}
	if after := retryAfter(err); after != "" {
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {after}})
	}
	return p
}

// retryAfter is the header for who has to wait; "": nobody has.
func retryAfter(err error) string {
	var delay *access.DelayError
	var rate *rateError
	switch {
	case errors.As(err, &delay):
		return strconv.FormatInt(wholeSeconds(delay.After), 10)
	case errors.As(err, &rate):
		return strconv.FormatInt(wholeSeconds(rate.after), 10)
	}
	return ""
}

func newProblem(status int, code, detail string) *problem {
	p := &problem{Code: code}
	p.Title, p.Status, p.Detail = http.StatusText(status), status, detail
	return p
}

// writeProblem answers a request that does not reach its operation.
func (s *server) writeProblem(ctx huma.Context, err error) {
	p, ok := errors.AsType[*problem](s.problem(err, ctx.Operation().OperationID))
	if !ok {
		p = newProblem(http.StatusInternalServerError, "fault", s.sentence(err))
	}
	if p.Status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", "Bearer")
	}
	if after := retryAfter(err); after != "" {
		ctx.SetHeader("Retry-After", after)
	}
	ctx.SetHeader("Content-Type", "application/problem+json")
	ctx.SetStatus(p.Status)
	writeJSON(ctx.BodyWriter(), p)
}

// noSuchRoute answers what is below /api/ and no operation.
func (s *server) noSuchRoute(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusNotFound)
	writeJSON(w, newProblem(http.StatusNotFound, "no-such-operation",
		fmt.Sprintf("there is no operation %s %.200s: the document api/openapi.json lists all", r.Method, r.URL.Path)))
}

// writeJSON writes to a client; one that has gone needs no answer.
func writeJSON(w io.Writer, v any) { _ = json.NewEncoder(w).Encode(v) }

// explain turns what the checks of bodies and parameters say into a problem of the one form. What was sent is not
// repeated: it may be a secret.
func explain(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem(m.Status, "invalid", m.Detail)
	if m.Status == http.StatusRequestEntityTooLarge {
		p.Code = "too-large"
	}
	var said []string
	for _, e := range m.Errors {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Location: e.Location, Message: e.Message})
		said = append(said, strings.TrimPrefix(e.Location+": "+e.Message, ": "))
	}
	if len(said) > 0 {
		p.Detail = "the request cannot be accepted: " + strings.Join(said, "; ")
	}
	return p, nil
}

// withProblems adds to an operation's answers that anything else is a problem.
func withProblems(api huma.API, answers map[string]*huma.Response) map[string]*huma.Response {
	if answers == nil {
		answers = map[string]*huma.Response{}
	}
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[problem](), true, "Problem")
	answers["default"] = &huma.Response{
		Description: "It did not work: what happened, to which thing, and what to do",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
	return answers
}
