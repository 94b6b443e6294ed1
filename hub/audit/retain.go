package audit

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/farshore/farshore/internal/durable"
)

// Retention is how much of the trail is kept. What is past either is removed in whole segments, from the beginning.
type Retention struct {
	// Days since an entry was made. 0: DefaultDays.
	Days int `cbor:"1,keyasint" json:"days"`
	// Bytes of all segments together. 0: DefaultBytes.
	Bytes int64 `cbor:"2,keyasint" json:"bytes"`
}

// Defaults and bounds of Retention.
const (
	DefaultDays        = 400
	DefaultBytes int64 = 1 << 30
	MinDays            = 7
	MaxDays            = 36500
	MinBytes     int64 = 64 << 20
)

// ErrInvalid: what was asked of the trail cannot be.
var ErrInvalid = errors.New("not valid")

func (r Retention) orDefault() Retention {
	if r.Days == 0 {
		r.Days = DefaultDays
	}
	if r.Bytes == 0 {
		r.Bytes = DefaultBytes
	}
	return r
}

// Retention gives what is kept.
func (l *Log) Retention() Retention {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.retention
}

// SetRetention changes what is kept; Run removes what is past it. Errors wrap ErrInvalid.
func (l *Log) SetRetention(r Retention) error {
	r = r.orDefault()
	if r.Days < MinDays || r.Days > MaxDays {
		return fmt.Errorf("%w: keep the audit trail from %d to %d days, not %d", ErrInvalid, MinDays, MaxDays, r.Days)
	}
	if r.Bytes < MinBytes {
		return fmt.Errorf("%w: keep at least %d MB of the audit trail", ErrInvalid, MinBytes>>20)
	}
	if err := l.Store.PutRetention(r); err != nil {
		return fmt.Errorf("keep the retention of the audit trail: %w", err)
	}
	l.mu.Lock()
	l.retention = r
	l.mu.Unlock()
	l.tidySoon()
	return nil
}

func (l *Log) tidySoon() {
	select {
	case l.tidy <- struct{}{}:
	default:
	}
}

// rotate ends the present segment with a signature and begins the next. Where the disk has no room for that, the
// present one goes on. l.mu is held.
func (l *Log) rotate() {
	c := l.checkpoint()
	err := l.writeCheckpoint(c)
	if err == nil {
		err = l.begin(l.seq, l.hash)
	}
	if err != nil {
		l.Log.Error("no new segment of the audit trail could be begun: the present one goes on", "error", err)
		return
	}
	l.tidySoon()
}

// begin makes the segment that follows the entry seq, whole or not at all, and writes to it from now on. l.mu is held.
func (l *Log) begin(seq uint64, hash string) error {
	if l.file != nil {
		if err := l.file.Sync(); err != nil {
			return fmt.Errorf("bring the audit trail to the disk: %w", err)
		}
		l.reached(l.seq)
	}
	s := segment{first: seq + 1, path: l.path(segmentName(seq + 1)), begun: time.Now()}
	line, err := checkpointLine(newCheckpoint(l.Key, seq, hash))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("begin a segment of the audit trail: %w", err)
	}
	_, err = f.Write(line)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err == nil {
		err = durable.Sync(l.Dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("begin a segment of the audit trail: %w", err), f.Close(), os.Remove(s.path+".new"))
	}
	if l.file != nil {
		l.segs[len(l.segs)-1].size = 0
		if err := l.file.Close(); err != nil {
			l.Log.Error("close a segment of the audit trail", "file", l.file.Name(), "error", err) // it is on the disk
		}
	}
	l.segs = append(l.segs, s)
	l.file, l.size, l.dirty, l.torn = f, int64(len(line)), false, false
	l.seq, l.hash = seq, hash
	return nil
}

// dropOld removes the segments that are past what is kept. By age it removes one at a time, so that a clock that was
// wrong for an hour does not cost the trail, and none that somebody needs; by size as many as there are too much.
func (l *Log) dropOld(now time.Time) error {
	l.mu.Lock()
	if l.file != nil && l.seq >= l.segs[len(l.segs)-1].first && now.Sub(l.segs[len(l.segs)-1].begun) > segmentAge {
		l.rotate()
	}
	keep, all := l.retention, append([]segment(nil), l.segs...)
	l.mu.Unlock()

	var total int64
	sizes := make([]int64, len(all))
	for i, s := range all {
		if info, err := os.Stat(s.path); err == nil {
			sizes[i] = info.Size()
			total += sizes[i]
		}
	}
	needed := l.Needed()
	for i := 0; i+1 < len(all); i++ {
		next := all[i+1]
		old := !next.begun.IsZero() && now.Sub(next.begun) > time.Duration(keep.Days)*24*time.Hour
		big := total > keep.Bytes
		if !big && (!old || i > 0 || next.first-1 > needed) {
			return nil
		}
		if err := l.drop(all[i], next); err != nil {
			return err
		}
		total -= sizes[i]
	}
	return nil
}

// drop removes the oldest segment, after the signature that begins the next was stored as the trail's beginning.
func (l *Log) drop(s, next segment) error {
	start, err := next.beginning()
	if err != nil {
		return fmt.Errorf("remove old entries of the audit trail: %w", err)
	}
	if err := l.Store.PutTrailStart(start); err != nil {
		return fmt.Errorf("keep the beginning of the audit trail: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old entries of the audit trail: %w", err)
	}
	l.start, l.segs = start, l.segs[1:]
	return l.append(Line{Entry: Entry{
		Principal: system, Operation: OpDropped, Result: ResultDone,
		Detail: fmt.Sprintf("entries %d to %d, the last of %s, were removed: %d days and %d MB are kept",
			s.first, start.Seq, start.At, l.retention.Days, l.retention.Bytes>>20),
	}})
}

// beginning reads the checkpoint that a segment begins with.
func (s *segment) beginning() (Checkpoint, error) {
	f, err := s.open()
	if err != nil {
		return Checkpoint{}, err
	}
	defer f.Close() // only read
	var c *Checkpoint
	err = f.lines(0, func(r raw) error {
		if l, err := parse(r.text); err == nil {
			c = l.Checkpoint
		}
		return errFound
	})
	if c == nil {
		return Checkpoint{}, fmt.Errorf("%q does not begin with a signature: verify the trail (%w)", s.path, err)
	}
	return *c, nil
}
