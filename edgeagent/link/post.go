package link

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

const (
	// maxAnswer bounds an answer of the hub, header included.
	maxAnswer = protocol.MaxFrame + 16<<10
	// doubtful is after how long an idle connection may have been forgotten by something on the way: it then gets half the
	// time to answer, and a fresh connection the other half.
	doubtful = time.Minute
)

// poster sends HTTP/1.1 requests with the fewest headers over one connection that is kept, and makes another one when that
// is gone. One request at a time.
type poster struct {
	dial    *Dialer
	base    *url.URL
	timeout time.Duration
	// linger is how long the connection is kept without a request. 0: until it breaks.
	linger time.Duration

	mu   sync.Mutex
	conn *postConn
	idle *time.Timer
}

type postConn struct {
	*Conn
	in   *io.LimitedReader
	r    *bufio.Reader
	used time.Time // end of the last request; zero: none yet
}

// request makes what is sent on a connection: headers beyond those of HTTP itself, each with its line end, and the body. It
// is called again when the request is repeated on another connection.
type request func(c *postConn) (header string, body []byte, err error)

// answered is the hub's answer.
type answered struct {
	status int
	body   []byte
}

// ready makes a connection if there is none.
func (p *poster) ready(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.connected(ctx)
	return err
}

// post sends one request within the timeout. Errors wrap ErrUnreachable or ErrWrongHub, or come from req.
func (p *poster) post(ctx context.Context, path string, req request) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle != nil {
		p.idle.Stop()
	}
	if c := p.conn; c != nil && !c.used.IsZero() {
		first, stop := ctx, func() {}
		if time.Since(c.used) > doubtful {
			first, stop = context.WithTimeout(ctx, p.timeout/2)
		}
		a, err := p.once(first, path, req)
		stop()
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnreachable) {
			return a, err
		}
		// The hub or something on the way had closed or forgotten the connection. Whether the request arrived is not known;
		// it may be repeated, because frames are numbered and a knock changes nothing when it comes twice.
	}
	if _, err := p.connected(ctx); err != nil {
		return answered{}, err
	}
	return p.once(ctx, path, req)
}

// connected returns the connection, made if there is none. p.mu must be held.
func (p *poster) connected(ctx context.Context) (*postConn, error) {
	if p.conn != nil {
		return p.conn, nil
	}
	c, err := p.dial.Dial(ctx, p.base)
	if err != nil {
		return nil, err
	}
	in := &io.LimitedReader{R: c}
	p.conn = &postConn{Conn: c, in: in, r: bufio.NewReaderSize(in, 1<<10)}
	return p.conn, nil
}

// once sends the request on the connection there is. p.mu must be held.
func (p *poster) once(ctx context.Context, path string, req request) (answered, error) {
	c := p.conn
	a, closing, err := c.roundTrip(ctx, p.base, path, req)
	if err != nil || closing || a.status >= 400 { // a connection on which the hub refused to speak is of no use
		p.drop()
	}
	if err != nil {
		if ctx.Err() != nil {
			err = unreachable("no answer from %s: %w", p.base.Host, context.Cause(ctx))
		}
		return answered{}, err
	}
	c.used = time.Now()
	if p.linger > 0 && p.conn != nil {
		p.idle = time.AfterFunc(p.linger, func() { p.release(c) })
	}
	return a, nil
}

// release closes c if it is still the connection and unused.
func (p *poster) release(c *postConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == c && time.Since(c.used) >= p.linger {
		p.drop()
	}
}

func (p *poster) drop() {
	if p.conn != nil {
		_ = p.conn.Close() // nothing is lost with it
		p.conn = nil
	}
}

func (p *poster) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle != nil {
		p.idle.Stop()
	}
	p.drop()
}

func (c *postConn) roundTrip(ctx context.Context, base *url.URL, path string, req request) (a answered, closing bool, err error) {
	header, body, err := req(c)
	if err != nil {
		return a, false, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s%s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n", trimSlash(base.EscapedPath()), path, base.Host, header, len(body))
	b.Write(body)

	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return a, false, unreachable("%w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.Write(b.Bytes()); err != nil {
		return a, false, unreachable("send to %s: %w", base.Host, err)
	}
	if err := c.Uncork(); err != nil {
		return a, false, unreachable("send to %s: %w", base.Host, err)
	}
	c.in.N = maxAnswer
	for {
		resp, err := http.ReadResponse(c.r, &http.Request{Method: http.MethodPost})
		if err != nil {
			return a, false, unreachable("answer of %s: %w", base.Host, err)
		}
		a.body, err = io.ReadAll(resp.Body)
		if err != nil {
			return a, false, unreachable("answer of %s: %w", base.Host, err)
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols { // an interim answer: the real one follows
			continue
		}
		a.status = resp.StatusCode
		return a, resp.Close, nil
	}
}

func trimSlash(path string) string {
	for len(path) > 0 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	return path
}

// refusal is the error that an answer other than 200 and 204 tells: the *protocol.Error in it, if the hub itself spoke, else
// one that wraps ErrUnreachable.
func (a answered) refusal(codec *protocol.Codec) error {
	if len(a.body) > 0 {
		if f, err := codec.Decode(a.body); err == nil && len(f.Messages) == 1 && f.Messages[0].Kind == protocol.KindError {
			var e protocol.Error
			if f.Messages[0].Decode(&e) == nil && e.Code != 0 {
				return &e
			}
		}
	}
	return unreachable("the hub's address answered %s %s", strconv.Itoa(a.status), http.StatusText(a.status))
}
