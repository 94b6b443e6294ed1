package ipc

import "strings"

// Image is one that a bundle needs.
type Image struct {
	// Ref is its name as the bundle has it, with variables filled in.
	Ref string `json:"ref"`
	// Platform is the one that is asked for, such as linux/arm64; empty means the engine's own.
	Platform string `json:"platform,omitempty"`
	// Policy is one of the Pull constants.
	Policy string `json:"policy"`
	// Service is the first that needs it.
	Service string `json:"service"`
}

// pinnedTag begins the tag of an image that is named by its digest.
const pinnedTag = "sha256-"

// Pinned is the tag under which an image named by its digest is on an engine that did not pull it from its registry:
// name:sha256-… for name@sha256:…, as engines let nobody give an image a digest. ok is false for other names.
func Pinned(ref string) (tagged string, ok bool) {
	name, digest, ok := strings.Cut(ref, "@sha256:")
	if !ok {
		return "", false
	}
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name + ":" + pinnedTag + digest, true
}

// IsPinned reports whether a name has a tag that Pinned makes. Nothing may be pulled as such a one: what a digest names
// would no longer be what it stands for.
func IsPinned(ref string) bool {
	ref, _, _ = strings.Cut(ref, "@") // engines differ in what becomes of a tag beside a digest
	_, tag, _ := strings.Cut(ref[strings.LastIndexByte(ref, '/')+1:], ":")
	hex, ok := strings.CutPrefix(tag, pinnedTag)
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
