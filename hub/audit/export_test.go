package audit

import (
	"os"
	"testing"
	"time"
)

// FillDisk makes what is written from now on find no room, and returns what gives the room back.
func (l *Log) FillDisk(t testing.TB) (free func()) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no device that is always full here: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	file := l.file
	l.file = full
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.file = file
		_ = full.Close() // there is nothing in it
	}
}

// Again tries whether entries can be written again, as Run does each minute.
func (l *Log) Again() error { return l.again() }

// DropOld removes what is past its time at another time.
func (l *Log) DropOld(now time.Time) error { return l.dropOld(now) }
