package api

import (
	"errors"
	"testing"
)

func TestOneAccountCannotTakeAllStreams(t *testing.T) {
	p := newPlaces()
	var leave []func()
	for range maxStreamsEach {
		l, err := p.take("eva")
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	if _, err := p.take("eva"); !errors.Is(err, errBusy) {
		t.Errorf("one more than an account may have: %v", err)
	}
	if _, err := p.take("bo"); err != nil {
		t.Errorf("another account: %v", err)
	}
	for _, l := range leave {
		l()
	}
	if _, err := p.take("eva"); err != nil {
		t.Errorf("after all were closed: %v", err)
	}
}
