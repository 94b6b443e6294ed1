package wirelab

import (
	"io"
	"net"
	"testing"
	"time"
)

// echo connects the device to a hub that gives back what it gets.
func echo(t *testing.T, l *Lab) net.Conn {
	t.Helper()
	hub, err := l.Hub.Listen(HubAddress + ":9443")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hub.Close() })
	go func() {
		for {
			c, err := hub.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	c, err := l.Device.Dial(t.Context(), "tcp", HubAddress+":9443")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func exchange(t *testing.T, c net.Conn, n int) {
	t.Helper()
	go func() { _, _ = c.Write(make([]byte, n)) }()
	if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

func TestAllPacketsAreSeen(t *testing.T) {
	l := New(t)
	c := echo(t, l)
	l.Wire.Quiet(t, 300*time.Millisecond)
	if got := l.Wire.Since(0); got.Bytes() != 60+60+52 || len(got.Flows()) != 1 {
		t.Errorf("a connection is opened by:\n%s", got)
	}
	mark := l.Wire.Mark()
	const n = 1_000_000
	exchange(t, c, n)
	l.Wire.Quiet(t, 300*time.Millisecond)
	for _, way := range []Traffic{l.Wire.Since(mark).Up(), l.Wire.Since(mark).Down()} {
		payload, headers := 0, 0
		for _, p := range way {
			if !p.Again {
				payload += p.Payload
			}
			headers += p.Bytes - p.Payload
		}
		if payload != n || headers < len(way)*52 {
			t.Errorf("%d of %d bytes were seen, and %d of headers of %d packets", payload, n, headers, len(way))
		}
	}
}

func TestWeather(t *testing.T) {
	l := New(t)
	c := echo(t, l)
	l.Wire.Quiet(t, 300*time.Millisecond)

	l.Wire.SetWeather(Weather{Delay: 200 * time.Millisecond})
	began := time.Now()
	exchange(t, c, 10)
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("there and back took %s", took)
	}
	l.Wire.SetWeather(Weather{Rate: 100_000})
	began = time.Now()
	exchange(t, c, 50_000)
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("50 kB at 100 kB/s took %s", took)
	}
	l.Wire.SetWeather(Weather{Loss: 50})
	exchange(t, c, 200_000)

	l.Wire.SetWeather(Weather{})
	l.Wire.Quiet(t, 500*time.Millisecond)
	l.Wire.SetWeather(Weather{Cut: true})
	mark := l.Wire.Mark()
	if err := c.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(make([]byte, 10))
	if n, err := c.Read(make([]byte, 10)); err == nil {
		t.Errorf("%d bytes came over a wire that is cut", n)
	}
	if got := l.Wire.Since(mark); len(got.Up()) == 0 || len(got.Down()) != 0 {
		t.Errorf("what is sent onto a wire that is cut is seen all the same:\n%s", got)
	}
	l.Wire.SetWeather(Weather{})
	_ = c.SetReadDeadline(time.Time{})
	if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
		t.Errorf("after it was mended: %v", err)
	}
}

// Whatever a program on the device's side sends to wherever is seen, though nobody is there.
func TestPacketsToAnywhereAreSeen(t *testing.T) {
	l := New(t)
	err := l.Device.Do(func() error {
		c, err := net.Dial("udp", "192.0.2.53:53")
		if err == nil {
			_, err = c.Write([]byte("who is fleet.example.com?"))
			c.Close()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Wire.Quiet(t, 100*time.Millisecond)
	if got := l.Wire.Since(0).Up(); len(got) != 1 || got[0].Protocol != 17 {
		t.Errorf("a question to a name server is seen as:\n%s", got)
	}
}
