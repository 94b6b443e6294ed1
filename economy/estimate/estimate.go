package estimate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// timeout bounds an estimate: what registries have not said by then is unknown.
const timeout = time.Minute

// Config of a Desk. Images is required.
type Config struct {
	Images Images
	// Now is the time. Nil: time.Now.
	Now func() time.Time
}

// Desk estimates. Create it with New.
type Desk struct {
	cfg   Config // immutable
	codec *protocol.Codec
	known known // guards itself
}

// New returns a Desk. It starts nothing.
func New(cfg Config) *Desk {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Desk{cfg: cfg, codec: protocol.NewCodec()}
}

// Estimate says what a change would cost. Devices that are alike are worked out once. The error is that of Content, or of
// ctx where somebody gave up; that a registry does not answer is none.
func (d *Desk) Estimate(ctx context.Context, ask Ask) (Estimate, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if ask.Shown == nil {
		ask.Shown = func(image string) string { return image }
	}
	out := Estimate{At: d.cfg.Now(), Devices: make([]DeviceEstimate, len(ask.Devices)), Notes: slices.Clone(ask.Notes)}
	pantry := newPantry(d, ask.Images)
	if err := pantry.gather(ctx, ask); err != nil {
		return out, err
	}
	packs := &packs{content: ask.Content, done: map[File]packed{}}
	type bytes struct{ payload, adds, talk uint64 }
	files, images, used := map[[32]byte]bytes{}, map[[32]byte]load{}, map[wanted]bool{}
	unseen := 0
	for i := range ask.Devices {
		x := &ask.Devices[i]
		key := filesKey(x)
		f, ok := files[key]
		if !ok {
			var err error
			if f.payload, f.adds, f.talk, err = d.files(x, packs); err != nil {
				return out, err
			}
			files[key] = f
		}
		key = imagesKey(x)
		l, ok := images[key]
		if !ok {
			l = pantry.of(x)
			images[key] = l
			for _, w := range l.used {
				used[w] = true
			}
		}
		if !x.Seen && len(x.Images) > 0 {
			unseen++
		}
		out.Devices[i] = DeviceEstimate{
			ID: x.ID, Name: x.Name, Group: x.Group, Files: f.payload, Images: l.bytes, Overhead: f.adds + l.adds, Talk: f.talk, Unknown: l.unknown, AtMost: l.atMost,
		}
		if x.Unready {
			out.Devices[i].Unknown++
		}
		out.Devices[i].judge(x, out.At)
	}
	for _, w := range sorted(used) {
		if e := pantry.describe(w, ask.Shown); !slices.ContainsFunc(out.Images, func(o ImageEstimate) bool { return o == e }) {
			out.Images = append(out.Images, e)
		}
	}
	out.note(unseen)
	return out, nil
}

// files gives what the order and the files of a device come to.
func (d *Desk) files(x *Device, packs *packs) (payload, adds, talk uint64, err error) {
	list := make([]packed, 0, len(x.Files))
	for _, f := range x.Files {
		p, err := packs.of(f)
		if err != nil {
			return 0, 0, 0, err
		}
		list = append(list, p)
	}
	return exchange(d.codec, x, list)
}

// judge says what the bytes cost, how long they take, and whether the budget has room for them.
func (e *DeviceEstimate) judge(d *Device, now time.Time) {
	bytes := e.Bytes()
	if e.Currency = d.Tariff.Currency; d.Tariff.PerMB > 0 {
		e.Cost = d.Tariff.Price(d.Spent, bytes)
	}
	e.Seconds = seconds(d, bytes, now)
	if d.Settings.Link == nil || d.Settings.Link.Budget == nil {
		return
	}
	b := d.Settings.Link.Budget
	caps := economy.CapsOf(b, economy.CycleAt(b, now).First)
	if left, bounded := caps.Left(d.Spent, protocol.ClassBlob, false); bounded {
		if e.Left, e.Over = left, bytes > left; e.Over {
			e.Seconds = SecondsUnknown // not in this cycle
		}
	}
}

