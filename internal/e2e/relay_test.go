package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay passes TCP connections on to a port, as a router on the way does. It can be cut.
type relay struct {
	port, to int
	listener net.Listener

	mu     sync.Mutex
	down   bool                  // guarded by mu: connections are refused
	refuse int                   // guarded by mu: so many more connections are refused
	passed int                   // guarded by mu: connections that were passed on
	conns  map[net.Conn]struct{} // guarded by mu: both ends of those that are open
	taping bool                  // guarded by mu
	taped  []*output             // guarded by mu: what clients sent, connection by connection
}

// newRelay listens on a port of its own until the test ends.
func newRelay(t *testing.T, to int) *relay {
	t.Helper()
	r := &relay{port: freePort(t), to: to, conns: map[net.Conn]struct{}{}}
	var err error
	if r.listener, err = net.Listen("tcp", address(r.port)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { r.serve(&all) })
	t.Cleanup(func() {
		r.listener.Close()
		r.cut()
		all.Wait()
	})
	return r
}

// tape records what clients send from now on.
func (r *relay) tape() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taping = true
}

// tapes is what clients have sent since tape, by connection.
func (r *relay) tapes() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.taped {
		all = append(all, o.text())
	}
	return all
}

// listen gives what is to be read of a client, which is recorded where that is wanted.
func (r *relay) listen(in net.Conn) io.Reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.taping {
		return in
	}
	o := &output{name: "tape"}
	r.taped = append(r.taped, o)
	return io.TeeReader(in, o)
}

// cut ends all connections and refuses new ones until mend.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
	for c := range r.conns {
		c.Close()
	}
}

// mend lets connections through again, but for the first so many.
func (r *relay) mend(butFirst int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down, r.refuse = false, butFirst
}

// count is how many connections were passed on.
func (r *relay) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.passed
}

func (r *relay) serve(all *sync.WaitGroup) {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		all.Go(func() { r.pass(in) })
	}
}

// admit takes part in the books both ends of a connection, unless it is refused.
func (r *relay) admit(in, out net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.down:
		return false
	case r.refuse > 0:
		r.refuse--
		return false
	}
	r.passed++
	r.conns[in], r.conns[out] = struct{}{}, struct{}{}
	return true
}

func (r *relay) pass(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", address(r.to))
	if err != nil {
		return
	}
	defer out.Close()
	if !r.admit(in, out) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(in, out) // its end, however it comes, is the end of both directions
		in.Close()
	})
	_, _ = io.Copy(out, r.listen(in))
	out.Close()
	back.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, in)
	delete(r.conns, out)
}
