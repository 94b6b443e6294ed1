package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// found is what the last segment ends with.
type found struct {
	seq  uint64
	hash string
	good int64 // up to the end of the last line
	size int64 // of the file
	// asked is the hash of the entry that was asked for. "": it is not in this segment.
	asked string
}

// takeUp opens the last segment where it ends, or begins the first. l.mu is held.
func (l *Log) takeUp() error {
	var err error
	if l.segs, err = segments(l.Dir); err != nil {
		return err
	}
	known := l.head
	if known.Seq > 0 && known.holds(l.public()) != nil {
		l.Log.Error("the head of the audit trail that the database has is not signed by the hub key: verify the trail")
		known = Checkpoint{}
	}
	if known.Seq == 0 {
		known.Hash = zeroHash
	}
	if len(l.segs) == 0 {
		if err := l.begin(known.Seq, known.Hash); err != nil {
			return err
		}
		l.durable = l.seq
		if known.Seq == 0 {
			return nil
		}
		return l.damaged("the trail was not there when the hub started, though entries up to number %d were signed", known.Seq)
	}
	last := &l.segs[len(l.segs)-1]
	at, err := last.end(known.Seq)
	if err != nil {
		return err
	}
	if l.file, err = os.OpenFile(last.path, os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return err
	}
	l.seq, l.hash, l.size, l.torn = at.seq, at.hash, at.good, at.size > at.good
	l.durable = l.seq
	last.size = l.size
	if l.torn {
		if err := l.mend(); err != nil {
			return err
		}
	}
	if at.seq >= known.Seq && (at.asked == "" || at.asked == known.Hash) {
		return nil
	}
	was := l.seq
	if err := l.begin(max(l.seq, known.Seq), known.Hash); err != nil {
		return err
	}
	return l.damaged("the trail ended with number %d and is not the one that was signed up to number %d: entries were cut off or altered", was, known.Seq)
}

// damaged says so in the log and in the trail. l.mu is held.
func (l *Log) damaged(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	l.Log.Error("the audit trail is damaged: find out by whom, and look at what was forwarded or backed up", "what", what)
	return l.append(Line{Entry: Entry{Principal: system, Operation: OpDamaged, Result: ResultFailed, Detail: what}})
}

// end reads a segment to its end, and the hash that it has for the entry asked.
func (s *segment) end(asked uint64) (found, error) {
	f, err := s.open()
	if err != nil {
		return found{}, err
	}
	defer f.Close() // only read
	out := found{seq: s.first - 1, hash: zeroHash, size: f.size}
	err = f.lines(0, func(r raw) error {
		l, err := parse(r.text)
		if !r.whole || errors.Is(err, errNoLine) {
			return nil
		}
		out.good = r.end()
		switch {
		case l.Checkpoint == nil:
			out.seq, out.hash = l.Seq, l.Hash
		case r.at == 0:
			out.seq, out.hash = l.Checkpoint.Seq, l.Checkpoint.Hash
		default:
			return nil
		}
		if out.seq == asked {
			out.asked = out.hash
		}
		return nil
	})
	return out, err
}

// mend closes what a stop within a line, or a full disk, left behind: with the end of the line where only that is
// missing, and else with an entry that says so. l.mu is held.
func (l *Log) mend() error {
	info, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("look at the audit trail: %w", err)
	}
	n := info.Size() - l.size
	left := make([]byte, min(n, maxLine))
	if _, err := l.file.ReadAt(left, l.size); err != nil {
		return fmt.Errorf("read the audit trail: %w", err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(l.file, l.size, n)); err != nil {
		return fmt.Errorf("read the audit trail: %w", err)
	}
	_, _ = sum.Write([]byte{'\n'}) // never fails
	line := Line{Seq: l.seq + 1, Prev: l.hash, Torn: &Torn{Bytes: n + 1, SHA256: hex.EncodeToString(sum.Sum(nil))}, Entry: Entry{
		Principal: system, Operation: OpTorn, Result: ResultDone,
		Detail: fmt.Sprintf("the hub or its disk stopped within a line: the %d bytes before this are none", n),
	}}
	line.clean(time.Now())
	text, hash, err := line.encode()
	if err != nil {
		return err
	}
	if whole, err := parse(left); err == nil && int64(len(left)) == n {
		text = nil
		line.Seq, hash = l.seq, l.hash
		if whole.Checkpoint == nil {
			line.Seq, hash = whole.Seq, whole.Hash
		}
	}
	before := l.size
	l.size = info.Size()
	if err := l.write(append([]byte{'\n'}, text...)); err != nil {
		l.size = before
		return err
	}
	l.torn, l.seq, l.hash = false, line.Seq, hash
	return nil
}