// note says what the figures do not.
func (e *Estimate) note(unseen int) {
	unknown, atMost := 0, 0
	for i := range e.Devices {
		if e.Devices[i].Unknown > 0 {
			unknown++
		}
		if e.Devices[i].AtMost {
			atMost++
		}
	}
	if unknown > 0 {
		e.Notes = append(e.Notes, counted(unknown, "device needs", "devices need")+" something of which nothing is known: it comes on top.")
	}
	if atMost > 0 {
		e.Notes = append(e.Notes, "For "+counted(atMost, "device", "devices")+" the size of some image is that on the disk of another device, which is more than travels.")
	}
	if unseen > 0 {
		e.Notes = append(e.Notes, "Of "+counted(unseen, "device nobody knows which images it has", "devices nobody knows which images they have")+": all layers are counted.")
	}
}

// counted is a number with what there is one or more of.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// filesKey is the same for devices that fetch the same files in the same way.
func filesKey(d *Device) [32]byte {
	h := sha256.New()
	number := func(n uint64) { _ = binary.Write(h, binary.BigEndian, n) } // a hash takes everything
	number(uint64(d.Settings.Chunk))
	number(d.Packed)
	number(uint64(d.Order))
	for _, f := range d.Files {
		h.Write(f.Blob[:])
		h.Write(f.Base[:])
	}
	if e := d.Entry; e != nil {
		// Of variables only their length counts: a device's own values make no other class.
		env := 0
		for name, value := range e.Env {
			env += len(name) + len(value)
		}
		number(e.Version)
		number(uint64(len(e.Files)))
		number(uint64(env+len(e.Sealed)+len(e.Access)) / 32)
		for i := range e.Files {
			h.Write(e.Files[i].Hash[:])
		}
	}
	return [32]byte(h.Sum(nil))
}

// imagesKey is the same for devices that fetch the same layers.
func imagesKey(d *Device) [32]byte {
	h := sha256.New()
	text := func(s string) { h.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)) }
	text(d.Group)
	text(d.Platform)
	h.Write([]byte{byte(d.Pull)})
	_ = binary.Write(h, binary.BigEndian, asks(d.Settings.Link, 1<<40)) // a hash takes everything
	for _, i := range d.Images {
		text(i)
	}
	has := slices.SortedFunc(slices.Values(d.Has), func(a, b Has) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for _, x := range has {
		h.Write(x.ID[:])
		for _, t := range x.Tags {
			text(t)
		}
	}
	return [32]byte(h.Sum(nil))
}

// Sums are what an estimate comes to for some devices.
type Sums struct {
	// Total, Largest and Median of the bytes of each device.
	Total, Largest, Median uint64
	// Files, Images and Overhead are what Total is made of, and Talk is part of Overhead.
	Files, Images, Overhead, Talk uint64
	// Cost in millionths, by currency.
	Cost map[string]uint64
	// Seconds of the device that takes longest of those of which it is known, and of how many it is not.
	Seconds int64
	Unknown int
}

// Sum adds up the estimates of devices.
func Sum(devices []DeviceEstimate) Sums {
	s := Sums{Cost: map[string]uint64{}}
	all := make([]uint64, len(devices))
	for i := range devices {
		d := &devices[i]
		all[i] = d.Bytes()
		s.Total, s.Largest = plus(s.Total, all[i]), max(s.Largest, all[i])
		s.Files, s.Images, s.Overhead = plus(s.Files, d.Files), plus(s.Images, d.Images), plus(s.Overhead, d.Overhead)
		s.Talk = plus(s.Talk, d.Talk)
		if d.Currency != "" {
			s.Cost[d.Currency] = plus(s.Cost[d.Currency], d.Cost)
		}
		if s.Seconds = max(s.Seconds, d.Seconds); d.Seconds == SecondsUnknown {
			s.Unknown++
		}
	}
	if slices.Sort(all); len(all) > 0 {
		s.Median = all[len(all)/2]
	}
	return s
}

// plus adds, and stays at the largest number where there is more: what registries say may be anything.
func plus(a, b uint64) uint64 {
	if sum, carry := bits.Add64(a, b, 0); carry == 0 {
		return sum
	}
	return math.MaxUint64
}

// Worst sorts devices: first those that would pass their budget, by how far, then by bytes.
func Worst(devices []DeviceEstimate) {
	past := func(d *DeviceEstimate) uint64 {
		if !d.Over {
			return 0
		}
		return d.Bytes() - d.Left
	}
	slices.SortStableFunc(devices, func(a, b DeviceEstimate) int {
		return cmp.Or(cmp.Compare(past(&b), past(&a)), cmp.Compare(b.Bytes(), a.Bytes()), cmp.Compare(a.Name, b.Name))
	})
}
