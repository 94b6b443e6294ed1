package link

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// A connection that ends at once leaves nothing to be said: the peer sees a reset, not an end that it would have to
// acknowledge and answer.
func TestEndAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	endAtOnce(near)
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(far, make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer saw %v", err)
	}
}
