package reconciler

import (
	"context"
	"log/slog"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Journal is where the reconciler's steps are made durable.
type Journal interface {
	Applied() []Applied
	PutApplied(Applied) error
	RemoveApplied(protocol.EntryKey) error
	// PutStatus assigns Rev, and At where it is 0, and queues the status for the hub.
	PutStatus(protocol.StackStatus) error
	Statuses() []protocol.StackStatus
	// PutEvent queues an event for the hub: a stable word, and a sentence for people.
	PutEvent(kind, text string) error
}

// Bundles is what is desired, and the files of it that are on the device.
type Bundles interface {
	Desired() []protocol.Entry
	HasBlob(protocol.Hash) bool
	Blob(protocol.Hash) ([]byte, error)
	// CollectBlobs removes what neither the desired set nor the journal names.
	CollectBlobs() error
}

// State is both.
type State interface {
	Journal
	Bundles
}

// FetchFile is a file that is missing on the device.
type FetchFile struct {
	File protocol.File
	// Base is an earlier version of the file that the device has. Zero: none.
	Base protocol.Hash
	// Spent is told, without blocking, of bytes on the wire that were for the file. Nil: nobody is.
	Spent func(bytes uint64)
}

// Fetcher gets files from the hub. Fetch blocks until all are in the state, or ctx is done; while the hub is out of
// reach it waits.
type Fetcher interface {
	Fetch(ctx context.Context, files []FetchFile) error
}

// Composer acts on the engine. Run returns the final event; an error only when there is none because the composer
// could not be run or died.
type Composer interface {
	Run(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, error)
}

// Stager puts the files of a version where the composer and the engine can read them.
type Stager interface {
	// Stage writes the files of e, read by read, and returns where they are.
	Stage(ctx context.Context, e protocol.Entry, read func(protocol.Hash) ([]byte, error)) (Place, error)
	// Root is the folder that stays the same for all versions of a stack.
	Root(key protocol.EntryKey) string
	// Prune removes the files of all versions but e.
	Prune(e protocol.Entry) error
	// Remove removes all files of a stack that was taken down, and what its containers wrote as far as volumes go.
	Remove(key protocol.EntryKey, volumes Volumes) error
}

// Place is where a staged version is: its own folder, and the stack's.
type Place struct{ Dir, Root string }

// Volumes is what becomes of a stack's data when it is removed.
type Volumes string

// The choices.
const (
	KeepVolumes   Volumes = ipc.VolumesKeep
	RemoveVolumes Volumes = ipc.VolumesRemove
)

// Defaults of Config.
const (
	DefaultWait         = 3 * time.Minute
	DefaultApplyTimeout = time.Hour
	DefaultRetryFirst   = 10 * time.Second
	DefaultRetryCap     = 15 * time.Minute
	DefaultSettle       = 5 * time.Second
	DefaultSilence      = 10 * time.Minute
)

// Config is what New needs.
type Config struct {
	// State, Fetcher and Composer are required.
	State    State
	Fetcher  Fetcher
	Composer Composer
	// Stager is required unless Dir is given: then files are staged below it.
	Stager Stager
	Dir    string
	// Images gets images in the engine's stead where ImagesByAgent says so at that moment. Nil: the engine always does.
	Images        Images
	ImagesByAgent func() bool
	// Host is the engine's address for the composer. Empty: its default.
	Host string
	// Workers is how many stacks are changed at the same time. 0: one. Fetching is not counted, nor is waiting for
	// containers.
	Workers int
	// Wait is how long containers may take to run and get healthy. 0: DefaultWait.
	Wait time.Duration
	// ApplyTimeout bounds one run of the composer, but for fetching images. 0: DefaultApplyTimeout.
	ApplyTimeout time.Duration
	// RetryFirst and RetryCap bound the pause after a failure, which doubles. 0: the defaults.
	RetryFirst, RetryCap time.Duration
	// Settle is how long after a change a stack is not judged by snapshots, as one may have been taken before the
	// change. 0: DefaultSettle.
	Settle time.Duration
	// Silence is after how long a fetching of images of which nothing is heard is ended. 0: DefaultSilence.
	Silence time.Duration
	// OpenSecrets opens Sealed of an entry, OpenAccess its Access. Nil: nothing that is sealed can be opened.
	OpenSecrets func(*protocol.Entry) (protocol.Secrets, error)
	OpenAccess  func(*protocol.Entry) (protocol.RegistryAccess, error)
	// Tail gives the end of a container's log. Nil: what fails on trial is reported without.
	Tail func(ctx context.Context, container string) (string, error)
	// Now is the device's best time, for change windows. Nil: time.Now.
	Now func() time.Time
	// Log is required.
	Log *slog.Logger
}
