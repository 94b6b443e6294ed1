package protocol

// Want asks for bytes of blobs that the device's desired set names. The hub answers each item with BlobChunk
// messages up to Max bytes, or with one that says Unknown.
type Want struct {
	Items []WantItem `cbor:"1,keyasint"`
}

// WantItem is one blob, or the rest of one.
type WantItem struct {
	// Blob is the beginning of its hash; the device knows the whole from the signed desired set.
	Blob ShortHash `cbor:"1,keyasint"`
	// Base is a blob the device has and from which Blob may be patched (the file's earlier version). Absent: none.
	Base ShortHash `cbor:"2,keyasint,omitzero"`
	// Stream and Offset say what the device has already: Offset bytes of the transfer Stream. Absent: nothing.
	Stream ShortHash `cbor:"3,keyasint,omitzero"`
	Offset int64     `cbor:"4,keyasint,omitempty"`
	// Max is how many bytes may come in answer. Absent: one chunk.
	Max int64 `cbor:"5,keyasint,omitempty"`
}

// BlobChunk is a piece of a transfer. A transfer is the blob compressed with zstd, with the base as raw dictionary
// where one was used; the blob that results is verified against the full hash before use.
type BlobChunk struct {
	Blob ShortHash `cbor:"1,keyasint"`
	// Stream is the hash of the whole transfer. When it is not the one the device asked for, the device drops what
	// it has of the blob, and Offset is 0. Sent in the first chunk of an answer.
	Stream ShortHash `cbor:"2,keyasint,omitzero"`
	// Base is the base that was used. Absent: none. Sent with Stream.
	Base ShortHash `cbor:"3,keyasint,omitzero"`
	// Size of the whole transfer in bytes. Sent with Stream.
	Size int64 `cbor:"4,keyasint,omitempty"`
	// Offset of Data in the transfer.
	Offset int64  `cbor:"5,keyasint,omitempty"`
	Data   []byte `cbor:"6,keyasint"`
	// Unknown: the hub does not have the blob, or it is not for this device; there is no data. Absent: it has.
	Unknown bool `cbor:"7,keyasint,omitempty"`
}
