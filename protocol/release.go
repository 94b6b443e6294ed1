package protocol

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/semver"
)

// Names of the programs that can be updated.
const (
	ProgramAgent    = "farshore-agent"
	ProgramComposer = "farshore-composer"
)

// Release says which programs make up a version. It is believed by its signature alone, whoever hands it on.
type Release struct {
	// Version, such as "v1.3.0".
	Version string `cbor:"1,keyasint" json:"version"`
	// Created in Unix seconds by the clock of who made it.
	Created int64 `cbor:"2,keyasint,omitempty" json:"created,omitempty"`
	// Programs of all platforms.
	Programs []Program `cbor:"3,keyasint" json:"programs"`
}

// Program is one program of a release for one platform.
type Program struct {
	// Name is ProgramAgent or ProgramComposer.
	Name string `cbor:"1,keyasint" json:"name"`
	// OS as GOOS, Arch as GOARCH; arm means version 7.
	OS   string `cbor:"2,keyasint" json:"os"`
	Arch string `cbor:"3,keyasint" json:"arch"`
	// Hash and Size in bytes of the program file.
	Hash Hash   `cbor:"4,keyasint" json:"hash"`
	Size uint64 `cbor:"5,keyasint" json:"size"`
}

// signedRelease is a release as it is handed on.
type signedRelease struct {
	Body []byte `cbor:"1,keyasint"`
	Sig  []byte `cbor:"2,keyasint"`
}

const releaseContext = "farshore release 1\x00"

func releaseSigned(body []byte) []byte { return append([]byte(releaseContext), body...) }

// For returns the program of that name for a platform as Hello.Arch has it ("linux/arm64", "linux/arm/v7").
func (r *Release) For(name, platform string) (Program, bool) {
	for _, p := range r.Programs {
		if p.Name == name && p.Platform() == platform {
			return p, true
		}
	}
	return Program{}, false
}

// Platform of the program, as Hello.Arch has it.
func (p *Program) Platform() string {
	if p.Arch == "arm" {
		return p.OS + "/arm/v7"
	}
	return p.OS + "/" + p.Arch
}

// check says what is wrong with a release.
func (r *Release) check() error {
	if !semver.IsValid(semverOf(r.Version)) || len(r.Version) > MaxName {
		return fmt.Errorf("%w: release: version %.40q is no semantic version", ErrMalformed, r.Version)
	}
	if len(r.Programs) == 0 || len(r.Programs) > MaxReleasePrograms {
		return fmt.Errorf("%w: release %s: %d programs, want 1 to %d", ErrMalformed, r.Version, len(r.Programs), MaxReleasePrograms)
	}
	type place struct{ name, platform string }
	seen := map[place]bool{}
	for i := range r.Programs {
		p := &r.Programs[i]
		at := place{p.Name, p.Platform()}
		switch {
		case p.Name != ProgramAgent && p.Name != ProgramComposer:
			return fmt.Errorf("%w: release %s: program %.40q is not known", ErrMalformed, r.Version, p.Name)
		case seen[at]:
			return fmt.Errorf("%w: release %s: %s for %.40s twice", ErrMalformed, r.Version, p.Name, at.platform)
		case p.Size == 0 || p.Size > MaxProgram:
			return fmt.Errorf("%w: release %s: %s for %.40s has %d bytes, at most %d", ErrTooLarge, r.Version, p.Name, at.platform, p.Size, MaxProgram)
		}
		seen[at] = true
	}
	return nil
}

// SignRelease encodes and signs a release. Equal releases give equal bytes. Errors wrap ErrMalformed or ErrTooLarge.
func SignRelease(key ed25519.PrivateKey, r Release) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	body, err := Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode release %s: %w", r.Version, err)
	}
	signed, err := Marshal(signedRelease{Body: body, Sig: ed25519.Sign(key, releaseSigned(body))})
	if err != nil {
		return nil, fmt.Errorf("encode release %s: %w", r.Version, err)
	}
	if len(signed) > MaxRelease {
		return nil, fmt.Errorf("release %s: %w: %d bytes, at most %d", r.Version, ErrTooLarge, len(signed), MaxRelease)
	}
	return signed, nil
}

