package access

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// DelayError says that a sign-in has to wait. Nothing was checked.
type DelayError struct {
	// After is how long to wait before the next attempt.
	After time.Duration
}

// Error implements error.
func (e *DelayError) Error() string {
	return fmt.Sprintf("too many sign-ins failed: try again in %s", e.After.Round(time.Second))
}

// How delays grow: some failures are free, then 1 s, 2 s, 4 s … up to maxDelay; they are forgotten forgetAfter the
// last. An address has more free failures than an account from that address, since people share addresses.
const (
	freePerAccount = 5
	freePerAddress = 50
	maxDelay       = 5 * time.Minute
	forgetAfter    = 15 * time.Minute
	maxRemembered  = 10_000
)

// delays counts failed sign-ins per account and address, and per address.
type delays struct {
	mu    sync.Mutex
	count map[attemptKey]failures // guarded by mu; at most maxRemembered
}

type attemptKey struct{ name, network string } // name "": the address as a whole

type failures struct {
	n    int
	last time.Time
}

func newDelays() *delays { return &delays{count: map[attemptKey]failures{}} }

// attempt is a sign-in under way: it counts as failed until it has succeeded, so that many at once gain nothing.
type attempt [2]attemptKey

func (d *delays) begin(name, remote string) (attempt, error) {
	if len(name) > 64 {
		name = name[:64]
	}
	at := attempt{{name + "\x00", network(remote)}, {"", network(remote)}}
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, key := range at {
		f := d.count[key]
		free := [...]int{freePerAccount, freePerAddress}[i]
		if now.Sub(f.last) > forgetAfter || f.n < free {
			continue
		}
		if wait := f.last.Add(min(time.Second<<min(f.n-free, 20), maxDelay)).Sub(now); wait > 0 {
			return at, &DelayError{After: wait}
		}
	}
	for _, key := range at {
		f := d.count[key]
		if now.Sub(f.last) > forgetAfter {
			f.n = 0
		}
		d.room(key)
		d.count[key] = failures{f.n + 1, now}
	}
	return at, nil
}

// succeeded forgets the account's failures from this address, and takes back one of the address.
func (d *delays) succeeded(at attempt) {
	d.mu.Lock()
	delete(d.count, at[0])
	d.mu.Unlock()
	d.undo(attempt{at[1]})
}

// undo takes back what begin counted.
func (d *delays) undo(at attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range at {
		if f, ok := d.count[key]; ok {
			f.n = max(f.n-1, 0)
			d.count[key] = f
		}
	}
}

// room makes sure that key can be remembered: when all places are taken, the quarter that failed longest ago goes.
func (d *delays) room(key attemptKey) {
	if _, ok := d.count[key]; ok || len(d.count) < maxRemembered {
		return
	}
	all := slices.SortedFunc(maps.Keys(d.count), func(a, b attemptKey) int { return d.count[a].last.Compare(d.count[b].last) })
	for _, old := range all[:len(all)/4] {
		delete(d.count, old)
	}
}

// network gives what counts as one address: an IPv4 address, or the /64 of an IPv6 one.
func network(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return "?"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64) // 64 bits fit every IPv6 address
		return p.String()
	}
	return ip.String()
}
