package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// freePort returns a port of 127.0.0.1 that nobody listens on. It is below the range that the kernel gives to
// connections, so that it stays free while a program that had it is down.
func freePort(t *testing.T) int {
	t.Helper()
	for range 200 {
		port := 10_000 + rand.N(20_000)
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no free port was found on 127.0.0.1")
	return 0
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
