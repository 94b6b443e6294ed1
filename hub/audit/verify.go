package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Report is what a look at all of a trail found.
type Report struct {
	// Entries that were read, from First to Last.
	Entries     uint64
	First, Last Mark
	// Signed is the last entry that a signature of the hub key vouches for. 0: none.
	Signed uint64
	// Torn counts the places where the hub or its disk stopped within a line. They are no damage.
	Torn int
	// Gaps counts what is left out of an exported file, as filters do it: the chain cannot be checked across them.
	Gaps int
	// Problem is the first place that does not hold. Nil: all holds.
	Problem *Problem
}

// Mark is an entry by its number and time.
type Mark struct {
	Seq uint64
	At  time.Time
}

// Problem is a place that does not hold.
type Problem struct {
	// Seq is the number of the entry at or after which it is.
	Seq uint64
	// File and Line (from 1) are where. Line 0: the file as a whole.
	File string
	Line int
	// What is a sentence for people.
	What string
}

func (p *Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s, at entry %d: %s", p.File, p.Seq, p.What)
	}
	return fmt.Sprintf("%s line %d, at entry %d: %s", p.File, p.Line, p.Seq, p.What)
}

// String says it in a sentence.
func (r *Report) String() string {
	if r.Problem != nil {
		return "the trail does not hold: " + r.Problem.Error()
	}
	if r.Entries == 0 {
		return "there are no entries"
	}
	out := fmt.Sprintf("%d entries from %s (number %d) to %s (number %d) hold", r.Entries, r.First.At.Format(time.RFC3339), r.First.Seq,
		r.Last.At.Format(time.RFC3339), r.Last.Seq)
	switch {
	case r.Gaps > 0:
		out += fmt.Sprintf(" by themselves; others are left out between them (gaps: %d), so that nothing ties them together", r.Gaps)
	case r.Signed == 0:
		out += "; no signature vouches for them"
	case r.Signed < r.Last.Seq:
		out += fmt.Sprintf("; signed up to number %d", r.Signed)
	}
	return out
}

// VerifyConfig is what a trail is held against.
type VerifyConfig struct {
	// HubKey is the public hub key. Required.
	HubKey ed25519.PublicKey
	// Saved is what the database knows of the trail.
	Saved Saved
}

// Verify reads the whole trail in the folder dir, also below a running hub, and says the first place that does not
// hold. An error is of the disk.
func Verify(ctx context.Context, dir string, c VerifyConfig) (Report, error) {
	if errors.Is(c.Saved.Head.check(c.HubKey), errSignature) || errors.Is(c.Saved.Start.check(c.HubKey), errSignature) {
		return Report{Problem: &Problem{File: dir, What: "what the database knows of it is not signed by the hub key"}}, nil
	}
	all, err := segments(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Report{}, err
	}
	return verify(ctx, all, c)
}

// check is holds for one that may not be there.
func (c *Checkpoint) check(key ed25519.PublicKey) error {
	if c.Seq == 0 {
		return nil
	}
	return c.holds(key)
}

// Verify is the function Verify for the open trail, as this Log wrote it since it was opened.
func (l *Log) Verify(ctx context.Context) (Report, error) {
	for {
		all, head, start := l.files()
		// What is in memory is at least as new as what is stored, and needs no signature.
		report, err := verify(ctx, all, VerifyConfig{HubKey: l.public(), Saved: Saved{Head: head, Start: start}})
		// Else the beginning was removed meanwhile.
		if _, _, now := l.files(); err != nil || now.Seq == start.Seq {
			return report, err
		}
	}
}

// files gives the segments, the head and the one before the beginning, as they are now.
func (l *Log) files() (all []segment, head, start Checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all = append(all, l.segs...)
	all[len(all)-1].size = l.size
	return all, Checkpoint{Seq: l.seq, Hash: l.hash}, l.start
}

