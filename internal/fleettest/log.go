package fleettest

import (
	"io"
	"sync"
	"testing"
)

// logLines is how many lines a test that fails shows: what led to it, not the whole of a virtual week.
const logLines = 3000

// testWriter keeps the last lines of a log and shows them when the test has failed.
func testWriter(t testing.TB) io.Writer {
	w := &logWriter{}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for i := range w.lines {
			t.Logf("%s", w.lines[(w.next+i)%len(w.lines)])
		}
	})
	return w
}

type logWriter struct {
	mu    sync.Mutex
	lines []string
	next  int
}

// Write implements io.Writer.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := string(p[:max(len(p)-1, 0)])
	if len(w.lines) < logLines {
		w.lines = append(w.lines, line)
		return len(p), nil
	}
	w.lines[w.next] = line
	w.next = (w.next + 1) % logLines
	return len(p), nil
}
