package estimate

import (
	"time"

	"github.com/farshore/farshore/economy"
)

// maxOpenings is how many times of contact are looked through.
const maxOpenings = 5000

// seconds says how long bytes take from now on: by the rate, where it was measured, in the times of contact, of which
// each carries no more than is expected of it.
func seconds(d *Device, bytes uint64, now time.Time) int64 {
	if bytes == 0 {
		return 0
	}
	always := d.Settings.Link == nil
	var contact economy.Contact
	if !always {
		contact = economy.NewContact(d.Settings.Link.Contact)
		always = contact.Always()
	}
	if always {
		if d.Rate == 0 {
			return SecondsUnknown
		}
		return int64((bytes + uint64(d.Rate) - 1) / uint64(d.Rate))
	}
	at := now
	for range maxOpenings {
		o, ok := contact.Next(at)
		if !ok {
			return SecondsUnknown
		}
		from := o.Start
		if now.After(from) {
			from = now
		}
		long := o.End.Sub(from)
		carries, needs := capacity(d, o, long), time.Duration(0)
		switch {
		case carries == 0:
			return SecondsUnknown
		case carries >= bytes:
			needs = time.Duration(float64(long) * (float64(bytes) / float64(carries)))
			if d.Rate > 0 {
				needs = min(needs, time.Duration(float64(bytes)/float64(d.Rate)*float64(time.Second)))
			}
			return int64((from.Add(needs).Sub(now) + time.Second - 1) / time.Second)
		}
		bytes -= carries
		at = o.End
	}
	return SecondsUnknown
}

// capacity is how many bytes an opening carries of which so much is left. 0: nobody knows.
func capacity(d *Device, o economy.Opening, left time.Duration) uint64 {
	whole := o.End.Sub(o.Start)
	byRate := uint64(float64(d.Rate) * min(left.Seconds(), 1<<32))
	if o.Bytes == 0 || whole <= 0 {
		return byRate
	}
	expected := uint64(float64(o.Bytes) * (float64(left) / float64(whole)))
	if d.Rate == 0 {
		return expected
	}
	return min(expected, byRate)
}
