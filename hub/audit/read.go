package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query is which entries to read. The zero value is all.
type Query struct {
	Filter
	// Before is the cursor of the page before; "": the end of the trail. After leaves out entries up to that number.
	Before string
	After  uint64
	// Limit of entries on a page. 0: 100.
	Limit int
}

// Filter is which entries fit. Empty fields do not matter.
type Filter struct {
	// Principal, exactly. Operation, or its beginning. Resource, or its beginning. Result, exactly.
	Principal, Operation, Resource, Result string
	// Group, or one above.
	Group string
	// BreakGlass: only what was done with the break-glass account.
	BreakGlass bool
	// From and To bound the time: from, and before.
	From, To time.Time
	// Text is words, all of which are somewhere in the entry, in any case.
	Text string
}

// Page is a part of the trail, the latest first.
type Page struct {
	Lines []Line
	// Next is the cursor of the next page. "": there is none.
	Next string
	// Looked is how many lines were read for this page, and Until the time of the last of them: a page can end because
	// enough was read.
	Looked int
	Until  time.Time
}

// ErrCursor: a cursor is none.
var ErrCursor = errors.New("this is no place in the audit trail: begin without it")

const (
	defaultLimit = 100
	// pageBytes bounds what is read for one page.
	pageBytes = 32 << 20
	// slack is how far the times of entries may be out of order, which clocks bring about that are set.
	slack = time.Hour
)

// Page reads a page. Errors wrap ErrCursor, or are of the disk.
func (l *Log) Page(ctx context.Context, q Query) (Page, error) {
	before := ^uint64(0)
	if q.Before != "" {
		var err error
		if before, err = strconv.ParseUint(q.Before, 10, 64); err != nil {
			return Page{}, fmt.Errorf("%w (%.40q)", ErrCursor, q.Before)
		}
	}
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	fits := newMatcher(q.Filter)
	all, _, _ := l.files()
	p := Page{Lines: []Line{}}
	left := int64(pageBytes)
	for i, s := range slices.Backward(all) {
		if s.first >= before || !fits.overlaps(all, i) {
			continue
		}
		if i+1 < len(all) && all[i+1].first-1 <= q.After {
			break
		}
		err := s.pageBack(ctx, before, func(r raw) error {
			if left -= int64(len(r.text)); left < 0 && p.Looked > 0 {
				p.Next = strconv.FormatUint(before, 10)
				return errFound
			}
			line, err := read(r.text)
			if err != nil || line.Checkpoint != nil {
				return nil
			}
			if line.Seq <= q.After {
				return errFound
			}
			if len(p.Lines) == q.Limit {
				p.Next = strconv.FormatUint(before, 10)
				return errFound
			}
			p.Looked++
			p.Until, before = line.At, line.Seq
			if fits.entry(&line) {
				p.Lines = append(p.Lines, line)
			}
			return nil
		})
		if errors.Is(err, errFound) {
			return p, nil
		}
		if err != nil {
			return Page{}, err
		}
	}
	return p, nil
}

// pageBack calls fn with the lines of the segment before the entry, the last first.
func (s *segment) pageBack(ctx context.Context, before uint64, fn func(raw) error) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close() // only read
	end := f.size
	if before != ^uint64(0) {
		if end, err = f.find(before); err != nil {
			return err
		}
	}
	return f.backward(end, func(r raw) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(r)
	})
}

