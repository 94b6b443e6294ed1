package wirelab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Weather is what a wire does to packets. The zero Weather passes all of them at once.
type Weather struct {
	// Cut: nothing arrives. What is sent is counted all the same.
	Cut bool
	// Delay of each packet, one way.
	Delay time.Duration
	// Loss is how many of a thousand packets are lost.
	Loss int
	// Rate in bytes a second, each way; what would wait for more than a second is lost. 0: as fast as it goes.
	Rate int
}

// direction of packets.
type direction int

const (
	up   direction = iota // from device to hub
	down                  // from hub to device
)

// Wire is the relay between the two TUN devices.
type Wire struct {
	ends [2]*os.File // by the direction in which packets come out of it: the device's, the hub's

	mu      sync.Mutex
	weather Weather          // guarded by mu
	packets Traffic          // guarded by mu
	streams map[stream]*tape // guarded by mu
	broken  error            // guarded by mu: what makes the count wrong
	changed chan struct{}    // guarded by mu: closed with the next packet
}

func newWire(device, hub *os.File) *Wire {
	return &Wire{ends: [2]*os.File{device, hub}, streams: map[stream]*tape{}, changed: make(chan struct{})}
}

// SetWeather holds for packets that are sent from now on.
func (w *Wire) SetWeather(x Weather) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.weather = x
}

// Err says what makes the count wrong: nil is the rule.
func (w *Wire) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

func (w *Wire) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = err
	}
}

func (w *Wire) close() {
	for _, end := range w.ends {
		_ = end.Close()
	}
}

// parcel is a packet on its way.
type parcel struct {
	due  time.Time
	data []byte
}

// queued is how many packets may be on their way in one direction.
const queued = 8192

// relay passes packets in one direction until the ends are closed.
func (w *Wire) relay(d direction) {
	way, delivered := make(chan parcel, queued), make(chan struct{})
	go func() {
		defer close(delivered)
		for p := range way {
			time.Sleep(time.Until(p.due))
			_, err := w.ends[1-d].Write(p.data)
			if err != nil && !errors.Is(err, os.ErrClosed) && !errors.Is(err, unix.EIO) { // EIO: the interface goes
				w.fail(fmt.Errorf("pass a packet on: %w", err))
			}
		}
	}()
	defer func() { close(way); <-delivered }()
	var free time.Time // when the wire has sent what it was given, at its rate
	buf := make([]byte, 64<<10)
	for {
		n, err := w.ends[d].Read(buf)
		if err != nil {
			if !errors.Is(err, os.ErrClosed) {
				w.fail(fmt.Errorf("read packets: %w", err))
			}
			return
		}
		now := time.Now()
		weather := w.take(now, d, buf[:n])
		if weather.Cut || weather.Loss > 0 && rand.IntN(1000) < weather.Loss {
			continue
		}
		due := now
		if weather.Rate > 0 {
			if free.Sub(now) > time.Second {
				continue
			}
			if free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(n) * time.Second / time.Duration(weather.Rate))
			due = free
		}
		select {
		case way <- parcel{due.Add(weather.Delay), append([]byte(nil), buf[:n]...)}:
		default:
			w.fail(fmt.Errorf("%d packets were on their way at once, and one was lost that should not be", queued))
		}
	}
}

// Mark is a place in the order of packets.
func (w *Wire) Mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.packets)
}

// Since returns the packets after a mark.
func (w *Wire) Since(mark int) Traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append(Traffic(nil), w.packets[mark:]...)
}

// Quiet waits until nothing was sent for as long, which should be longer than a delayed acknowledgement (40 to 200 ms).
func (w *Wire) Quiet(t testing.TB, long time.Duration) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-time.After(long):
			return
		case <-limit:
			t.Fatalf("the wire was never silent for %s within a minute", long)
		}
	}
}
