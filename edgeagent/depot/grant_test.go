package depot

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever the link's speed, what is asked for comes before the opening ends, and most of the opening is used.
func TestNothingIsOnItsWayWhenAnOpeningEnds(t *testing.T) {
	for _, rate := range []int64{2 << 10, 20 << 10, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			const every, long = 2 * time.Minute, 20 * time.Second
			began := time.Now()
			inside := func() time.Duration { return long - time.Since(began)%every }
			closed := 0
			d, err := New(Config{
				Dir: t.TempDir(), Lanes: func() int { return 1 }, Left: inside, Log: slog.New(slog.DiscardHandler),
				Await: func(ctx context.Context, _ uint64) error {
					if inside() <= 0 {
						time.Sleep(every - long + inside())
					}
					return ctx.Err()
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			var got int64
			for time.Since(began) < 10*every {
				n, err := d.grant(t.Context(), DefaultSlice, least, func() { closed++ })
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(200*time.Millisecond + time.Duration(n)*time.Second/time.Duration(rate)) // it comes
				if left := inside(); left < 0 && closed > 0 {
					t.Errorf("at %d bytes a second, %d bytes came %s after the end", rate, n, -left)
				}
				d.came(n, 200*time.Millisecond+time.Duration(n)*time.Second/time.Duration(rate))
				got += n
			}
			if can := rate * 200; got < can/2 {
				t.Errorf("at %d bytes a second, %d bytes of %d were used", rate, got, can)
			}
			if closed == 0 {
				t.Error("connections were never closed")
			}
		})
	}
}
