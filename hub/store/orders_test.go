package store_test

import (
	"bytes"
	"testing"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

func TestAcceptedSetSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	const dev, other = protocol.DeviceID("aaaaaaaaaaaaaaaa"), protocol.DeviceID("bbbbbbbbbbbbbbbb")
	set := []byte("sealed by the vault")
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutAcceptedSet(dev, set); err != nil {
		t.Fatal(err)
	}
	if err := s.PutAcceptedSet(other, set); err != nil {
		t.Fatal(err)
	}
	if err := s.PutAcceptedSet(other, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.AcceptedSet(dev)
	if err != nil || !bytes.Equal(got, set) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := s.AcceptedSet(other); err != nil || got != nil {
		t.Errorf("an empty set is kept as %v, %v", got, err)
	}
}
