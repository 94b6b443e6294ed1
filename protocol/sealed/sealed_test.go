package sealed_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/box"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/sealed"
)

var update = flag.Bool("update", false, "write golden files that do not exist yet")

const context = "stack 7 secrets"

func device(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func hub() *sealed.Sealer { return sealed.NewSealer(bytes.Repeat([]byte{9}, 32)) }

func seal(t *testing.T, s *sealed.Sealer, to ed25519.PrivateKey, context, plain string) []byte {
	t.Helper()
	b, err := s.Seal(public(to), context, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOnlyTheDeviceOpensItAndOnlyForItsPurpose(t *testing.T) {
	for _, plain := range []string{"", "x", "correct horse battery staple", strings.Repeat("long", 4096)} {
		b := seal(t, hub(), device(1), context, plain)
		if len(b) != len(plain)+sealed.Overhead {
			t.Errorf("%d bytes sealed are %d, want %d", len(plain), len(b), len(plain)+sealed.Overhead)
		}
		if plain != "" && len(plain) > 1 && bytes.Contains(b, []byte(plain)) {
			t.Error("the plain text is in the sealed one")
		}
		got, err := sealed.Open(device(1), context, b)
		if err != nil || string(got) != plain {
			t.Errorf("opened %.20q, %v; want %.20q", got, err, plain)
		}
		if _, err := sealed.Open(device(2), context, b); !errors.Is(err, sealed.ErrSealed) {
			t.Errorf("another device's key: %v", err)
		}
		if _, err := sealed.Open(device(1), "stack 7 access", b); !errors.Is(err, sealed.ErrSealed) {
			t.Errorf("another purpose: %v", err)
		}
	}
}

func TestWhatWasAlteredOrCutIsRefused(t *testing.T) {
	b := seal(t, hub(), device(1), context, "a secret")
	for n := range b {
		if _, err := sealed.Open(device(1), context, b[:n]); !errors.Is(err, sealed.ErrSealed) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
		for bit := range 8 {
			flipped := bytes.Clone(b)
			flipped[n] ^= 1 << bit
			if got, err := sealed.Open(device(1), context, flipped); !errors.Is(err, sealed.ErrSealed) {
				// X25519 ignores the top bit of a point; the nonce does not.
				t.Fatalf("bit %d of byte %d flipped: %q, %v", bit, n, got, err)
			}
		}
	}
	if _, err := sealed.Open(device(1), context, append(b, 0)); !errors.Is(err, sealed.ErrSealed) {
		t.Errorf("a byte more: %v", err)
	}
}

// TestEqualTextsAreEqualWhenSealed: an entry that did not change must not be sent again; all else must differ.
func TestEqualTextsAreEqualWhenSealed(t *testing.T) {
	b := seal(t, hub(), device(1), context, "one")
	if !bytes.Equal(b, seal(t, hub(), device(1), context, "one")) {
		t.Error("the same was sealed differently")
	}
	others := map[string][]byte{
		"another text":    seal(t, hub(), device(1), context, "two"),
		"another context": seal(t, hub(), device(1), "stack 8 secrets", "one"),
		"another device":  seal(t, hub(), device(2), context, "one"),
		"another hub":     seal(t, sealed.NewSealer(bytes.Repeat([]byte{8}, 32)), device(1), context, "one"),
	}
	for what, other := range others {
		if bytes.Equal(b[1:33], other[1:33]) {
			t.Errorf("%s has the same ephemeral key: texts sealed with it can be compared", what)
		}
	}
}

func TestPointsOfLowOrderAreRefused(t *testing.T) {
	for _, point := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"0200000000000000000000000000000000000000000000000000000000000000", // on no curve
		"",
	} {
		key, _ := hex.DecodeString(point)
		if _, err := hub().Seal(key, context, []byte("x")); !errors.Is(err, sealed.ErrKey) {
			t.Errorf("sealed to %q: %v", point, err)
		}
	}
	if _, err := sealed.Open(ed25519.PrivateKey{1, 2}, context, seal(t, hub(), device(1), context, "x")); !errors.Is(err, sealed.ErrKey) {
		t.Error("a short private key was taken")
	}
	// With the point 0 both sides share a secret that everybody knows.
	var zero [32]byte
	b := append([]byte{1}, box.SealAfterPrecomputation(zero[:], make([]byte, 32), new([24]byte), new([32]byte))...)
	if _, err := sealed.Open(device(1), context, b); !errors.Is(err, sealed.ErrSealed) {
		t.Errorf("a box of nobody: %v", err)
	}
}

func TestTheTwoHalvesOfAKeyFitTogether(t *testing.T) {
	for seed := range byte(20) {
		b := seal(t, hub(), device(seed), context, "fits")
		if got, err := sealed.Open(device(seed), context, b); err != nil || string(got) != "fits" {
			t.Fatalf("seed %d: %q, %v", seed, got, err)
		}
	}
}

func TestEntriesKeepTheirSecretsApart(t *testing.T) {
	entry := protocol.Entry{EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: 7}}
	s, key := hub(), device(1)
	var err error
	if entry.Sealed, err = s.Secrets(public(key), entry.EntryKey, protocol.Secrets{Env: map[string]string{"TOKEN": "t0k"}}); err != nil {
		t.Fatal(err)
	}
	if entry.Access, err = s.Access(public(key), entry.EntryKey, protocol.RegistryAccess{
		Registries: []protocol.RegistryAuth{{Registry: "registry.example.com", User: "u", Password: "p"}},
	}); err != nil {
		t.Fatal(err)
	}
	secrets, err := sealed.OpenSecrets(key, &entry)
	if err != nil || secrets.Env["TOKEN"] != "t0k" {
		t.Errorf("secrets %v, %v", secrets, err)
	}
	access, err := sealed.OpenAccess(key, &entry)
	if err != nil || len(access.Registries) != 1 || access.Registries[0].Password != "p" {
		t.Errorf("access %v, %v", access, err)
	}

	swapped := entry
	swapped.Sealed, swapped.Access = entry.Access, entry.Sealed
	if _, err := sealed.OpenSecrets(key, &swapped); !errors.Is(err, sealed.ErrSealed) {
		t.Errorf("access taken for secrets: %v", err)
	}
	elsewhere := entry
	elsewhere.ID = 8
	if _, err := sealed.OpenSecrets(key, &elsewhere); !errors.Is(err, sealed.ErrSealed) {
		t.Errorf("secrets of another stack: %v", err)
	}

	if b, err := s.Secrets(public(key), entry.EntryKey, protocol.Secrets{}); b != nil || err != nil {
		t.Errorf("no secrets are sealed as %x, %v", b, err)
	}
	if got, err := sealed.OpenSecrets(key, &protocol.Entry{}); err != nil || got.Env != nil {
		t.Errorf("an entry without secrets: %v, %v", got, err)
	}
}

// TestGolden holds that what was sealed by an earlier hub is opened, and that sealing it again changes nothing.
func TestGolden(t *testing.T) {
	file := filepath.Join("testdata", "v1.hex")
	b := seal(t, hub(), device(1), context, "golden secret")
	if *update {
		if err := os.WriteFile(file, []byte(hex.EncodeToString(b)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("sealed\n%x, was\n%x: every device would be sent its secrets again", b, want)
	}
	if got, err := sealed.Open(device(1), context, want); err != nil || string(got) != "golden secret" {
		t.Errorf("opened %q, %v", got, err)
	}
}
