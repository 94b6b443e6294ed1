package apiclient

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Event is one server-sent event.
type Event struct {
	// ID is to be given as Last-Event-ID to go on after it. Type is "message" where the server names none.
	ID, Type string
	Data     []byte
}

// Ending says when a stream ends.
type Ending uint8

// Endings.
const (
	// UntilDone: only with its context; a stream that breaks is taken up where it was.
	UntilDone Ending = iota
	// AtItsEnd: when the server ends it.
	AtItsEnd
)

const (
	// quiet is how long a stream may show nothing, not even a comment, before it counts as broken.
	quiet = 70 * time.Second
	// maxLine bounds one line of a stream.
	maxLine = 1 << 20
	// retryAfter is how long to wait before a broken stream is taken up.
	retryAfter = 2 * time.Second
)

// Stream reads server-sent events and hands each to fn until fn fails, whose error it gives, the stream ends, or ctx is
// done, which is no error. The first connection must work.
func (c *Client) Stream(ctx context.Context, r Request, ends Ending, fn func(Event) error) error {
	last, first := "", true
	for {
		err := c.follow(ctx, r, &last, fn)
		var problem *Problem
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &problem), first && !errors.Is(err, errBroken), ends == AtItsEnd:
			return err
		case err != nil && !errors.Is(err, ErrUnreachable) && !errors.Is(err, errBroken):
			return err
		}
		first = false
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryAfter):
		}
	}
}

// errBroken: a stream that had begun ended without having been asked to.
var errBroken = errors.New("the stream broke off")

func (c *Client) follow(ctx context.Context, r Request, last *string, fn func(Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	header := http.Header{"Accept": {"text/event-stream"}}
	if *last != "" {
		header.Set("Last-Event-ID", *last)
	}
	r.Header = header
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	watch := time.AfterFunc(quiet, cancel)
	defer watch.Stop()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	e := Event{Type: "message"}
	for lines.Scan() {
		watch.Reset(quiet)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "" && len(e.Data) > 0:
			*last = e.ID
			if err := fn(e); err != nil {
				return err
			}
			e = Event{ID: e.ID, Type: "message"}
		case field == "data":
			e.Data = append(e.Data, value...)
		case field == "id":
			e.ID = value
		case field == "event":
			e.Type = value
		}
	}
	if lines.Err() != nil {
		return errBroken
	}
	return nil
}
