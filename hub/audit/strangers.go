package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
)

const (
	// strangersBurst entries by strangers are kept one by one, and then one each strangersEvery: a year of it is less
	// than a quarter of what is kept.
	strangersBurst = 100
	strangersEvery = time.Minute
	// sumUpEvery is how often the rest is summed up.
	sumUpEvery = 10 * time.Minute
	// maxNames bounds how many names, and how many addresses, are counted apart.
	maxNames = 100
)

// never is later than any time for summing up.
var never = time.Unix(1<<40, 0)

// strangers bounds what people who are not signed in can write. Guarded by Log.mu.
type strangers struct {
	left   int       // of the burst
	filled time.Time // when left was brought up to date
	more   int       // were not kept one by one
	since  time.Time // the first of them
	remote map[string]int
	about  map[string]int
	last   Entry
}

func newStrangers(now time.Time) strangers {
	return strangers{left: strangersBurst, filled: now, remote: map[string]int{}, about: map[string]int{}}
}

// RecordStranger is Record for what somebody did who is not signed in. There is no bound to how many there are: beyond
// some, they are counted, and summed up in one entry every few minutes.
func (l *Log) RecordStranger(e Entry) error {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.strangers
	if gained := int(now.Sub(s.filled) / strangersEvery); gained > 0 {
		s.left = min(s.left+gained, strangersBurst)
		s.filled = s.filled.Add(time.Duration(gained) * strangersEvery)
	}
	if s.left > 0 {
		s.left--
		return l.append(Line{Entry: e})
	}
	if s.more == 0 {
		s.since = now
	}
	s.more++
	s.last = e
	count(s.remote, cut(e.Remote))
	count(s.about, cut(e.Resource))
	return nil
}

func count(in map[string]int, name string) {
	if _, ok := in[name]; ok || len(in) < maxNames {
		in[name]++
	}
}

// sumUp writes an entry for those that were not kept one by one, if it is time to.
func (l *Log) sumUp(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.strangers
	if s.more == 0 || now.Sub(s.since) < sumUpEvery {
		return nil
	}
	line := Line{Entry: Entry{
		Principal: s.last.Principal, Operation: OpSummedUp, Result: s.last.Result,
		Detail: fmt.Sprintf("%d more like %s since %s: from %s; about %s", s.more, s.last.Operation, s.since.UTC().Format(time.RFC3339),
			most(s.remote), most(s.about)),
	}}
	if err := l.append(line); err != nil {
		return err
	}
	fresh := newStrangers(s.filled)
	fresh.left = s.left
	*s = fresh
	return nil
}

// most names the most frequent, with their counts.
func most(of map[string]int) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		return cmp.Or(of[b]-of[a], strings.Compare(a, b))
	})
	var out []string
	for _, n := range names[:min(5, len(names))] {
		out = append(out, fmt.Sprintf("%s (%d)", protocol.Cut(n, 64), of[n]))
	}
	if len(of) > len(out) {
		rest := fmt.Sprint(len(of) - len(out))
		if len(of) == maxNames {
			rest = "at least " + rest
		}
		out = append(out, rest+" others")
	}
	return strings.Join(out, ", ")
}
