package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/policy"
)

// route is one operation of the API, with I what is asked and O what is answered (see huma for their tags).
//
// Each has either Does and On, which access.Authorize is asked with before anything else is done, or Open.
type route[I, O any] struct {
	// Method and Path below Base. ID names the operation in the document; it is stable.
	Method, Path, ID string
	// Tag groups operations in the document; Summary is a line, Description more.
	Tag, Summary, Description string
	// Status of the answer. 0: 200, or 204 where there is no body.
	Status int
	// Does is what the caller wants to do, and On what to do it on. On only looks, with the eyes of the caller: what they
	// do not see is not there. Where it fails it gives the kind of the resource, and what it was called, all the same.
	Does access.Operation
	On   func(*call, *I) (access.Resource, error)
	// Open says why the operation needs no right: see the constants below. "": it needs Does.
	Open openness
	// DuringSetup: it may be done by who has to set up a second factor before anything else.
	DuringSetup bool
	// Records names the operation in the audit trail where Does does not. Routes that do not only look are recorded
	// in any case, and others where this is set.
	Records string
	// Looks: it only looks, although its method says otherwise.
	Looks bool
	// MaxBytes and BodyTimeout bound the body. 0: 1 MiB, and 5 s.
	MaxBytes    int64
	BodyTimeout time.Duration
	// Slow is how long working out the answer may take. 0: writeTimeout.
	Slow time.Duration
	// Plain: the body is decoded without being checked against its schema first, which saves memory.
	Plain bool
	// JSON is what a body that Run reads itself may be as well, for the document. Nil: what I has as Body, or none.
	JSON reflect.Type
	// Streams is the media type of an answer that is not JSON. "": it is JSON.
	Streams string
	// AsItIs: the query is not looked at, as Run passes the request on.
	AsItIs bool
	// Run does it.
	Run func(context.Context, *call, *I) (*O, error)
}

// openness says why an operation needs no right.
type openness string

const (
	// openToAll: it is how one signs in; what is given in the body proves who asks.
	openToAll openness = "signing in"
	// openToSignedIn: it is about the caller's own session.
	openToSignedIn openness = "own session"
	// openToPerson: it is about the caller's own account, and for people alone, not for their API tokens.
	openToPerson openness = "own account"
)

// call is one request under way: who asks, and what it is about.
type call struct {
	*caller
	s  *server
	op access.Operation
	// on is the resource that Authorize agreed to. A handler that changes the name of what it is about sets on.ID.
	on access.Resource
	// noted are outcomes of a request about many things; each gets a record of its own.
	noted []outcome
	// detail goes into the audit record.
	detail string
	// sees are the caller's eyes, once looks was done.
	sees  *eyes
	looks sync.Once
	// tried: nobody is signed in, but what was tried cost so much that strangers cannot fill the audit trail with it.
	tried bool
}

type outcome struct {
	on  access.Resource
	err error
	// detail goes into the audit record in place of the call's. "": the call's.
	detail string
}

// by names the caller in records.
func (c *call) by() string { return c.who.String() }

// scope is all that the caller may do the call's operation on.
func (c *call) scope() access.Scope { return c.s.Accounts.Scope(c.who, c.op) }

// may asks for the right to do the call's operation on one of many things.
func (c *call) may(on access.Resource) error { return c.s.Accounts.Authorize(c.who, c.op, on) }

// note keeps what became of one of many things, for the audit trail.
func (c *call) note(on access.Resource, err error) {
	c.noted = append(c.noted, outcome{on: on, err: err})
}

// none is the output of a route without a body.
type none struct{}

// reply is an answer with a JSON body.
type reply[T any] struct{ Body T }

func replyWith[T any](body T) *reply[T] { return &reply[T]{Body: body} }

