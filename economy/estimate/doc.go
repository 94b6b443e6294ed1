// Package estimate says what a change would cost before it is made: the bytes of each device, their price by its tariff,
// and how long they take by its times of contact and the rate that was measured.
//
// Files are estimated by doing it: they are packed as the hub packs them, against what the device has, and the frames of
// the exchange are made and measured. Of images, a registry's manifest says what their layers weigh, less those that the
// device has. What neither says is called unknown, and never counts as nothing.
//
// It talks to no device and keeps nothing durable; what registries say comes through Images. A Desk is safe for
// concurrent use: it remembers which layers images have, and Estimate may take as long as its registries do, at most a
// minute.
package estimate

import (
	"context"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Images says what registries know of images.
type Images interface {
	// Image reads what an image is for a platform such as linux/arm/v7, with what lets devices of a group in. An error is
	// a sentence for people.
	Image(ctx context.Context, group, image, platform string) (Image, error)
}

// Image is an image for one platform.
type Image struct {
	// IDs are what engines call it: the digests of configuration, manifest and index.
	IDs []protocol.Hash
	// Documents are the bytes of index, manifest and configuration.
	Documents uint64
	Layers    []Layer
}

// Layer is one layer of an image, as it travels.
type Layer struct {
	Digest protocol.Hash
	Size   uint64
}

// Ask is what is asked for.
type Ask struct {
	Devices []Device
	// Images says what registries know, as far as who asks may have them asked. Nil: as in Config.
	Images Images
	// Content gives files that are named by devices. Nil: none are.
	Content func(protocol.Hash) ([]byte, error)
	// Shown is how the name of an image is shown. Nil: as it is.
	Shown func(image string) string
	// Secret reports that the name of an image is not to be told to any registry. Nil: none is.
	Secret func(image string) bool
	// Notes that the estimate shall have too.
	Notes []string
}

// Device is one device and what it would be given.
type Device struct {
	ID    protocol.DeviceID
	Name  string
	Group string
	// Platform such as linux/arm64. "": not known.
	Platform string

	// Entry is what an order would bring. Nil: none would.
	Entry *protocol.Entry
	// Files that it would ask for.
	Files []File
	// Packed are bytes that it would ask for beside Files, as they travel, and Order is how many an order has beside Entry.
	// Unready: they are more than is known yet.
	Packed  uint64
	Order   int
	Unready bool
	// Images that it would need, and when it would ask registries for them.
	Images []string
	Pull   protocol.PullPolicy
	// Has are the images on it. Seen is false where nobody knows.
	Has  []Has
	Seen bool

	// Settings that hold for it, its tariff, and what it has spent of the cycle.
	Settings protocol.Settings
	Tariff   economy.Tariff
	Spent    uint64
	// Rate at which bytes come down, in bytes a second. 0: not measured.
	Rate uint32
}

// File is a file that a device would ask for, with an earlier one that it has. A zero Base: none.
type File struct{ Blob, Base protocol.Hash }

// Has is an image on a device.
type Has struct {
	ID   protocol.Hash
	Tags []string
	// Size on the disk.
	Size uint64
}

// Estimate is the answer.
type Estimate struct {
	At time.Time
	// Devices in the order in which they were asked for.
	Devices []DeviceEstimate
	// Images that some device would need, by name and platform.
	Images []ImageEstimate
	Notes  []string
}

// DeviceEstimate is what a change would cost one device.
type DeviceEstimate struct {
	ID    protocol.DeviceID
	Name  string
	Group string
	// Files and Images are what it would fetch, as it travels; Overhead is what frames, TLS and TCP/IP add, with the order
	// and what the device says about it.
	Files, Images, Overhead uint64
	// Talk is what of Overhead is for the order, and for what the device says about it: a device does not count it as spent
	// on a stack.
	Talk uint64
	// Unknown is of how many images, or programs, nothing is known: they come on top.
	Unknown int
	// AtMost: of some image only the size on the disk of another device is known.
	AtMost bool
	// Cost in millionths of Currency. "": there is no tariff.
	Cost     uint64
	Currency string
	// Seconds from now until it has all. Unknown: SecondsUnknown.
	Seconds int64
	// Over: it would pass what its budget leaves for this, which is Left.
	Over bool
	Left uint64
}

// Bytes on the wire, all together.
func (d *DeviceEstimate) Bytes() uint64 { return d.Files + d.Images + d.Overhead }

// SecondsUnknown says that nobody knows how long it takes: no rate was measured, there is no contact any more, or the budget does not
// allow it.
const SecondsUnknown = -1

// Sources of what is known of an image.
const (
	SourceRegistry = "registry" // its manifest
	SourceDevices  = "devices"  // its size on the disk of other devices: an upper bound
	SourceUnknown  = "unknown"
)

// ImageEstimate is what an image weighs.
type ImageEstimate struct {
	Image, Platform string
	// Bytes of all its layers and documents, and how many layers there are. 0: not known.
	Bytes  uint64
	Layers int
	Source string
	// Why the registry did not say. "": it did.
	Why string
}
