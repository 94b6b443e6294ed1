package depot_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// flooded is an engine at whose port somebody else was first.
type flooded struct {
	depot.Engine
	t testing.TB
}

// ImagePull implements depot.Engine.
func (f *flooded) ImagePull(ctx context.Context, ref, platform string) error {
	const many, most = 300, 64
	addr, _, _ := strings.Cut(ref, "/")
	var conns []net.Conn
	for i := range many {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		if i%2 == 1 { // it asks, and never asks for anything that is there
			if _, err := fmt.Fprint(conn, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return err
			}
		}
		conns = append(conns, conn)
	}
	for i, conn := range conns[:many-most] {
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
			f.t.Errorf("connection %d of %d is still open", i, many)
			break
		}
	}
	return f.Engine.ImagePull(ctx, ref, platform)
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// Somebody at the device who opens connections to the engine's port without end has few of them at a time, and the
// engine gets its image.
func TestAFloodAtTheEnginesPort(t *testing.T) {
	r := newRig(t)
	put(t, r.registry.Addr, "app", "1", "", newLayer(t, "x", 2<<20))
	r.cfg.Engine = &flooded{r.engine, t}
	r.restart()
	r.bring(1, ipc.PullMissing, r.ref("app:1"))
}
