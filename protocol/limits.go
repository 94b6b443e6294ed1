package protocol

import "time"

// Limits of what a peer may send. What goes beyond them is refused whole with CodeTooLarge or CodeMalformed.
const (
	// MaxFrame is the most bytes of one frame as it travels, codec byte included.
	MaxFrame = 256 << 10
	// MaxFrameDecoded is the most bytes of one frame after decompression.
	MaxFrameDecoded = 4 << 20
	// MaxMessages is the most messages in one frame.
	MaxMessages = 256
	// MaxNesting is the deepest nesting of CBOR arrays and maps in a frame or payload.
	MaxNesting = 12
	// MaxElements is the most elements of one CBOR array and the most pairs of one CBOR map.
	MaxElements = 16384
	// MaxSnapshot is the most bytes of one canonical snapshot, uncompressed.
	MaxSnapshot = 2 << 20
	// MaxPatchWindow is the zstd window used for snapshot and blob patches.
	MaxPatchWindow = 8 << 20
	// MaxBlob is the most bytes of one blob (a bundle file or a script).
	MaxBlob = 8 << 20
	// MaxBundle is the most bytes of all files of one bundle together.
	MaxBundle = 32 << 20
	// MaxBundleFiles is the most files in one bundle.
	MaxBundleFiles = 1024
	// MaxChunk is the most bytes of blob data in one BlobChunk; a link profile may set less.
	MaxChunk = 16 << 10
	// MaxOutput is the most bytes of output (container logs) kept and sent for one command.
	MaxOutput = 256 << 10
	// MaxText is the most bytes of one reason, detail or other free text sent by a device.
	MaxText = 4 << 10
	// MaxLabels is the most labels of one device, wished or given.
	MaxLabels = 64
	// MaxRelease is the most bytes of one signed release.
	MaxRelease = 16 << 10
	// MaxReleasePrograms is the most programs of one release, those of all platforms.
	MaxReleasePrograms = 32
	// MaxProgram is the most bytes of one program of a release.
	MaxProgram = 160 << 20
	// MaxProgramPart is the most bytes of a program that come in one piece.
	MaxProgramPart = 4 << 20
	// MaxName is the most bytes of a name of a device, group, stack or key.
	MaxName = 128
)

// Timing that both sides rely on.
const (
	// TickJoin is how near two ticks must be to share one frame.
	TickJoin = 100 * time.Millisecond
	// DefaultConnectTimeout is how long a connection may take to be made, TLS included.
	DefaultConnectTimeout = 30 * time.Second
	// DefaultExchangeTimeout is how long an answer or an acknowledgement may take.
	DefaultExchangeTimeout = 60 * time.Second
	// FirstPacketTimeout is how long a stranger may take to authenticate after connecting.
	FirstPacketTimeout = 10 * time.Second
	// WaitingHold is how long a waiting device keeps one connection open to hear of its approval at once.
	WaitingHold = 15 * time.Minute
	// WaitingKnock is how often a waiting device knocks after that.
	WaitingKnock = 3 * time.Hour
)
