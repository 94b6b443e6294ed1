package depot

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// maxStrangers is how many connections wait at the loopback port that have not asked for the image yet.
	maxStrangers = 32
	// strangerTimeout is how long one of them may take to be answered.
	strangerTimeout = 10 * time.Second
)

// door is a listener at which any user of the device may knock. Who has not asked for what only the engine knows of
// gives his place to whoever comes after the last one, and is sent away soon in any case: whoever floods the port makes
// room by himself, and the engine, which asks at once, comes through.
type door struct {
	net.Listener

	mu        sync.Mutex
	strangers []*guest // the oldest first
}

// guest is a connection.
type guest struct {
	net.Conn
	at *door
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &guest{conn, d}
	d.mu.Lock()
	var oldest *guest
	if len(d.strangers) == maxStrangers {
		oldest = d.strangers[0]
		d.strangers = slices.Delete(d.strangers, 0, 1)
	}
	d.strangers = append(d.strangers, g)
	d.mu.Unlock()
	if oldest != nil {
		_ = oldest.Conn.Close()
	}
	return g, nil
}

// known lets a connection stay for as long as it likes.
func (g *guest) known() {
	g.at.mu.Lock()
	defer g.at.mu.Unlock()
	if i := slices.Index(g.at.strangers, g); i >= 0 {
		g.at.strangers = slices.Delete(g.at.strangers, i, i+1)
	}
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.known()
	return g.Conn.Close()
}

type guestKey struct{}

func withGuest(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, guestKey{}, c)
}

// welcome is called of who has asked for the image.
func welcome(w http.ResponseWriter, r *http.Request) {
	if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
		g.known()
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // engines unpack while they read
}
