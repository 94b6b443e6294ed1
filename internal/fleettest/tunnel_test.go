package fleettest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/tunnel"
	"github.com/farshore/farshore/protocol"
)

// engineAPI is a server in the place of an engine, and how it is dialled.
func engineAPI(t *testing.T) (server *httptest.Server, dial func(context.Context) (net.Conn, error)) {
	t.Helper()
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what came is what is answered
		_, _ = w.Write(append([]byte(r.Method+" "+r.URL.Path+" "), body...))
	}))
	t.Cleanup(server.Close)
	return server, func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
}

// through is a client that speaks with a device's engine.
func (f *Fleet) through(t *testing.T, id protocol.DeviceID) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return f.Hub().Tunnels.Dial(ctx, tunnel.Ask{Device: id, Channel: protocol.TunnelDocker, By: "kari"})
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A tunnel is opened when somebody works on a device, carries what they say both ways, is shared by all, and is closed.
func TestATunnelOnDemand(t *testing.T) {
	for _, carrier := range []protocol.Carrier{protocol.CarrierMQTT, protocol.CarrierHTTPS} {
		t.Run(string(carrier), func(t *testing.T) {
			f := New(t)
			_, dial := engineAPI(t)
			d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard, Carrier: carrier, DialEngine: dial, Settings: protocol.Settings{Ping: 1, Command: 1}})
			f.Until("it is online", 30*time.Second, func() bool { _, ok := f.Hub().Sessions.Online(d.ID); return ok })
			if state, _ := f.Hub().Tunnels.State(d.ID); state != tunnel.StateIdle {
				t.Errorf("before anybody asks the tunnel is %s", state)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			client := f.through(t, d.ID)
			var all sync.WaitGroup
			large := strings.Repeat("x", 3<<20)
			for range 8 {
				all.Go(func() {
					req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://engine/echo", strings.NewReader(large))
					resp, err := client.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					defer resp.Body.Close()
					if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "POST /echo "+large {
						t.Errorf("%d bytes came back: %v", len(b), err)
					}
				})
			}
			all.Wait()
			state, s := f.Hub().Tunnels.State(d.ID)
			if state != tunnel.StateActive || s.By != "kari" || s.Up < 8*3<<20 || s.Down < 8*3<<20 || s.Served == 0 {
				t.Errorf("the tunnel is %s: %+v", state, s)
			}
			if open := f.Hub().Tunnels.Open(); len(open) != 1 {
				t.Errorf("%d tunnels are open: %+v", len(open), open)
			}
			client.CloseIdleConnections()
			f.Hub().Tunnels.Close(d.ID, "kari closed it")
			f.Until("it is closed", 30*time.Second, func() bool { state, _ := f.Hub().Tunnels.State(d.ID); return state == tunnel.StateIdle })
			if _, err := client.Get("http://engine/again"); err != nil { // opens another
				t.Error(err)
			}
			client.CloseIdleConnections()
		})
	}
}

// Who asks in vain is told why, at once where that is known.
func TestNoTunnel(t *testing.T) {
	f := New(t)
	async := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeAsync})
	engineless := f.Device(DeviceSpec{Seed: 2, Mode: protocol.ModeStandard})
	away := f.Device(DeviceSpec{Seed: 3, Mode: protocol.ModeStandard})
	for _, d := range []*Device{async, engineless, away} {
		f.Until("it is online", 30*time.Second, func() bool { _, ok := f.Hub().Sessions.Online(d.ID); return ok })
	}
	away.Disconnect()
	ask := func(id protocol.DeviceID) error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		c, err := f.Hub().Tunnels.Dial(ctx, tunnel.Ask{Device: id, Channel: protocol.TunnelDocker, By: "kari"})
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		id   protocol.DeviceID
		want error
		says string
	}{
		"async":     {async.ID, tunnel.ErrMode, "--mode standard"},
		"no engine": {engineless.ID, tunnel.ErrRefused, "there is no engine to be called"},
		"away":      {away.ID, tunnel.ErrNoAnswer, "allow more time"},
		"unknown":   {"nothing", tunnel.ErrDevice, "nothing"},
	} {
		if err := ask(c.id); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Those who wait for a device that never answers do not pile up.
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	busy := 0
	for range 1000 {
		all.Go(func() {
			_, err := f.Hub().Tunnels.Dial(ctx, tunnel.Ask{Device: away.ID, Channel: protocol.TunnelDocker})
			if errors.Is(err, tunnel.ErrBusy) {
				mu.Lock()
				defer mu.Unlock()
				busy++
			}
		})
	}
	f.Until("the others are refused", 10*time.Second, func() bool { mu.Lock(); defer mu.Unlock(); return busy == 1000-tunnel.MaxWaiting })
	cancel()
	all.Wait()
	if state, _ := f.Hub().Tunnels.State(away.ID); state != tunnel.StateIdle {
		t.Errorf("when nobody waits any more the tunnel is %s", state)
	}
	if err := f.Hub().API.Changes.Revoke(engineless.ID); err != nil {
		t.Fatal(err)
	}
	f.Until("the tunnel of a revoked device is closed", 10*time.Second, func() bool { return len(f.Hub().Tunnels.Open()) == 0 })
}

// Opening and closing a tunnel over and over leaves nothing behind: neither goroutines nor state on either side.
func TestTunnelsLeaveNothing(t *testing.T) {
	f := New(t)
	_, dial := engineAPI(t)
	d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard, DialEngine: dial})
	f.Until("it is online", 30*time.Second, func() bool { _, ok := f.Hub().Sessions.Online(d.ID); return ok })
	cycle := func() {
		client := f.through(t, d.ID)
		resp, err := client.Get("http://engine/")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		client.CloseIdleConnections()
		f.Hub().Tunnels.Close(d.ID, "the test closes it")
		f.Until("it is closed", 10*time.Second, func() bool { state, _ := f.Hub().Tunnels.State(d.ID); return state == tunnel.StateIdle })
	}
	cycle()
	settled := func() int { // what ends has ended
		n := runtime.NumGoroutine()
		f.Until("goroutines end", 10*time.Second, func() bool {
			before := n
			n = runtime.NumGoroutine()
			return n >= before
		})
		return n
	}
	before := settled()
	for range 1000 {
		cycle()
	}
	f.Until("no more goroutines than before", 10*time.Second, func() bool { return runtime.NumGoroutine() <= before+2 })
}
