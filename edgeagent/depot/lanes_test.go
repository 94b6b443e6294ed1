package depot

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
)

// Of those that wait for the link comes first what a stack needs that does not run, and then what is nearest to its end;
// who gives up takes no lane with him.
func TestWhatIsNeededFirstComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most := 1
		l := &lanes{most: func() int { return most }}
		leave, err := l.enter(t.Context(), rank{})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var came []string
		gone, goes := context.WithCancel(t.Context())
		for _, w := range []struct {
			name string
			ctx  context.Context
			rank
		}{
			{"large", t.Context(), rank{left: 90 << 20}},
			{"small", t.Context(), rank{left: 1 << 20}},
			{"given up", gone, rank{down: true, left: 1}},
			{"small, later", t.Context(), rank{left: 1 << 20}},
			{"to start, but stuck", t.Context(), rank{stuck: true, down: true}},
			{"large, to start", t.Context(), rank{down: true, left: 80 << 20}},
		} {
			go func() {
				leave, err := l.enter(w.ctx, w.rank)
				if err != nil {
					return
				}
				mu.Lock()
				came = append(came, w.name)
				mu.Unlock()
				leave()
			}()
			synctest.Wait()
		}
		goes()
		synctest.Wait()
		leave()
		synctest.Wait()
		if got, want := fmt.Sprint(came), "[large, to start small small, later large to start, but stuck]"; got != want {
			t.Errorf("came %s, want %s", got, want)
		}
		most = 2
		for range 2 {
			if _, err := l.enter(t.Context(), rank{}); err != nil {
				t.Fatal(err)
			}
		}
		most = 1 // the link has got a budget
		go func() { _, _ = l.enter(gone, rank{}) }()
		synctest.Wait()
		l.leave()
		if l.used != 1 || len(l.waiting) != 0 {
			t.Errorf("%d lanes are used, %d wait", l.used, len(l.waiting))
		}
	})
}
