package estimate

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
)

// How the exchange of files goes, as edgeagent/exchange and hub/session have it; a test on the wire holds the two
// together.
const (
	wantsAtOnce  = 4
	askFor       = 2 * protocol.MaxChunk
	chunksAtOnce = 24
	frameTarget  = 32 << 10
	// messageAdds is what a chunk adds to its data in a frame.
	messageAdds = 24
	// statuses are frames with what a device says of a version: that it applies it, and that it runs. That it fetches goes
	// with what it asks for.
	statuses = 2
)

// packed is a file as it travels. Data is nil where it is so large that frames do not make it smaller.
type packed struct {
	file File
	size int
	data []byte
}

// packs packs files, each pair of file and base once.
type packs struct {
	content func(protocol.Hash) ([]byte, error)
	done    map[File]packed
}

func (p *packs) of(f File) (packed, error) {
	if x, ok := p.done[f]; ok {
		return x, nil
	}
	blob, err := p.content(f.Blob)
	if err != nil {
		return packed{}, fmt.Errorf("read file %s: %w", f.Blob, err)
	}
	data, err := transfer.Pack(blob, nil)
	if err != nil {
		return packed{}, err
	}
	if f.Base != (protocol.Hash{}) {
		base, err := p.content(f.Base)
		if err == nil && len(base) > 0 { // else the hub sends it whole, too
			patch, err := transfer.Pack(blob, base)
			if err != nil {
				return packed{}, err
			}
			if len(patch) < len(data) {
				data = patch
			}
		}
	}
	x := packed{file: f, size: len(data)}
	if len(data) <= transfer.StoreBelow {
		x.data = slices.Clone(data)
	}
	p.done[f] = x
	return x, nil
}

// conversation is one exchange of an order and files, made to be measured.
type conversation struct {
	codec *protocol.Codec
	chunk int
	seq   uint64

	waiting []*underWay // files that nobody asked for yet
	asked   int         // files under way
	frames  []parcel    // on their way down

	payload, adds uint64 // of files as they travel; of all the rest
}

type underWay struct {
	packed
	sent int
}

// parcel is one frame on its way down, and the files of which an answer ends in it.
type parcel struct {
	bytes int
	data  int
	ends  []*underWay
}

// exchange gives the bytes of files as they travel, and what all the rest adds to them; talk is what of that is for the
// order, and what the device says of it.
func exchange(codec *protocol.Codec, d *Device, files []packed) (payload, adds, talk uint64, err error) {
	c := &conversation{codec: codec, chunk: int(d.Settings.Chunk)}
	if c.chunk <= 0 || c.chunk > protocol.MaxChunk {
		c.chunk = protocol.MaxChunk
	}
	for _, f := range files {
		c.waiting = append(c.waiting, &underWay{packed: f})
	}
	if d.Packed > 0 {
		c.waiting = append(c.waiting, &underWay{packed: packed{size: int(d.Packed)}})
	}
	if d.Entry != nil || d.Order > 0 {
		if err := c.order(d); err != nil {
			return 0, 0, 0, err
		}
	}
	talk = c.adds
	c.want(nil)
	for len(c.frames) > 0 {
		f := c.frames[0]
		c.frames = c.frames[1:]
		c.payload += uint64(f.data)
		c.adds += uint64(f.bytes-f.data) + frameCost(f.bytes)
		c.want(f.ends)
	}
	return c.payload, c.adds, talk, nil
}

