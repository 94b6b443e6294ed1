package exchange

import (
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// TestFilesBearTheirFrames shares what frames cost among the files that they ask for and bring: nothing is lost, and who
// has more in a frame bears more of it.
func TestFilesBearTheirFrames(t *testing.T) {
	f := newFetcher(nil, func() {})
	var large, small uint64
	a, b := protocol.HashOf([]byte("large")), protocol.HashOf([]byte("small"))
	f.want(reconciler.FetchFile{File: protocol.File{Hash: a}, Spent: func(n uint64) { large += n }})
	f.want(reconciler.FetchFile{File: protocol.File{Hash: b}, Spent: func(n uint64) { small += n }})
	message := func(kind protocol.Kind, body any) protocol.Message {
		m, err := protocol.NewMessage(kind, body)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	f.charge([]protocol.Message{message(protocol.KindWant, protocol.Want{Items: []protocol.WantItem{{Blob: a.Short()}, {Blob: b.Short()}}})}, 301)
	if large+small != 301 || large < 149 || small < 149 {
		t.Errorf("of 301 bytes for a question the files bear %d and %d", large, small)
	}
	large, small = 0, 0
	f.charge([]protocol.Message{
		message(protocol.KindChunk, protocol.BlobChunk{Blob: a.Short(), Data: make([]byte, 9000)}),
		message(protocol.KindChunk, protocol.BlobChunk{Blob: b.Short(), Data: make([]byte, 900)}),
	}, 10_501)
	if large+small != 10_501 || large < 9_000 || small < 900 {
		t.Errorf("of 10501 bytes for answers the files bear %d and %d", large, small)
	}
	large, small = 0, 0
	if f.charge([]protocol.Message{message(protocol.KindStatus, protocol.StackStatus{})}, 500); large+small != 0 {
		t.Errorf("a status costs the files %d bytes", large+small)
	}
}
