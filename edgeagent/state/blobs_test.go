package state

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

func TestBlobsAreVerifiedResumedAndCollected(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		content := []byte("services: {}")
		h := protocol.HashOf(content)
		if _, err := s.Blob(h); s.HasBlob(h) || !errors.Is(err, ErrNotFound) {
			t.Errorf("a blob that is not there: %v", err)
		}
		if err := s.PutBlob(h, []byte("other")); !errors.Is(err, ErrDamaged) {
			t.Errorf("wrong content: %v, want it refused", err)
		}
		p := Partial{Stream: protocol.ShortHash{1}, Base: protocol.ShortHash{2}, Size: 10}
		must(t, s.AppendPartial(h, p, []byte("0123")))
		s = d.open(t) // a reboot in the middle of the transfer
		got, ok := s.Partial(h)
		if want := (Partial{p.Stream, p.Base, 10, 4}); !ok || got != want {
			t.Fatalf("part after a reboot: %+v, want %+v", got, want)
		}
		must(t, s.AppendPartial(h, got, []byte("456")))
		data, err := s.PartialData(h)
		must(t, err)
		if string(data) != "0123456" {
			t.Errorf("part holds %q", data)
		}
		if err := s.AppendPartial(h, got, []byte("456")); !errors.Is(err, ErrOffset) {
			t.Errorf("data that is there already: %v, want ErrOffset", err)
		}
		if err := s.AppendPartial(h, Partial{Stream: p.Stream, Base: p.Base, Size: 10, Offset: 7}, []byte("7890")); !errors.Is(err, protocol.ErrTooLarge) {
			t.Errorf("data beyond the end: %v", err)
		}
		must(t, s.AppendPartial(h, Partial{Stream: protocol.ShortHash{9}, Size: 3}, []byte("a"))) // the hub compressed anew
		if got, _ := s.Partial(h); got.Offset != 1 || got.Stream != (protocol.ShortHash{9}) {
			t.Errorf("a transfer that begins anew: %+v", got)
		}
		must(t, s.PutBlob(h, content))
		if _, ok := s.Partial(h); ok {
			t.Error("the part outlived the blob")
		}

		wanted := entry(1, 2, "new")
		must(t, s.PutBlob(protocol.HashOf([]byte("new")), []byte("new")))
		must(t, s.PutBlob(protocol.HashOf([]byte("rubbish")), []byte("rubbish")))
		must(t, s.AppendPartial(protocol.HashOf([]byte("old wish")), p, []byte("x")))
		must(t, s.AcceptOrders(Accept{Mark: mark(1), Desired: &[]protocol.Entry{wanted}}))
		must(t, s.PutApplied(Applied{Entry: entry(1, 1, string(content)), Next: &wanted, Phase: reconciler.PhaseApplying}))
		must(t, s.CollectBlobs())
		s = d.open(t)
		if b, err := s.Blob(h); err != nil || !bytes.Equal(b, content) {
			t.Errorf("the blob of the applied version is gone: %v", err)
		}
		if !s.HasBlob(protocol.HashOf([]byte("new"))) || s.HasBlob(protocol.HashOf([]byte("rubbish"))) {
			t.Error("the wrong blobs were removed")
		}
		if _, ok := s.Partial(protocol.HashOf([]byte("old wish"))); ok {
			t.Error("a transfer that nobody wants any more was kept")
		}
	})
}

func TestSpoiltBlobIsNoticedAndFetchedAgain(t *testing.T) {
	s, err := OpenDisk(t.TempDir())
	must(t, err)
	defer s.Close()
	h := protocol.HashOf([]byte("good"))
	must(t, s.PutBlob(h, []byte("good")))
	must(t, os.WriteFile(s.blobs.(*fileBlobs).path(h), []byte("bad!"), 0o600))
	if _, err := s.Blob(h); !errors.Is(err, ErrDamaged) {
		t.Errorf("a spoilt blob: %v, want ErrDamaged", err)
	}
	if s.HasBlob(h) {
		t.Error("a spoilt blob is still offered")
	}
}
