package faultnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func connect(t *testing.T, n *Network, l *Link) (device, hub net.Conn) {
	t.Helper()
	ln, err := n.Listen("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := ln.Accept()
		accepted <- c
	}()
	device, err = l.DialContext(context.Background(), "tcp", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	return device, <-accepted
}

func TestSlowLinkDeliversInOrderAndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		l := n.NewLink()
		l.Set(Knobs{Latency: 300 * time.Millisecond, Rate: 1000})
		device, hub := connect(t, &n, l)
		start := time.Now()
		sent := bytes.Repeat([]byte("0123456789"), 100)
		for i := 0; i < len(sent); i += 100 {
			if _, err := device.Write(sent[i : i+100]); err != nil {
				t.Fatal(err)
			}
		}
		device.Close()
		got, err := io.ReadAll(hub)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
		if took := time.Since(start); took != 1300*time.Millisecond { // 1,000 bytes at 1,000 a second, and the way
			t.Errorf("took %s", took)
		}
	})
}

func TestCutAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		l := n.NewLink()
		device, hub := connect(t, &n, l)
		l.Set(Knobs{Silent: true})
		if _, err := hub.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		device.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := device.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("silent link: got %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := l.DialContext(ctx, "tcp", "127.0.0.1:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("silent link: dial got %v", err)
		}
		l.Cut()
		for _, c := range []net.Conn{device, hub} {
			c.SetDeadline(time.Time{})
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrCut) {
				t.Errorf("cut link: got %v", err)
			}
		}
		l.Set(Knobs{Down: true})
		if _, err := l.DialContext(ctx, "tcp", "127.0.0.1:1"); !errors.Is(err, ErrRefused) {
			t.Errorf("link that is down: got %v", err)
		}
	})
}

func TestBlockedAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		l := n.NewLink()
		device, _ := connect(t, &n, l)
		n.Block("127.0.0.1:1", Refuse)
		if _, err := device.Read(make([]byte, 1)); !errors.Is(err, ErrCut) {
			t.Errorf("blocked: read got %v", err)
		}
		if _, err := l.DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, ErrRefused) {
			t.Errorf("blocked: dial got %v", err)
		}
		n.Block("127.0.0.1:1", Drop)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.DialContext(ctx, "tcp", "127.0.0.1:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dropped: dial got %v", err)
		}
		if l.Connections() != 0 {
			t.Errorf("%d connections are left", l.Connections())
		}
	})
}
