package access

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
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
//
// Every address waits for itself alone, so that no stranger can keep anybody out: an account that many addresses try
// only makes each of them wait longer after its first failure. The account of last resort does not wait for what its address
// did to others.
const (
	freePerAccount = 5
	freePerAddress = 50
	freeEverywhere = 100 // failures of one account, before each address has one free failure and then waits from longDelay on
	freeCodes      = 10  // wrong codes after the right password, wherever from
	longDelay      = time.Minute
	maxDelay       = 5 * time.Minute
	forgetAfter    = 15 * time.Minute
	maxRemembered  = 10_000
)

// delays counts failures, per account and address, per address, and per account.
type delays struct {
	mu    sync.Mutex
	count map[attemptKey]failures // guarded by mu; at most maxRemembered
}

type attemptKey struct{ name, network string } // name "": the address as a whole; network "": the account as a whole

type failures struct {
	n    int
	last time.Time
}

func newDelays() *delays { return &delays{count: map[attemptKey]failures{}} }

// attempt is one under way: it counts as failed until it has succeeded, so that many at once gain nothing. What has
// succeeded forgets the first key's failures, and takes back one of the others.
type attempt []attemptKey

// lane is what an attempt may have to wait for. free < 0: it is only counted.
type lane struct {
	key  attemptKey
	free int
	base time.Duration
}

// begin begins a sign-in. lastResort: it is that of the account of last resort.
func (d *delays) begin(name, remote string, lastResort bool) (attempt, error) {
	name, from := key(name), network(remote)
	own := lane{attemptKey{name, from}, freePerAccount, time.Second}
	everywhere := lane{attemptKey{name, ""}, -1, 0}
	if d.failed(everywhere.key) >= freeEverywhere {
		own.free, own.base = 1, longDelay
	}
	address := lane{attemptKey{"", from}, freePerAddress, time.Second}
	if lastResort {
		address.free = -1
	}
	return d.enter(own, everywhere, address)
}

// beginCode begins to check a code after the right password.
func (d *delays) beginCode(name string) (attempt, error) {
	return d.enter(lane{attemptKey{key(name), "code"}, freeCodes, time.Second})
}

// beginProof begins to check the password of who is signed in already.
func (d *delays) beginProof(name, session string) (attempt, error) {
	return d.enter(lane{attemptKey{key(name), "session " + session}, freePerAccount, time.Second})
}

func key(name string) string { return protocol.Cut(name, 64) + "\x00" }

func (d *delays) failed(key attemptKey) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.count[key]; time.Since(f.last) <= forgetAfter {
		return f.n
	}
	return 0
}

func (d *delays) enter(lanes ...lane) (attempt, error) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range lanes {
		f := d.count[l.key]
		if l.free < 0 || now.Sub(f.last) > forgetAfter || f.n < l.free {
			continue
		}
		if wait := f.last.Add(min(l.base<<min(f.n-l.free, 20), maxDelay)).Sub(now); wait > 0 {
			return nil, &DelayError{After: wait}
		}
	}
	var at attempt
	for _, l := range lanes {
		f := d.count[l.key]
		if now.Sub(f.last) > forgetAfter {
			f.n = 0
		}
		d.room(l.key)
		d.count[l.key] = failures{f.n + 1, now}
		at = append(at, l.key)
	}
	return at, nil
}

func (d *delays) succeeded(at attempt) {
	d.mu.Lock()
	delete(d.count, at[0])
	d.mu.Unlock()
	d.undo(at[1:])
}

// undo takes back what was counted.
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