// changes reports whether an operation is recorded: all are that do not only look.
func changes(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// add registers a route. It is the only way by which one comes to be: authentication was done before the body was
// read (see authenticate); here follow the right, the work, the audit record and the error table.
func add[I, O any](s *server, r route[I, O]) {
	if (r.Does == "" || r.On == nil) == (r.Open == "") {
		panic(fmt.Sprintf("api: route %s must say what it does on which resource, or why it is open", r.ID))
	}
	op := huma.Operation{
		OperationID: r.ID, Method: r.Method, Path: Base + r.Path, Summary: r.Summary, Description: r.Description,
		Tags: []string{r.Tag}, DefaultStatus: r.Status, MaxBodyBytes: r.MaxBytes, BodyReadTimeout: r.BodyTimeout,
		SkipValidateParams: r.AsItIs,
		SkipValidateBody:   r.Plain || r.JSON != nil, Metadata: map[string]any{metaOpen: r.Open, metaUpload: r.MaxBytes > 1<<20, metaSlow: r.Slow, metaPassed: r.AsItIs},
		Extensions: map[string]any{"x-farshore-right": string(r.Does)},
		Security:   []map[string][]string{{"bearer": {}}, {"cookie": {}}},
	}
	if r.Open != "" {
		op.Extensions["x-farshore-right"] = "none: " + string(r.Open)
	}
	if r.Open == openToAll {
		op.Security = []map[string][]string{}
	}
	if r.Streams != "" {
		op.Responses = map[string]*huma.Response{"200": {
			Description: "A stream", Content: map[string]*huma.MediaType{r.Streams: {Schema: &huma.Schema{Type: huma.TypeString}}},
		}}
	}
	if r.JSON != nil {
		schema := s.api.OpenAPI().Components.Schemas.Schema(r.JSON, true, "")
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	}
	op.Responses = withProblems(s.api, op.Responses)
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		c := &call{caller: callerOf(ctx), s: s, op: r.Does}
		out, err := run(ctx, c, r, in)
		var recordErr error
		if (changes(r.Method) || r.Records != "") && !r.Looks || s.refusedLook(c, err) {
			recordErr = s.record(c, r.Records, err)
		}
		if recordErr != nil {
			s.Log.Error("the audit trail lacks an entry", "operation", r.ID, "error", recordErr)
			if err == nil {
				err = fmt.Errorf("%w: %w", errUnrecorded, recordErr)
			}
		}
		if err != nil {
			return nil, s.problem(err, r.ID)
		}
		return out, nil
	})
}

// refusedLook reports whether somebody was refused a look that is to be recorded: one of each kind, account and address
// an hour.
func (s *server) refusedLook(c *call, err error) bool {
	return c.op != "" && c.who.Kind != "" && errors.Is(err, access.ErrForbidden) &&
		s.readings.fresh(reading{c.by(), c.remote, access.Resource{Kind: "refused " + string(c.op)}}, time.Now())
}

func run[I, O any](ctx context.Context, c *call, r route[I, O], in *I) (*O, error) {
	switch {
	case c.who.Setup && !r.DuringSetup && r.Open != openToAll:
		return nil, access.ErrSetup
	case r.Open == openToPerson && c.who.Kind != access.KindUser:
		return nil, fmt.Errorf("%w: an account is in the hands of who signs in with its password", access.ErrForbidden)
	}
	if r.Open == "" {
		var lookErr error
		c.on, lookErr = r.On(c, in)
		// Who may not do it is not told either whether the thing is there.
		if err := c.s.Accounts.Authorize(c.who, r.Does, c.on); err != nil {
			return nil, err
		}
		if lookErr != nil {
			return nil, lookErr
		}
	}
	return r.Run(ctx, c, in)
}

// refused tells apart what somebody may not from what went wrong.
func refused(err error) bool {
	_, waits := errors.AsType[*access.DelayError](err)
	return waits || errors.Is(err, access.ErrForbidden) || errors.Is(err, access.ErrUnauthenticated) || errors.Is(err, policy.ErrRefused)
}

// record writes what was done into the audit trail, one entry for each thing, and remembers what edits things. What a nobody was refused is not
// written, because it would let strangers fill the disk, but for passwords that were checked, which is slow, and
// a minute's first of those that have to wait.
func (s *server) record(c *call, name string, err error) error {
	if c.who.Kind == "" && !c.tried {
		return nil
	}
	if name == "" {
		name = string(c.op)
	}
	outcomes := c.noted
	if len(outcomes) == 0 {
		outcomes = []outcome{{on: c.on, err: err}}
	}
	var errs []error
	for _, o := range outcomes {
		if o.err == nil {
			s.remember(c, o.on)
		}
		e := audit.Entry{
			Principal: c.by(), BreakGlass: c.who.BreakGlass, Remote: c.remote, Operation: name, Resource: o.on.String(), Group: o.on.Group,
			Result: audit.ResultDone, Detail: cmp.Or(o.detail, c.detail),
		}
		if o.err != nil {
			e.Result, e.Detail = audit.ResultFailed, s.sentence(o.err)
			if refused(o.err) {
				e.Result = audit.ResultRefused
			}
		}
		if c.who.Kind == "" {
			errs = append(errs, s.Audit.RecordStranger(e))
		} else {
			errs = append(errs, s.Audit.Record(e))
		}
	}
	return errors.Join(errs...)
}

// onAny is On for operations on whatever of a kind the caller may do it on: Run asks again for each.
func onAny[I any](kind string) func(*call, *I) (access.Resource, error) {
	return func(*call, *I) (access.Resource, error) { return access.Resource{Kind: kind, Any: true}, nil }
}

// onHub is On for operations on the hub as a whole.
func onHub[I any](*call, *I) (access.Resource, error) { return access.Resource{}, nil }