// Export calls fn with each line that fits, the oldest first, and its bytes without the end, which are valid until fn
// returns. Where the filter has only times, signatures are among them, so that what is exported can be verified.
func (l *Log) Export(ctx context.Context, f Filter, fn func(Line, []byte) error) error {
	if err := l.sign(); err != nil {
		return err
	}
	fits := newMatcher(f)
	f.From, f.To = time.Time{}, time.Time{}
	signatures := f == Filter{}
	all, _, _ := l.files()
	for i := range all {
		if !fits.overlaps(all, i) {
			continue
		}
		in, err := all[i].open()
		if err != nil {
			return err
		}
		err = in.lines(0, func(r raw) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			line, err := parse(r.text)
			if errors.Is(err, errNoLine) || !r.whole {
				return nil
			}
			if line.Checkpoint != nil && !signatures || line.Checkpoint == nil && !fits.entry(&line) {
				return nil
			}
			return fn(line, r.text)
		})
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Usage is how much there is.
type Usage struct {
	// First and Last are the numbers of the oldest and the latest entry that are kept.
	First, Last uint64
	// Since is when the oldest segment was begun.
	Since time.Time
	Bytes int64
}

// Usage tells how much there is.
func (l *Log) Usage() Usage {
	all, head, _ := l.files()
	u := Usage{First: all[0].first, Last: head.Seq, Since: all[0].begun}
	for _, s := range all {
		if in, err := s.open(); err == nil {
			u.Bytes += in.size
			_ = in.Close() // only read
		}
	}
	return u
}

// Batch gives entries after the given number that are on the disk, at most about max bytes of them, and the number of
// the oldest entry that is kept: where that is beyond after+1, some were removed. It waits for nothing; News does.
func (l *Log) Batch(after uint64, max int) (lines [][]byte, oldest uint64, err error) {
	l.mu.Lock()
	durable := l.durable
	l.mu.Unlock()
	all, _, _ := l.files()
	oldest = all[0].first
	for i := range all {
		if i+1 < len(all) && all[i+1].first <= after+1 {
			continue
		}
		if all[i].first > durable || max <= 0 {
			break
		}
		in, err := all[i].open()
		if err != nil {
			return nil, 0, err
		}
		from, err := in.find(after + 1)
		if err == nil {
			err = in.lines(from, func(r raw) error {
				l, err := parse(r.text)
				if errors.Is(err, errNoLine) || !r.whole || l.Checkpoint != nil || l.Seq <= after {
					return nil
				}
				if l.Seq > durable || max <= 0 {
					return errFound
				}
				max -= len(r.text)
				lines = append(lines, bytes.Clone(r.text))
				return nil
			})
		}
		if err := errors.Join(err, in.Close()); err != nil && !errors.Is(err, errFound) {
			return nil, 0, err
		}
	}
	return lines, oldest, nil
}

// News gives the number of the latest entry that is on the disk, and a channel that is closed when there is another.
func (l *Log) News() (uint64, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable, l.news
}

// ParseLine reads a line that Batch or Export gave.
func ParseLine(text []byte) (Line, error) {
	return read(text) // whether it was altered is for Verify to say
}

// matcher tells which entries fit.
type matcher struct {
	f     Filter
	words []string
}

func newMatcher(f Filter) matcher {
	return matcher{f: f, words: strings.Fields(strings.ToLower(f.Text))}
}

// overlaps tells whether the i-th segment can have entries of the time that is asked for.
func (m *matcher) overlaps(all []segment, i int) bool {
	if begun := all[i].begun; !m.f.To.IsZero() && !begun.IsZero() && begun.Add(-slack).After(m.f.To) {
		return false
	}
	if i+1 == len(all) || m.f.From.IsZero() || all[i+1].begun.IsZero() {
		return true
	}
	return !all[i+1].begun.Add(slack).Before(m.f.From)
}

func (m *matcher) entry(l *Line) bool {
	f := &m.f
	switch {
	case f.Principal != "" && l.Principal != f.Principal,
		!strings.HasPrefix(l.Operation, f.Operation),
		!strings.HasPrefix(l.Resource, f.Resource),
		f.Result != "" && l.Result != f.Result,
		f.BreakGlass && !l.BreakGlass,
		!f.From.IsZero() && l.At.Before(f.From),
		!f.To.IsZero() && !l.At.Before(f.To):
		return false
	}
	if g := strings.TrimSuffix(f.Group, "/"); f.Group != "" && l.Group != g && !strings.HasPrefix(l.Group, g+"/") {
		return false
	}
	if len(m.words) == 0 {
		return true
	}
	all := strings.ToLower(strings.Join([]string{l.Principal, l.Remote, l.Operation, l.Resource, l.Group, l.Result, l.Detail}, "\n"))
	for _, w := range m.words {
		if !strings.Contains(all, w) {
			return false
		}
	}
	return true
}
