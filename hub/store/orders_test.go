package store_test

import (
	"testing"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

func TestAcceptedSetSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	const dev, other = protocol.DeviceID("aaaaaaaaaaaaaaaa"), protocol.DeviceID("bbbbbbbbbbbbbbbb")
	set := []protocol.Entry{{EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: 7}, Version: 2, Name: "web", Env: map[string]string{"A": "b"}}}
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
	if err != nil || protocol.DesiredHash(got) != protocol.DesiredHash(set) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := s.AcceptedSet(other); err != nil || got != nil {
		t.Errorf("an empty set is kept as %v, %v", got, err)
	}
}
