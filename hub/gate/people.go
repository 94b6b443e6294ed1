package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// origin is where a request comes from: the other end of its connection, and what proxies say on the way.
type origin struct {
	peer      netip.Addr
	forwarded []string // of X-Forwarded-For, the nearest last
}

type originKey struct{}

// caller is the nearest address that is no trusted proxy's. What cannot be read ends the search: the proxy that passed
// it on is all that is known.
func (o origin) caller(r *rules) netip.Addr {
	at := o.peer
	for i := len(o.forwarded) - 1; i >= 0 && r.proxies.contains(at); i-- {
		next := addrIn(strings.TrimSpace(o.forwarded[i]))
		if !next.IsValid() {
			break
		}
		at = next
	}
	return at
}

// AdmitsPeople reports whether a connection may bring requests of people: also one of a trusted proxy, of which each
// request is asked for.
func (g *Gate) AdmitsPeople(remote net.Addr) bool {
	addr, r := addrOf(remote), g.now()
	if r.people.admit(addr) || r.proxies.contains(addr) {
		return true
	}
	g.refuse(whyPeople)
	return false
}

// People gives next the requests of those who may use console and API, with the caller's address as RemoteAddr, and
// ends those under way whose address is shut out.
func (g *Gate) People(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := origin{peer: addrIn(r.RemoteAddr)}
		for _, line := range r.Header.Values("X-Forwarded-For") {
			from.forwarded = append(from.forwarded, strings.Split(line, ",")...)
		}
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), originKey{}, from))
		defer cancel()
		leave, err := g.hold(&held{
			list: func(r *rules) networks { return r.people }, addr: from.caller, end: cancel,
		}, whyPeople)
		if err != nil {
			refusePeople(w, from.caller(g.now()))
			return
		}
		defer leave()
		r = r.WithContext(ctx)
		if caller := from.caller(g.now()); caller.IsValid() {
			r.RemoteAddr = netip.AddrPortFrom(caller, 0).String()
		}
		next.ServeHTTP(w, r)
	})
}

// refusePeople answers with a problem, so that programs can show it.
func refusePeople(w http.ResponseWriter, addr netip.Addr) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(w).Encode(map[string]any{ // whoever has gone needs no answer
		"title": "Forbidden", "status": http.StatusForbidden, "code": "address",
		"detail": fmt.Sprintf("your address, %s, is not in the hub's list of those that may use it: ask its administrator, or run `farshore-hub reset-access-lists` on the hub's machine", addr),
	})
}

// Caller tells the address of the request with this context, and the address it would have by these settings. They are
// the zero value outside of People, or where settings cannot be accepted.
func (g *Gate) Caller(ctx context.Context) netip.Addr {
	from, _ := ctx.Value(originKey{}).(origin)
	return from.caller(g.now())
}
