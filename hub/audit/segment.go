package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// segment is one file of the trail. Its name has the sequence number of its first entry; its first line is the
// checkpoint of what came before.
type segment struct {
	first uint64
	path  string
	// size up to the last whole line, of a segment that is still written to. 0: the whole file.
	size int64
	// begun is when its first line was signed. Zero: not known.
	begun time.Time
}

func segmentName(first uint64) string { return fmt.Sprintf("audit-%012d.jsonl", first) }

// segments lists the files of a trail, oldest first.
func segments(dir string) ([]segment, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, f := range files {
		number, ok := strings.CutPrefix(f.Name(), "audit-")
		number, isSegment := strings.CutSuffix(number, ".jsonl")
		first, err := strconv.ParseUint(number, 10, 64)
		if !ok || !isSegment || err != nil || first == 0 {
			continue
		}
		s := segment{first: first, path: filepath.Join(dir, f.Name())}
		s.begun = s.readBegun()
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return out, nil
}

// readBegun reads the time of the first line.
func (s *segment) readBegun() time.Time {
	f, err := os.Open(s.path)
	if err != nil {
		return time.Time{}
	}
	defer f.Close() // only read
	raw, err := bufio.NewReader(f).ReadSlice('\n')
	if err != nil {
		return time.Time{}
	}
	if l, err := parse(raw[:len(raw)-1]); err == nil && l.Checkpoint != nil {
		at, _ := time.Parse(time.RFC3339, l.Checkpoint.At) // zero: not known
		return at
	}
	return time.Time{}
}

// source is a segment that is being read.
type source struct {
	*os.File
	size int64 // up to where to read
}

func (s *segment) open() (source, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return source{}, fmt.Errorf("read the audit trail: %w", err)
	}
	size := s.size
	if size == 0 {
		info, err := f.Stat()
		if err != nil {
			return source{}, errors.Join(fmt.Errorf("read the audit trail: %w", err), f.Close())
		}
		size = info.Size()
	}
	return source{f, size}, nil
}

// raw is a line with its place: the offset of its first byte, and whether its end is there.
type raw struct {
	at    int64
	text  []byte // without the end; valid until the next
	whole bool
}

func (r *raw) end() int64 {
	if r.whole {
		return r.at + int64(len(r.text)) + 1
	}
	return r.at + int64(len(r.text))
}

// lines calls fn with each line from the offset on, until fn or the disk fails. A line that is too long for one comes
// in pieces.
func (s source) lines(from int64, fn func(raw) error) error {
	return readLines(io.NewSectionReader(s, from, s.size-from), func(r raw) error {
		r.at += from
		return fn(r)
	})
}

func readLines(from io.Reader, fn func(raw) error) error {
	in := bufio.NewReaderSize(from, maxLine)
	for at := int64(0); ; {
		text, err := in.ReadSlice('\n')
		if len(text) > 0 {
			r := raw{at: at, text: text, whole: text[len(text)-1] == '\n'}
			if r.whole {
				r.text = text[:len(text)-1]
			}
			at += int64(len(text))
			if err := fn(r); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("read the audit trail: %w", err)
		}
	}
}

// block is how much is read at a time from the end.
const block = 256 << 10

// backward calls fn with each whole line before the offset, the last first, until fn or the disk fails.
func (s source) backward(end int64, fn func(raw) error) error {
	var rest []byte // from end on: the beginning of what was read, maybe the end of a line
	for end > 0 {
		from := max(end-block, 0)
		text := make([]byte, end-from, int(end-from)+len(rest))
		if _, err := s.ReadAt(text, from); err != nil {
			return fmt.Errorf("read the audit trail: %w", err)
		}
		text = append(text, rest...)
		for {
			if len(text) > 0 && text[len(text)-1] == '\n' {
				text = text[:len(text)-1]
			}
			at := bytes.LastIndexByte(text, '\n')
			if at < 0 {
				break
			}
			if err := fn(raw{at: from + int64(at) + 1, text: text[at+1:], whole: true}); err != nil {
				return err
			}
			text = text[:at+1]
		}
		if from == 0 && len(text) > 0 {
			return fn(raw{text: text, whole: true})
		}
		if len(text) > maxLine { // no line, and not worth the memory
			text = nil
		}
		// The end that was taken off is put back, for the next round to take.
		end, rest = from, append(text, '\n')
	}
	return nil
}

// errFound ends a reading that has what it looked for.
var errFound = errors.New("found")

// find gives the offset of the first entry with a number of at least seq, or the end. It halves the file, as numbers
// only grow; where somebody made them not to, it gives some line's offset.
func (s source) find(seq uint64) (int64, error) {
	low, high := int64(0), s.size // the line is at low or after it, and before high or at the end
	for high-low > block {
		middle := low + (high-low)/2
		at, is, err := s.next(middle, high)
		if err != nil {
			return 0, err
		}
		if at < 0 || is >= seq {
			high = middle
		} else {
			low = at
		}
	}
	found := s.size
	err := s.lines(low, func(r raw) error {
		if l, err := parse(r.text); !errors.Is(err, errNoLine) && l.Checkpoint == nil && l.Seq >= seq {
			found = r.at
			return errFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return 0, err
	}
	return found, nil
}

// next gives offset and number of the first entry that begins after from and before end; -1: there is none.
func (s source) next(from, end int64) (at int64, seq uint64, err error) {
	at = -1
	first := from > 0 // what is left of a line that begins before
	err = s.lines(from, func(r raw) error {
		if first {
			first = false
			return nil
		}
		if r.at >= end {
			return errFound
		}
		if l, err := parse(r.text); !errors.Is(err, errNoLine) && l.Checkpoint == nil {
			at, seq = r.at, l.Seq
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return at, seq, err
}
