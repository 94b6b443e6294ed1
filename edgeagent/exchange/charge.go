package exchange

import "github.com/farshore/farshore/protocol"

// charge tells those who wait for files what a frame has cost on the wire that asks for them, or brings parts of them.
// Each bears as much of it as its message takes of the frame.
func (f *fetcher) charge(messages []protocol.Message, bytes uint64) {
	if bytes == 0 || protocol.ClassOf(messages) != protocol.ClassBlob {
		return
	}
	type share struct {
		blob   protocol.ShortHash
		weight uint64
	}
	var shares []share
	var all uint64
	for _, m := range messages {
		var named []protocol.ShortHash
		switch m.Kind {
		case protocol.KindWant:
			var want protocol.Want
			if m.Decode(&want) == nil { // else who takes the frame over says so
				for _, item := range want.Items {
					named = append(named, item.Blob)
				}
			}
		case protocol.KindChunk:
			var chunk protocol.BlobChunk
			if m.Decode(&chunk) == nil {
				named = append(named, chunk.Blob)
			}
		}
		for _, blob := range named {
			weight := uint64(len(m.Body)/len(named) + 1)
			shares, all = append(shares, share{blob, weight}), all+weight
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range shares {
		part := bytes * s.weight / all
		bytes, all = bytes-part, all-s.weight
		for _, w := range f.wants {
			if w.hash.Short() == s.blob && w.spent != nil {
				w.spent(part)
			}
		}
	}
}
