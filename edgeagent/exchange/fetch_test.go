package exchange

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// A transfer goes on when its answer was cut short, when the hub was busy, and when the session was lost; a blob that
// the hub does not have is told to whoever waits for it.
func TestTransfers(t *testing.T) {
	blob := make([]byte, 100_000)
	for i := range blob {
		blob[i] = byte(rand.Uint32())
	}
	stream, err := transfer.Pack(blob, nil)
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, standard(), func(t *testing.T, h *hub) {
		asked := 0
		h.answer = func(m protocol.Message) (out []protocol.Message) {
			var w protocol.Want
			if m.Kind != protocol.KindWant || m.Decode(&w) != nil {
				return nil
			}
			for _, item := range w.Items {
				if item.Blob != protocol.HashOf(blob).Short() {
					out = append(out, message(protocol.KindChunk, protocol.BlobChunk{Blob: item.Blob, Unknown: true}))
					continue
				}
				switch asked++; asked {
				case 1:
					return append(out, message(protocol.KindError, &protocol.Error{Code: protocol.CodeBusy, Kind: m.Kind, RetryAfter: 7}))
				case 2:
					continue // nothing at all
				case 3:
					h.win = nil // it forgets the session
					return nil
				}
				end := min(item.Offset+item.Max/2, int64(len(stream))) // less than was asked for
				out = append(out, message(protocol.KindChunk, protocol.BlobChunk{
					Blob: item.Blob, Stream: protocol.HashOf(stream).Short(), Size: int64(len(stream)), Offset: item.Offset, Data: stream[item.Offset:end],
				}))
			}
			return out
		}
		h.run()
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		file := func(b []byte) []reconciler.FetchFile {
			return []reconciler.FetchFile{{File: protocol.File{Hash: protocol.HashOf(b)}}}
		}
		if err := h.e.Fetch(ctx, file([]byte("no such"))); !errors.Is(err, ErrBlobUnknown) {
			t.Errorf("a blob that the hub does not have: %v", err)
		}
		if err := h.e.Fetch(ctx, file(blob)); err != nil {
			t.Fatal(err)
		}
		if got, err := h.state.Blob(protocol.HashOf(blob)); err != nil || !slices.Equal(got, blob) {
			t.Errorf("the blob is not what it was: %v", err)
		}
	})
}
