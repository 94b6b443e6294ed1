package broker_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/internal/doorway"
)

// Strangers of every kind, far more than may stand in the door: the heap stays small, each is dropped, and a device
// gets in all the while.
func TestStrangersCostBoundedMemory(t *testing.T) {
	h := start(t, doorway.Config{Max: 64, Timeout: 2 * time.Second, Patience: 100 * time.Millisecond})
	d := h.enrol(t)
	kinds := map[string][]byte{
		"silent":             nil,
		"a huge header":      {0x10, 0xff, 0xff, 0xff, 0x7f},
		"a header of 256 kB": {0x10, 0x80, 0x80, 0x10},
		"an endless length":  {0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
		"half a CONNECT":     []byte("\x10\x70\x00\x04MQTT\x04\xc2\x00\x3c"),
		"not a CONNECT":      {0x30, 0xff, 0xff, 0x7f},
	}
	before := heap()
	var wg sync.WaitGroup
	peak := uint64(0)
	for range 4 {
		for name, head := range kinds {
			for range 10 {
				wg.Go(func() {
					c, err := net.Dial("tcp", h.addr)
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					if name != "silent" {
						s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
						if s.Handshake() != nil {
							return // made room for others
						}
						_, _ = s.Write(head)
						_, _ = io.Copy(io.Discard, s)
						return
					}
					_, _ = io.Copy(io.Discard, c) // until the hub closes
				})
			}
		}
		h.enter(t, d, nil)
		if n := h.door.Strangers(); n > 64 {
			t.Errorf("%d strangers in the door, at most 64", n)
		}
		peak = max(peak, heap())
	}
	if grown := int64(peak) - int64(before); grown > 24<<20 {
		t.Errorf("240 strangers and their own half of the connections grew the heap by %d MB", grown>>20)
	}
	start := time.Now()
	wg.Wait()
	if d := time.Since(start); d > 15*time.Second {
		t.Errorf("the last stranger was dropped after %s", d)
	}
	waitFor(t, "the door is empty", func() bool { return h.door.Strangers() == 0 })
	if after := heap(); int64(after)-int64(before) > 8<<20 {
		t.Errorf("%d MB stay when the strangers are gone", (int64(after)-int64(before))>>20)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// With the defaults, in virtual time: 10 s, whatever the stranger does in between.
func TestStrangerHasTenSeconds(t *testing.T) {
	for name, act := range map[string]func(net.Conn){
		"silent": func(net.Conn) {},
		"handshake, then slowly one byte a second": func(c net.Conn) {
			s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			if s.Handshake() != nil {
				return
			}
			for _, b := range []byte("\x10\x70\x00\x04MQTT\x04\xc2\x00\x3c and so on and so on") {
				if _, err := s.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, doorway.Config{})
				b := h.broker(t)
				near, far := net.Pipe()
				var wg sync.WaitGroup
				wg.Go(func() { act(far) })
				start := time.Now()
				b.ServeConn(context.Background(), near)
				if d := time.Since(start); d < 9*time.Second || d > 10*time.Second {
					t.Errorf("it was dropped after %s", d)
				}
				_ = far.Close()
				wg.Wait()
			})
		})
	}
}

// A storm of devices, far more than the door holds: none is turned away.
func TestStormOfDevicesIsLetIn(t *testing.T) {
	// A busy machine under the race detector must not make strangers of devices that were only slow: they get a minute.
	h := start(t, doorway.Config{Max: 16, Timeout: time.Minute, Patience: time.Minute})
	const n = 80
	devices := make([]device, n)
	for i := range devices {
		devices[i] = h.enrol(t)
	}
	var wg sync.WaitGroup
	for _, d := range devices {
		wg.Go(func() { h.enter(t, d, nil) })
	}
	wg.Wait()
	if got := h.Connected(); got != n {
		t.Errorf("%d of %d are connected", got, n)
	}
}