func verify(ctx context.Context, all []segment, c VerifyConfig) (Report, error) {
	k := checker{saved: c.Saved, holds: func(p *Checkpoint) error { return p.holds(c.HubKey) }, hash: zeroHash}
	start := c.Saved.Start
	for len(all) > 1 && all[1].first <= start.Seq+1 { // left behind when it was to be removed
		all = all[1:]
	}
	switch {
	case len(all) == 0:
		if c.Saved.Head.Seq > 0 {
			k.fail("", fmt.Sprintf("the trail is not there, though it had entries up to number %d", c.Saved.Head.Seq))
		}
		return k.report, nil
	case all[0].first > start.Seq+1:
		k.file = filepath.Base(all[0].path)
		k.fail(k.file, fmt.Sprintf("the entries before this file, from number %d on, are missing", start.Seq+1))
		return k.report, nil
	case all[0].first > 1:
		k.seq, k.hash = start.Seq, start.Hash
	}
	for i := range all {
		last := i == len(all)-1
		if err := k.segment(ctx, &all[i], last); err != nil || k.report.Problem != nil {
			return k.report, err
		}
	}
	if k.seq < c.Saved.Head.Seq {
		k.fail(k.file, fmt.Sprintf("the trail ends with number %d, though entries up to number %d were signed: the end was cut off", k.seq, c.Saved.Head.Seq))
	}
	return k.report, nil
}

// checker walks along a chain.
type checker struct {
	saved   Saved
	holds   func(*Checkpoint) error // whether the hub key has signed it
	loose   bool                    // an export: it may begin anywhere and have gaps
	vouched bool                    // it has signatures, which are in no export that a filter made gaps in
	file    string
	line    int
	seq     uint64 // of the last entry
	hash    string
	signed  uint64 // the last entry that a signature in this file is for
	report  Report

	// What is no line, since badLine; nil: nothing.
	bad      hash.Hash
	badBytes int64
	badLine  int
}

func (k *checker) fail(file, what string) {
	if k.report.Problem == nil {
		k.report.Problem = &Problem{Seq: k.seq, File: file, Line: k.line, What: what}
	}
}

// errStop ends the reading of a segment: the problem is in the report.
var errStop = errors.New("a place that does not hold")

