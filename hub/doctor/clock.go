package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// How far clocks may be apart.
const (
	clockBack = time.Minute
	clockWarn = 5 * time.Second
	clockFail = time.Minute
)

// Clock holds the clock against the newest record that the hub has written; zero: there is none.
func Clock(newest, now time.Time) []Finding {
	if back := newest.Sub(now); back > clockBack {
		return Say(Fail, "it is %s behind the newest record, of %s: it went back, or was ahead when that was written; set it, since expiry, change windows and codes go by it",
			back.Round(time.Second), minute(newest))
	}
	return Say(OK, "it says %s, which is after all that is recorded", minute(now))
}

// ClockAgainst holds the clock against that of a web server, by the Date header of its answer.
func ClockAgainst(ctx context.Context, url string) []Finding {
	theirs, err := serverTime(ctx, url)
	if err != nil {
		return Say(Warn, "it could not be compared with %s: %v", url, err)
	}
	// The header has whole seconds, and the way took some time.
	apart := time.Since(theirs).Abs().Round(time.Second)
	switch {
	case apart > clockFail:
		return Say(Fail, "it is %s apart from that of %s: have the system set it, such as with systemd-timesyncd or chrony", apart, url)
	case apart > clockWarn:
		return Say(Warn, "it is %s apart from that of %s: look whether the system keeps it", apart, url)
	}
	return Say(OK, "it agrees with that of %s", url)
}

func serverTime(ctx context.Context, url string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // no redirects: this server's clock
	if err != nil {
		return time.Time{}, err
	}
	if err := resp.Body.Close(); err != nil {
		return time.Time{}, err
	}
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("its answer says no time")
	}
	return at, nil
}
