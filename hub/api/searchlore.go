package api

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// Bounds of a lore, in bytes.
const (
	// maxLore is about the most memory it takes. A device with 25 containers takes about 3 kB, so that this is enough
	// for 40,000 of them; what has no room is read again when it is asked for.
	maxLore = 128 << 20
	// maxDigests is how many ids of images are kept of a device; see maxText too.
	maxDigests = 2048
)

// lore remembers what lists need of each device and its last snapshot, made once for each change of either, so that
// nothing is decoded, nor letters changed, for a request. It is safe for concurrent use.
type lore struct {
	room  int // bytes; immutable
	mu    sync.RWMutex
	of    map[protocol.DeviceID]deviceLore // guarded by mu
	bytes int                              // guarded by mu: about what it takes
}

// deviceLore is what is remembered of one device. Either may be nil; what they point to is never changed.
type deviceLore struct {
	record   *recordLore
	snapshot *snapshotLore
}

// recordLore is of a device's record and labels.
type recordLore struct {
	edition uint64
	name    string // in lower case
	text    text   // name, id, host name, group, labels
}

// snapshotLore is of a snapshot.
type snapshotLore struct {
	hash   protocol.ShortHash
	counts resource.ContainerCounts
	// containers are their names, images all names of images.
	containers, images text
	pinned             bool // an image is named by its digest
	// digests are the ids of images.
	digests []protocol.Hash
}

func newLore(room int) *lore { return &lore{room: room, of: map[protocol.DeviceID]deviceLore{}} }

// known gives what is remembered, without looking whether it is still true.
func (l *lore) known(id protocol.DeviceID) (*recordLore, *snapshotLore) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	d := l.of[id]
	return d.record, d.snapshot
}

// record gives what is true of a device's record, and what is remembered of its snapshot.
func (l *lore) record(x *fleet.Sight) (*recordLore, *snapshotLore) {
	known, snap := l.known(x.Device.ID)
	if known != nil && known.edition == x.Edition {
		return known, snap
	}
	d := x.Device
	lines := []string{d.Name, string(d.ID), d.Facts.Hostname, d.Group}
	for _, k := range slices.Sorted(maps.Keys(x.Labels)) {
		switch k {
		case fleet.FactID, fleet.FactName, fleet.FactGroup: // said already
		default:
			lines = append(lines, k+"="+x.Labels[k])
		}
	}
	r := &recordLore{edition: x.Edition, name: strings.ToLower(d.Name), text: newText(lines)}
	l.keep(d.ID, func(to *deviceLore) { to.record = r })
	return r, snap
}

// snapshot gives what is true of the last snapshot, where known is remembered. Nil: the device has none.
func (l *lore) snapshot(snapshots Snapshots, id protocol.DeviceID, known *snapshotLore) *snapshotLore {
	hash, ok := snapshots.LatestHash(id)
	if !ok {
		return nil
	}
	if known != nil && known.hash == hash {
		return known
	}
	state, err := snapshots.Latest(id)
	if err != nil {
		return nil
	}
	snap, err := state.Snapshot()
	if err != nil {
		return nil
	}
	s := newSnapshotLore(&snap)
	s.hash = state.Hash
	l.keep(id, func(to *deviceLore) { to.snapshot = s })
	return s
}

func newSnapshotLore(snap *protocol.Snapshot) *snapshotLore {
	s := &snapshotLore{counts: resource.ContainerCounts{All: len(snap.Containers)}}
	containers, images := make([]string, len(snap.Containers)), map[string]bool{}
	for i := range snap.Containers {
		c := &snap.Containers[i]
		if c.State == protocol.ContainerRunning {
			s.counts.Running++
		}
		containers[i] = c.Name
		images[c.ImageRef] = true
	}
	for i := range snap.Images {
		for _, tag := range snap.Images[i].Tags {
			images[tag] = true
		}
	}
	delete(images, "")
	for image := range images {
		s.pinned = s.pinned || strings.Contains(image, "@sha256:")
	}
	s.containers, s.images = newText(containers), newText(slices.Sorted(maps.Keys(images)))
	s.digests = make([]protocol.Hash, min(len(snap.Images), maxDigests))
	for i := range s.digests {
		s.digests[i] = snap.Images[i].ID
	}
	return s
}

// keep remembers something of a device, and lets go of others where there is no room.
func (l *lore) keep(id protocol.DeviceID, set func(*deviceLore)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.of[id]
	if ok {
		l.bytes -= d.size()
	}
	set(&d)
	l.of[id] = d
	l.bytes += d.size()
	for other, d := range l.of {
		if l.bytes <= l.room {
			break
		}
		if other != id {
			delete(l.of, other)
			l.bytes -= d.size()
		}
	}
}

// size is about how many bytes it takes, with its place in the map.
func (d deviceLore) size() int {
	n := 64
	if r := d.record; r != nil {
		n += int(unsafe.Sizeof(*r)) + r.text.size()
	}
	if s := d.snapshot; s != nil {
		n += int(unsafe.Sizeof(*s)) + s.containers.size() + s.images.size() + len(s.digests)*len(protocol.Hash{})
	}
	return n
}
