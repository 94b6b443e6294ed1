package protocol

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
)

func TestReleaseIsBelievedByItsSignatureAlone(t *testing.T) {
	key, other := sampleReleaseKey(), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x43}, ed25519.SeedSize))
	trusted := []ed25519.PublicKey{other.Public().(ed25519.PublicKey), key.Public().(ed25519.PublicKey)}
	signed, err := SignRelease(key, sampleRelease())
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenRelease(signed, trusted)
	if err != nil || r.Version != "v1.3.0" || len(r.Programs) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if p, ok := r.For(ProgramComposer, "linux/arm/v7"); !ok || p.Hash != hashFor(0x62) {
		t.Errorf("composer for arm: %+v, %v", p, ok)
	}
	if _, ok := r.For(ProgramAgent, "linux/amd64"); ok {
		t.Error("a program for a platform that the release does not have")
	}
	for i := range signed {
		altered := bytes.Clone(signed)
		altered[i] ^= 1
		if _, err := OpenRelease(altered, trusted); err == nil {
			t.Fatalf("believed with byte %d altered", i)
		}
	}
	if _, err := OpenRelease(signed, trusted[:1]); !errors.Is(err, ErrBadSignature) || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("signed by an unknown key: %v", err)
	}
	if _, err := OpenRelease(signed, nil); !errors.Is(err, ErrBadSignature) {
		t.Errorf("no key is trusted: %v", err)
	}
	if _, err := OpenRelease(make([]byte, MaxRelease+1), trusted); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	// A signature for anything else is none for a release.
	var s signedRelease
	if err := Unmarshal(signed, &s); err != nil {
		t.Fatal(err)
	}
	s.Sig = ed25519.Sign(key, s.Body)
	raw, _ := Marshal(s)
	if _, err := OpenRelease(raw, trusted); !errors.Is(err, ErrBadSignature) {
		t.Errorf("signed without the context: %v", err)
	}
}

func TestReleaseThatIsNoneIsNotSigned(t *testing.T) {
	for name, change := range map[string]func(*Release){
		"version":  func(r *Release) { r.Version = "latest" },
		"none":     func(r *Release) { r.Programs = nil },
		"name":     func(r *Release) { r.Programs[0].Name = "sh" },
		"twice":    func(r *Release) { r.Programs = append(r.Programs, r.Programs[0]) },
		"too much": func(r *Release) { r.Programs[0].Size = MaxProgram + 1 },
		"empty":    func(r *Release) { r.Programs[0].Size = 0 },
	} {
		r := sampleRelease()
		change(&r)
		if _, err := SignRelease(sampleReleaseKey(), r); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func TestReleaseKeyText(t *testing.T) {
	pub := sampleReleaseKey().Public().(ed25519.PublicKey)
	back, err := ParseReleaseKey(FormatReleaseKey(pub) + "\n")
	if err != nil || !back.Equal(pub) {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", "fsrp1_", "fsk1_" + FormatReleaseKey(pub)[6:], FormatReleaseKey(pub) + "A"} {
		if _, err := ParseReleaseKey(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"v1.2.0", "1.2.0", 0},
		{"v1.10.0", "v1.9.9", 1},
		{"v1.3.0-rc.1", "v1.3.0", -1},
		{"dev", "v0.0.1", -1},
		{"1f2e3d4", "dev", 0},
		{"v1.0.0", "unknown", 1},
	} {
		if got := CompareVersions(c.a, c.b); got != c.want {
			t.Errorf("%s against %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
