package depot

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/farshore/farshore/internal/meter"
)

// line is a connection to a registry, which carries one request at a time. What it carries is on the bill of whoever uses
// it, until another does.
type line struct {
	*meter.Conn
	tally *meter.Tally

	mu     sync.Mutex // guards the fields below
	billed int64
	by     *bill // nil: nobody has used it yet
}

func newLine(c net.Conn) *line {
	tally := &meter.Tally{}
	return &line{Conn: meter.Wrap(c, tally, meter.AgentSide), tally: tally}
}

func (l *line) carried() int64 {
	counts := l.tally.Counts()
	sum := counts.Total()
	return int64(sum.Up + sum.Down)
}

// settle puts what was carried since the last call on the bill of who uses the line, which from now on is next.
func (l *line) settle(next *bill) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = next // the opening of the connection too
	}
	l.put()
	l.by = next
}

// used settles where the line still is used for the bill.
func (l *line) used(by *bill) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == by {
		l.put()
	}
}

// put is settle for callers that hold mu.
func (l *line) put() {
	now := l.carried()
	l.by.spent.Add(now - l.billed)
	l.billed = now
}

// bill is what a blob costs. Its owner's goroutine alone uses it; others add to spent.
type bill struct {
	spent    atomic.Int64
	lines    []*line
	requests int
	content  int64 // bytes of the blob that came, each time that they came
}

// with notes on which connections requests with the context go.
func (b *bill) with(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			conn := info.Conn
			if secure, ok := conn.(*tls.Conn); ok {
				conn = secure.NetConn()
			}
			if l, ok := conn.(*line); ok {
				l.settle(b)
				if !slices.Contains(b.lines, l) {
					b.lines = append(b.lines, l)
				}
			}
			b.requests++
		},
	})
}

// take gives what came on the bill since the last call.
func (b *bill) take() Cost {
	for _, l := range b.lines {
		l.used(b)
	}
	c := Cost{Fetched: b.content, Spent: b.spent.Swap(0), Requests: b.requests}
	b.content, b.requests = 0, 0
	if n := len(b.lines); n > 4 {
		b.lines = slices.Clone(b.lines[n-4:]) // of those that are closed nothing comes any more
	}
	return c
}