// order counts the order, and what the device says of it.
func (c *conversation) order(d *Device) error {
	var body protocol.OrderBody
	said := protocol.StackStatus{State: protocol.StackFetching, Rev: 1 << 20, At: 1 << 30, Spent: 1 << 20}
	if d.Entry != nil {
		said.Stack, said.Version, said.Nonce = d.Entry.ID, d.Entry.Version, d.Entry.Nonce
		body.Desired = &protocol.Desired{
			Base: protocol.ShortHash{1}, Set: []protocol.Entry{*d.Entry}, Hash: protocol.DesiredHash([]protocol.Entry{*d.Entry}),
		}
	}
	orders, err := protocol.SignOrders(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), d.ID, protocol.OrderMark{Epoch: 1, Seq: 1 << 50}, &body)
	if err != nil {
		return err
	}
	n, err := c.size(protocol.KindOrders, orders)
	if err != nil {
		return err
	}
	n += d.Order
	c.adds += uint64(n) + frameCost(n) + bareAcks*tcpHeader
	for range statuses {
		if n, err = c.size(protocol.KindStatus, said); err != nil {
			return err
		}
		ack := 8
		c.adds += uint64(n+ack) + frameCost(n) + frameCost(ack)
	}
	return nil
}

// size is that of a frame with one message.
func (c *conversation) size(kind protocol.Kind, body any) (int, error) {
	m, err := protocol.NewMessage(kind, body)
	if err != nil {
		return 0, err
	}
	return c.frame([]protocol.Message{m})
}

func (c *conversation) frame(messages []protocol.Message) (int, error) {
	c.seq++
	b, err := c.codec.Encode(&protocol.Frame{Session: 1 << 9, Seq: c.seq, Ack: c.seq, Messages: messages})
	return len(b), err
}

// want has the device ask for what comes next, and the hub answer, where answers have ended or the exchange begins.
func (c *conversation) want(ended []*underWay) {
	var ask []*underWay
	for _, w := range ended {
		if w.sent < w.size {
			ask = append(ask, w)
		} else {
			c.asked--
		}
	}
	for c.asked < wantsAtOnce && len(c.waiting) > 0 {
		ask, c.waiting = append(ask, c.waiting[0]), c.waiting[1:]
		c.asked++
	}
	if len(ask) == 0 {
		return
	}
	var items protocol.Want
	for _, w := range ask {
		items.Items = append(items.Items, protocol.WantItem{
			Blob: w.file.Blob.Short(), Base: w.file.Base.Short(), Offset: int64(w.sent), Max: int64(c.most()),
		})
	}
	if n, err := c.size(protocol.KindWant, items); err == nil {
		c.adds += uint64(n) + frameCost(n)
	}
	c.answer(ask)
}

func (c *conversation) most() int { return min(askFor, chunksAtOnce*c.chunk) }

// answer has the hub answer with frames.
func (c *conversation) answer(ask []*underWay) {
	var now parcel
	var small []protocol.Message // what frames may make smaller
	flush := func() {
		if now.data == 0 && now.ends == nil {
			return
		}
		if n, err := c.frame(small); err == nil && len(small) > 0 {
			now.bytes += n
		}
		now.data = min(now.data, now.bytes)
		c.frames = append(c.frames, now)
		now, small = parcel{}, nil
	}
	for _, w := range ask {
		end := min(w.sent+c.most(), w.size)
		for first := true; first || w.sent < end; first = false {
			n := min(c.chunk, end-w.sent)
			if now.data > 0 && now.data+n+messageAdds > frameTarget {
				flush()
			}
			if w.data != nil {
				if m, err := protocol.NewMessage(protocol.KindChunk, c.piece(w, n)); err == nil {
					small = append(small, m)
				}
			} else {
				now.bytes += n + messageAdds
			}
			now.data, w.sent = now.data+n, w.sent+n
		}
		now.ends = append(now.ends, w)
	}
	flush()
}

func (c *conversation) piece(w *underWay, n int) *protocol.BlobChunk {
	out := &protocol.BlobChunk{Blob: w.file.Blob.Short(), Offset: int64(w.sent), Data: w.data[w.sent : w.sent+n]}
	if w.sent == 0 {
		out.Stream, out.Base, out.Size = w.file.Blob.Short(), w.file.Base.Short(), int64(w.size)
	}
	return out
}