func (k *checker) segment(ctx context.Context, s *segment, last bool) error {
	f, err := s.open()
	if errors.Is(err, os.ErrNotExist) && k.report.Entries == 0 { // removed as too old, meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() // only read
	k.file, k.line = filepath.Base(s.path), 0
	if s.first != k.seq+1 {
		k.fail(k.file, fmt.Sprintf("the file is of entries from number %d on, and number %d should follow: a file is missing", s.first, k.seq+1))
		return nil
	}
	err = f.lines(0, func(r raw) error {
		if k.line%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		k.take(r)
		if k.report.Problem != nil {
			return errStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	switch {
	case k.report.Problem != nil:
	case k.bad != nil && last: // the hub will close it when it starts
		k.report.Torn++
	case k.bad != nil:
		k.line = k.badLine
		k.fail(k.file, errNoLine.Error())
	case !last && k.signed != k.seq:
		k.fail(k.file, "the file does not end with a signature of the hub key over its last entry")
	}
	return nil
}

// take looks at the next line.
func (k *checker) take(r raw) {
	k.line++
	l, err := parse(r.text)
	k.vouched = k.vouched || k.loose && l.Checkpoint != nil
	switch {
	case errors.Is(err, errNoLine) || !r.whole:
		k.takeBad(r)
	case err != nil:
		k.seq = l.Seq
		k.fail(k.file, err.Error())
	case l.Checkpoint != nil:
		k.takeCheckpoint(l.Checkpoint)
	default:
		k.takeEntry(&l)
	}
}

func (k *checker) takeBad(r raw) {
	if k.line == 1 && !k.loose {
		k.fail(k.file, "the file does not begin with a signature of the hub key")
		return
	}
	if k.bad == nil {
		k.bad, k.badBytes, k.badLine = sha256.New(), 0, k.line
	}
	_, _ = k.bad.Write(r.text) // never fails
	k.badBytes += int64(len(r.text))
	if r.whole {
		_, _ = k.bad.Write([]byte{'\n'})
		k.badBytes++
	}
}

func (k *checker) takeCheckpoint(c *Checkpoint) {
	if k.loose && k.seq == 0 {
		k.seq, k.hash = c.Seq, c.Hash
	}
	switch {
	case k.loose && c.Seq != k.seq: // of what a filter left out
		return
	case c.Seq != k.seq || c.Hash != k.hash:
		k.fail(k.file, fmt.Sprintf("the signature here is for another trail up to number %d than the one before it: entries were altered, added or removed", c.Seq))
		return
	}
	switch err := k.holds(c); {
	case errors.Is(err, errNoKey):
	case err != nil:
		k.fail(k.file, fmt.Sprintf("the signature over the entries up to number %d is not by the hub key", c.Seq))
	default:
		k.signed, k.report.Signed = c.Seq, c.Seq
	}
}

func (k *checker) takeEntry(l *Line) {
	if k.line == 1 && !k.loose {
		k.fail(k.file, "the file does not begin with a signature of the hub key")
		return
	}
	switch {
	case k.bad != nil && l.Torn != nil:
		k.closeTorn(l.Torn)
	case k.bad != nil:
		k.line = k.badLine
		k.fail(k.file, errNoLine.Error())
	case l.Torn != nil && !k.loose:
		k.fail(k.file, "it tells of a line that was cut short, and there is none")
	}
	gap := k.loose && l.Seq > k.seq+1
	switch {
	case gap && k.seq > 0 && k.vouched:
		k.fail(k.file, fmt.Sprintf("entry %d comes after number %d in an export without filters: those between were taken out, or the hub's clock was set back there; one without --from and --to tells which", l.Seq, k.seq))
	case gap && k.seq > 0:
		k.report.Gaps++
	case gap:
	case l.Seq != k.seq+1:
		k.fail(k.file, fmt.Sprintf("entry %d stands where number %d should: entries were removed, added or put in another order", l.Seq, k.seq+1))
	case l.Prev != k.hash && (!k.loose || k.seq > 0):
		k.fail(k.file, fmt.Sprintf("entry %d does not follow from the one before it: that one was altered or replaced", l.Seq))
	}
	if l.Seq == k.saved.Head.Seq && l.Hash != k.saved.Head.Hash {
		k.fail(k.file, fmt.Sprintf("entry %d is not the one that was signed: the trail was written anew", l.Seq))
	}
	if k.report.Problem != nil {
		return
	}
	if k.report.Entries == 0 {
		k.report.First = Mark{l.Seq, l.At}
	}
	k.report.Entries++
	k.report.Last = Mark{l.Seq, l.At}
	k.seq, k.hash = l.Seq, l.Hash
}

// closeTorn holds what is no line against the mark that closes it.
func (k *checker) closeTorn(t *Torn) {
	sum := hex.EncodeToString(k.bad.Sum(nil))
	k.bad = nil
	if sum == t.SHA256 && k.badBytes == t.Bytes {
		k.report.Torn++
		return
	}
	k.fail(k.file, fmt.Sprintf("%d bytes that are no line stand before this, which tells of others", k.badBytes))
}

// VerifyExport reads an exported file of JSON lines: that each line is as it was written, that they follow from each
// other, and which of them the hub key vouches for. name is that of the file.
func VerifyExport(r io.Reader, name string, key KnownKey) (Report, error) {
	k := checker{holds: key.holds, loose: true, file: name, hash: zeroHash}
	err := readLines(r, func(r raw) error {
		k.take(r)
		if k.report.Problem != nil {
			return errStop
		}
		return nil
	})
	if k.bad != nil {
		k.line = k.badLine
		k.fail(k.file, errNoLine.Error())
	}
	if errors.Is(err, errStop) {
		err = nil
	}
	return k.report, err
}
