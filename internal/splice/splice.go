// Package splice joins two byte streams to one.
//
// It owns neither stream's meaning. Both goroutines of a Join have ended when it returns.
package splice

import (
	"errors"
	"io"
	"net"
)

// Stream is a connection of which each direction ends on its own.
type Stream interface {
	io.ReadWriteCloser
	// CloseWrite says that nothing more is written; what the other side has to say is still read.
	CloseWrite() error
}

// Join copies both ways until both directions have ended, or one has failed, and closes both streams. It returns the
// first failure; the end of a stream is none.
func Join(a, b Stream) error {
	ended := make(chan error, 2)
	go func() { ended <- pass(a, b) }()
	go func() { ended <- pass(b, a) }()
	err := <-ended
	if err != nil { // or else the other direction may go on
		_ = a.Close()
		_ = b.Close()
	}
	second := <-ended
	_ = a.Close()
	_ = b.Close()
	if err == nil {
		err = second
	}
	return err
}

// pass copies from one to the other, and passes its end on.
func pass(to, from Stream) error {
	if _, err := io.Copy(to, from); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		return err
	}
	if err := to.CloseWrite(); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