// OpenRelease verifies what SignRelease gave against the keys, any of which may have signed it. Errors wrap
// ErrBadSignature, ErrMalformed or ErrTooLarge.
func OpenRelease(signed []byte, keys []ed25519.PublicKey) (Release, error) {
	if len(signed) > MaxRelease {
		return Release{}, fmt.Errorf("release: %w: %d bytes, at most %d", ErrTooLarge, len(signed), MaxRelease)
	}
	var s signedRelease
	if err := Unmarshal(signed, &s); err != nil {
		return Release{}, fmt.Errorf("release: %w", err)
	}
	if len(keys) == 0 {
		return Release{}, fmt.Errorf("release: %w: no release key is trusted here", ErrBadSignature)
	}
	for _, key := range keys {
		if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, releaseSigned(s.Body), s.Sig) {
			continue
		}
		var r Release
		if err := Unmarshal(s.Body, &r); err != nil {
			return Release{}, fmt.Errorf("release: %w", err)
		}
		return r, r.check()
	}
	return Release{}, fmt.Errorf("release: %w: it was altered, or signed with a key that is not trusted here", ErrBadSignature)
}

// releaseKeyPrefix begins the text form of a public release key.
const releaseKeyPrefix = "fsrp1_"

// FormatReleaseKey gives the text form of a public release key.
func FormatReleaseKey(key ed25519.PublicKey) string {
	return releaseKeyPrefix + base64.RawURLEncoding.EncodeToString(key)
}

// ParseReleaseKey reads what FormatReleaseKey gives.
func ParseReleaseKey(text string) (ed25519.PublicKey, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), releaseKeyPrefix)
	raw, err := base64.RawURLEncoding.DecodeString(rest)
	if !ok || err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, errors.New("release key: want " + releaseKeyPrefix + " and 43 characters, as they were printed when the key was made")
	}
	return raw, nil
}

// CompareVersions compares versions as semantic versions, with or without "v": -1 when a is older than b, 0, or 1. What
// is no semantic version, such as "dev", is older than any release and as old as any other such.
func CompareVersions(a, b string) int { return semver.Compare(semverOf(a), semverOf(b)) }

func semverOf(version string) string {
	if strings.HasPrefix(version, "v") {
		return version
	}
	return "v" + version
}

// Update is what a command of kind CommandUpdate carries.
type Update struct {
	// Release is the signed release, as SignRelease gave it.
	Release []byte `cbor:"1,keyasint"`
	// Programs to be fetched. One of the release that is not named is on the device already.
	Programs []UpdateProgram `cbor:"2,keyasint,omitempty"`
	// Trial in seconds within which the new agent must be in session with the hub. Absent: DefaultTrial.
	Trial uint32 `cbor:"3,keyasint,omitempty"`
	// Downgrade: the release may be older than what runs. Absent: refuse that.
	Downgrade bool `cbor:"4,keyasint,omitempty"`
}

// UpdateProgram says how one program of the release comes to the device.
type UpdateProgram struct {
	// Name is ProgramAgent or ProgramComposer.
	Name string `cbor:"1,keyasint"`
	// Hash of the finished program, as in the release.
	Hash Hash `cbor:"2,keyasint"`
	// Base is the hash of a program on the device, from which parts are patched. Absent: none is.
	Base Hash `cbor:"3,keyasint,omitzero"`
	// Parts follow each other in the program.
	Parts []UpdatePart `cbor:"4,keyasint"`
}

// UpdatePart is one piece of a program: a zstd frame (RFC 8878) in a blob of its own, which travels as other blobs do.
// So neither side ever holds more than one piece, and what was fetched is never fetched again.
type UpdatePart struct {
	// Blob holds the frame; BlobSize is its size in bytes, at most MaxBlob.
	Blob     Hash   `cbor:"1,keyasint"`
	BlobSize uint32 `cbor:"2,keyasint"`
	// Size is what it gives, in bytes, at most MaxProgramPart.
	Size uint32 `cbor:"3,keyasint"`
	// BaseFrom and BaseSize are the bytes of the base that serve as raw dictionary. Absent: none do.
	BaseFrom uint32 `cbor:"4,keyasint,omitempty"`
	BaseSize uint32 `cbor:"5,keyasint,omitempty"`
}

// DefaultTrial is the trial time of an update that names none, and MaxTrial the longest, in seconds.
const (
	DefaultTrial = 300
	MaxTrial     = 24 * 3600
)

// Codes of a CommandResult of an update that failed.
const (
	UpdateRefused  = "update-refused"  // signature, platform, downgrade, or the device cannot
	UpdateFetch    = "update-fetch"    // the programs could not be fetched, or are not what was signed
	UpdateDisk     = "update-disk"     // no room, or the disk failed
	UpdateReverted = "update-reverted" // the new programs ran and did not prove themselves: the old ones are back
)

// ProgramFact says which program a device runs.
type ProgramFact struct {
	Name string `cbor:"1,keyasint" json:"name"`
	// Hash is the beginning of SHA-256 over the program file.
	Hash ShortHash `cbor:"2,keyasint" json:"hash"`
}
