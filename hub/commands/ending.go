package commands

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Output takes a piece of a command's output. Pieces come in order; one that was there before is dropped, a gap is
// noted, and no more than protocol.MaxOutput bytes are kept. An error means that it was not kept.
func (b *Book) Output(dev protocol.DeviceID, o protocol.Output) error {
	defer b.devices.Lock(string(dev))()
	r, err := b.record(dev, o.Command)
	if errors.Is(err, ErrNotFound) {
		b.cfg.Log.Info("output of a command that is not in the book is dropped", "device", dev, "command", o.Command.String())
		return nil
	}
	if err != nil {
		return err
	}
	p := Piece{Offset: o.Offset, Data: o.Data}
	if p.Offset > protocol.MaxOutput || uint64(len(p.Data)) > protocol.MaxOutput-p.Offset {
		return fmt.Errorf("%w: output of command %s beyond %d bytes", protocol.ErrTooLarge, o.Command, protocol.MaxOutput)
	}
	end := p.Offset + uint64(len(p.Data))
	switch {
	case end > r.OutputEnd && p.Offset < r.OutputEnd:
		p = Piece{Offset: r.OutputEnd, Data: p.Data[r.OutputEnd-p.Offset:]}
	case end > r.OutputEnd && p.Offset > r.OutputEnd:
		r.OutputLost = true
	case end <= r.OutputEnd && (!o.Dropped || r.OutputLost):
		return nil
	case end <= r.OutputEnd:
		p = Piece{Offset: r.OutputEnd} // nothing new but that the rest was dropped
	}
	r.OutputLost = r.OutputLost || o.Dropped
	r.OutputEnd = max(r.OutputEnd, end)
	if err := b.cfg.Store.AddCommandOutput(r, p); err != nil {
		return fmt.Errorf("store output of command %s: %w", r.ID, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remember(r)
	return nil
}

// Get returns one command. The error wraps ErrNotFound where there is none.
func (b *Book) Get(id protocol.CommandID) (Record, error) { return b.cfg.Store.Command(id) }

// List returns commands, latest first.
func (b *Book) List(f Filter) ([]Record, error) {
	if f.Limit <= 0 {
		f.Limit = DefaultLimit
	}
	return b.cfg.Store.Commands(f)
}

// Open returns how many commands of the device have not ended.
func (b *Book) Open(dev protocol.DeviceID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open[dev])
}

// Devices returns those with commands that have not ended.
func (b *Book) Devices() []protocol.DeviceID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.open))
}

// ReadOutput returns the output of a command as far as it has come. Missing pieces are left out; see
// Record.OutputLost.
func (b *Book) ReadOutput(id protocol.CommandID) ([]byte, error) {
	pieces, err := b.cfg.Store.CommandOutput(id)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, p := range pieces {
		out = append(out, p.Data...)
	}
	return out, nil
}

// Withdraw takes a command back. One that no device can have yet ends at once; for any other the device is asked not
// to start it, and its word decides: the record that is returned is then not final. Errors wrap ErrNotFound or
// ErrEnded.
func (b *Book) Withdraw(id protocol.CommandID, by string) (Record, error) {
	r, err := b.Get(id)
	if err != nil {
		return Record{}, err
	}
	r, err = b.withdraw(r.Device, id, by)
	if err != nil {
		return Record{}, err
	}
	if r.State.Final() {
		b.cfg.Events(Notice{Kind: KindEnded, Record: r})
	} else {
		b.cfg.Notify(r.Device)
	}
	return r, nil
}

func (b *Book) withdraw(dev protocol.DeviceID, id protocol.CommandID, by string) (Record, error) {
	defer b.devices.Lock(string(dev))()
	// From here on Pending does not hand it out, and what it has handed out is known.
	o, ok := b.hold(dev, id)
	if !ok {
		return Record{}, fmt.Errorf("withdraw command %s: %w; see its result", id, ErrEnded)
	}
	if o.rec.Repealed {
		return o.rec, nil
	}
	r := o.rec
	if r.State == protocol.CommandQueued && !o.handed {
		r = ended(r, protocol.CommandWithdrawn, "withdrawn by "+by+" before it was sent")
	} else {
		r.Repealed, r.RepealedBy = true, by
	}
	if err := b.save(r); err != nil {
		b.release(o)
		return Record{}, err
	}
	return r, nil
}

// hold takes an open command out of what Pending returns and gives it as it was before.
func (b *Book) hold(dev protocol.DeviceID, id protocol.CommandID) (open, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.open[dev][id]
	if o == nil {
		return open{}, false
	}
	before := *o
	if o.rec.State == protocol.CommandQueued {
		o.rec.State = protocol.CommandSent
	}
	return before, true
}

// release undoes hold.
func (b *Book) release(before open) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.open[before.rec.Device][before.rec.ID]; o != nil {
		*o = before
	}
}

// ended returns the record as the hub ends it on its own.
func ended(r Record, state protocol.CommandState, text string) Record {
	r.State, r.HubsWord, r.Ended = state, true, time.Now().Unix()
	r.Result = protocol.CommandResult{ID: r.ID, State: state, Text: text}
	return r
}

// Sweep ends what cannot end otherwise: commands that were not handed to their device and must not start at now any
// more are expired; sent ones of which nothing was heard for SilentAfter are interrupted.
func (b *Book) Sweep(now time.Time) error {
	return b.endAll(b.matching(func(o *open) bool { return sweepable(o, now) }), func(o open) (Record, bool) {
		switch {
		case !sweepable(&o, now):
			return Record{}, false
		case o.rec.State == protocol.CommandQueued:
			return ended(o.rec, protocol.CommandExpired, "the device did not collect it in time"), true
		}
		return ended(o.rec, protocol.CommandInterrupted, "it was sent, and the device never said what became of it"), true
	})
}

func sweepable(o *open, now time.Time) bool {
	if o.rec.State == protocol.CommandQueued && !o.handed {
		return o.rec.NotAfter < now.Unix()
	}
	return o.rec.NotAfter < now.Add(-SilentAfter).Unix()
}

// DeviceGone ends the open commands of a device that was removed, revoked or replaced.
func (b *Book) DeviceGone(dev protocol.DeviceID) error {
	return b.endAll(b.matching(func(o *open) bool { return o.rec.Device == dev }), func(o open) (Record, bool) {
		return ended(o.rec, protocol.CommandWithdrawn, "the device was removed or revoked; it may have run if it was sent before"), true
	})
}

func (b *Book) matching(fits func(*open) bool) []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Record
	for _, of := range b.open {
		for _, o := range of {
			if fits(o) {
				out = append(out, o.rec)
			}
		}
	}
	return out
}

// endAll ends those of the commands that end still wants to, and returns the first errors of all.
func (b *Book) endAll(records []Record, end func(open) (Record, bool)) error {
	var errs []error
	for _, r := range records {
		r, done, err := b.endOne(r, end)
		if err != nil {
			errs = append(errs, err)
		}
		if done {
			b.cfg.Events(Notice{Kind: KindEnded, Record: r})
		}
	}
	return errors.Join(errs...)
}

func (b *Book) endOne(r Record, end func(open) (Record, bool)) (Record, bool, error) {
	defer b.devices.Lock(string(r.Device))()
	before, ok := b.hold(r.Device, r.ID)
	if !ok {
		return Record{}, false, nil
	}
	r, ok = end(before)
	if !ok {
		b.release(before)
		return Record{}, false, nil
	}
	if err := b.save(r); err != nil {
		b.release(before)
		return Record{}, false, err
	}
	return r, true, nil
}
