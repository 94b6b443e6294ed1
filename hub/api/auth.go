package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/audit"
)

const (
	// cookieName of the session. The prefix makes browsers hold it to this host and to HTTPS.
	cookieName = "__Host-farshore"
	// guardHeader must come with whatever a browser's session changes; other sites cannot send it.
	guardHeader = "X-Farshore"
	// Keys of an operation's metadata: its openness, and whether its body is large.
	metaOpen   = "open"
	metaUpload = "upload"
	metaSlow   = "slow"
	metaPassed = "passed"
	// uploadWait is how long a large body waits for its turn.
	uploadWait = 30 * time.Second
)

// caller is who asks, and how.
type caller struct {
	who access.Principal
	// secret of the session or token. Never logged.
	secret string
	// remote is the address the hub sees, without a port.
	remote string
}

type callerKey struct{}

func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	if c == nil {
		return &caller{}
	}
	return c
}

// errForeign: a browser sent a request that another site may have made it send.
var errForeign = errors.New("this request did not come from the hub's own pages")

// authenticate finds out who asks, before the body is read: strangers cost no memory. It sees all requests but those
// for the document.
func (s *server) authenticate(ctx huma.Context, next func(huma.Context)) {
	secret, fromCookie := secretOf(ctx)
	c := &caller{remote: host(ctx.RemoteAddr())}
	open, _ := ctx.Operation().Metadata[metaOpen].(openness)
	err := s.guard(ctx, fromCookie)
	if err == nil && secret != "" {
		// A stale session must not keep anybody from signing in.
		if c.who, err = s.Accounts.Authenticate(secret); err == nil {
			c.secret = secret
			err = s.pace(c.who)
		} else if open == openToAll {
			err = nil
		}
	} else if err == nil && open != openToAll {
		_, err = s.Accounts.Authenticate("")
	}
	if errors.Is(err, errForeign) {
		s.recordForeign(ctx, c.remote, secret)
	}
	if err != nil {
		s.writeProblem(ctx, err)
		return
	}
	if upload, _ := ctx.Operation().Metadata[metaUpload].(bool); upload {
		leave, err := s.turn(ctx.Context())
		if err != nil {
			s.writeProblem(ctx, err)
			return
		}
		defer leave()
	}
	if slow, _ := ctx.Operation().Metadata[metaSlow].(time.Duration); slow > 0 {
		_, w := humago.Unwrap(ctx)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(slow)) // a recorder in a test has none
	}
	next(huma.WithValue(ctx, callerKey{}, c))
}

// bounceAgain is how often strangers who are sent away are on record: once in it for each address and reason.
const bounceAgain = time.Minute

// bounces reports whether it is to be recorded that somebody from an address was sent away.
func (s *server) bounces(reason, remote string) bool {
	return s.bounced.fresh(reading{"", remote, access.Resource{Kind: reason}}, time.Now())
}

// recordForeign puts a request on record that another site may have made a browser send, with whose session it came.
func (s *server) recordForeign(ctx huma.Context, remote, secret string) {
	if !s.bounces("foreign", remote) {
		return
	}
	victim, _ := s.Accounts.Authenticate(secret) // nobody, where the session is no good
	e := audit.Entry{
		Principal: victim.String(), BreakGlass: victim.BreakGlass, Remote: remote, Operation: "session.foreign-request", Result: audit.ResultRefused,
		Detail: fmt.Sprintf("%s: %s", ctx.Operation().OperationID, errForeign),
	}
	if err := s.Audit.RecordStranger(e); err != nil {
		s.Log.Error("the audit trail lacks an entry", "operation", e.Operation, "error", err)
	}
}

// turn waits until a large body may be read: it is held in memory whole.
func (s *server) turn(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, uploadWait, fmt.Errorf("%w with other large requests: try again in a minute", errBusy))
	defer cancel()
	select {
	case s.uploads <- struct{}{}:
		return func() { <-s.uploads }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// secretOf takes the secret from the Authorization header, or else from the cookie.
func secretOf(ctx huma.Context) (secret string, fromCookie bool) {
	return secretFrom(ctx.Header("Authorization"), ctx.Header("Cookie"))
}

func secretFrom(authorization, cookies string) (secret string, fromCookie bool) {
	if scheme, token, ok := strings.Cut(authorization, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token), false
	}
	if authorization != "" {
		return "not a bearer token", false // is refused, rather than being taken for a cookie's request
	}
	parsed, err := http.ParseCookie(cookies)
	if err != nil {
		return "", false
	}
	for _, c := range parsed {
		if c.Name == cookieName {
			return c.Value, true
		}
	}
	return "", false
}

// guard refuses what another site may have made a browser send: a browser says where a request comes from, and only
// the hub's own pages, and programs, can set the guard header.
func (s *server) guard(ctx huma.Context, fromCookie bool) error {
	// What is passed on may change something whatever its method, and its answer is somebody else's: no page shall navigate
	// there, or open a WebSocket.
	passed, _ := ctx.Operation().Metadata[metaPassed].(bool)
	if !changes(ctx.Method()) && !passed || ctx.Header(guardHeader) != "" {
		return nil
	}
	switch site := ctx.Header("Sec-Fetch-Site"); {
	case site == "same-origin" && !passed, site == "" && !fromCookie:
		return nil
	}
	return fmt.Errorf("%w: send the header %s: 1 with requests that change something", errForeign, guardHeader)
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
