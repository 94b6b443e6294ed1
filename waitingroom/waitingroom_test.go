package waitingroom

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
)

func testKey() EdgeKey {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	return EdgeKey{
		HTTPS: "https://hub.example:9443", MQTT: "mqtts://hub.example:8883",
		HubKey: ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey),
		KeyID:  "k7d2m4qa", Secret: []byte("0123456789abcdef"), Name: "pump 4",
	}
}

func encode(t *testing.T, k EdgeKey) string {
	t.Helper()
	s, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// golden is the text of testKey as version 1 makes it, and frozenCode the pairing code of its hub key. Both stay for ever.
const (
	golden = "fsk1_pgF4GGh0dHBzOi8vaHViLmV4YW1wbGU6OTQ0MwJ4GG1xdHRzOi8vaHViLmV4YW1wbGU6ODg4MwRYIOpKbGPinFIKvvVQexMuxfmV" +
		"R3auvr57kkIe6mkURtIsBWhrN2QybTRxYQZQMDEyMzQ1Njc4OWFiY2RlZgdmcHVtcCA07YaOug"
	frozenCode = "9B4W-ZXRD"
)

func TestEdgeKeyFormIsFrozen(t *testing.T) {
	if got := encode(t, testKey()); got != golden {
		t.Fatalf("got %s, was %s", got, golden)
	}
	if _, err := Parse(golden); err != nil {
		t.Fatal(err)
	}
}

func TestEdgeKeySurvivesMailPrograms(t *testing.T) {
	k := testKey()
	s := encode(t, k)
	got, err := Parse("  " + s[:40] + "\r\n   " + s[40:] + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(k) || !bytes.Equal(got.Secret, k.Secret) || !got.HubKey.Equal(k.HubKey) ||
		got.MQTT != k.MQTT || got.Name != k.Name {
		t.Fatalf("got %+v, want %+v", got, k)
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	s := encode(t, testKey())
	for n := 1; n < len(s); n++ {
		if _, err := Parse(s[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("first %d of %d characters: %v, want ErrTruncated", n, len(s), err)
		}
	}
}

func TestEveryAlterationIsRefused(t *testing.T) {
	s := encode(t, testKey())
	for i := len(keyPrefix); i < len(s); i++ {
		c := byte('A')
		if s[i] == 'A' {
			c = 'B'
		}
		altered := s[:i] + string(c) + s[i+1:]
		if k, err := Parse(altered); err == nil && encode(t, k) != s {
			t.Fatalf("character %d altered: accepted as another key", i)
		} else if err != nil && !errors.Is(err, ErrAltered) && !errors.Is(err, ErrTruncated) {
			t.Fatalf("character %d altered: %v", i, err)
		}
	}
	if _, err := Parse(s[:60] + "!" + s[61:]); !errors.Is(err, ErrAltered) {
		t.Errorf("foreign character: %v", err)
	}
	if _, err := Parse(s + "AAAA"); !errors.Is(err, ErrAltered) {
		t.Errorf("more at the end: %v", err)
	}
}

func TestOtherTextsAreToldApart(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
		says string
	}{
		{"", ErrNotEdgeKey, "empty"},
		{"hello", ErrNotEdgeKey, "fsk1_"},
		{"fst_AAAA", ErrNotEdgeKey, "API token"},
		{"fsk2_AAAA", ErrNewerKey, "update"},
		{"fskx_AAAA", ErrNotEdgeKey, "fsk1_"},
		{strings.Repeat("a", maxEdgeKey+1), ErrNotEdgeKey, "characters"},
	} {
		_, err := Parse(c.text)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.20q: %v, want %v that says %q", c.text, err, c.want, c.says)
		}
	}
}

func TestIncompleteKeysAreNotMade(t *testing.T) {
	for name, spoil := range map[string]func(*EdgeKey){
		"http":       func(k *EdgeKey) { k.HTTPS = "http://hub.example" },
		"no host":    func(k *EdgeKey) { k.HTTPS = "https://:9443" },
		"mqtt":       func(k *EdgeKey) { k.MQTT = "mqtt://hub.example" },
		"user":       func(k *EdgeKey) { k.HTTPS = "https://me@hub.example" },
		"hub key":    func(k *EdgeKey) { k.HubKey = k.HubKey[:31] },
		"key id":     func(k *EdgeKey) { k.KeyID = "" },
		"secret":     func(k *EdgeKey) { k.Secret = k.Secret[:15] },
		"name":       func(k *EdgeKey) { k.Name = strings.Repeat("n", protocol.MaxName+1) },
		"tunnel":     func(k *EdgeKey) { k.Tunnel = "ssh://hub.example" },
		"empty host": func(k *EdgeKey) { k.HTTPS = "" },
	} {
		k := testKey()
		spoil(&k)
		if _, err := k.Encode(); !errors.Is(err, ErrInvalidEdgeKey) {
			t.Errorf("%s: %v, want ErrInvalidEdgeKey", name, err)
		}
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	k := testKey()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", k)
	js, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %s %s", k, k, k, &k, log.String(), js)
	if strings.Contains(shown, "0123456789abcdef") || strings.Contains(shown, "MDEyMzQ1Njc4OWFiY2RlZg") {
		t.Fatalf("the secret is in %s", shown)
	}
}

func TestPairingCodeIsFrozen(t *testing.T) {
	if got := PairingCode(testKey().HubKey); got != frozenCode {
		t.Fatalf("pairing code is %s, was %s: devices in the field would show another code than the hub", got, frozenCode)
	}
}

func TestCodesAsPeopleTypeThem(t *testing.T) {
	for _, s := range []string{"7ZK4-M0Q1", "7zk4m0q1", " 7ZK4 MOQI ", "7zk4-moql", "7 z k 4 m 0 q 1"} {
		if got, err := NormalizeCode(s); err != nil || got != "7ZK4-M0Q1" {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "7ZK4", "7ZK4-M0QU", "7ZK4-M0Q1-0", "7ZK4-M0Q/"} {
		if got, err := NormalizeCode(s); !errors.Is(err, ErrPairingCode) {
			t.Errorf("%q: %q, %v, want ErrPairingCode", s, got, err)
		}
	}
}

func TestProofIsGoodForOneConnectionAndDevice(t *testing.T) {
	k := testKey()
	exporter, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	proof := ConnectionProof(k.Secret, exporter, k.HubKey)
	if !VerifyProof(proof, k.Secret, exporter, k.HubKey) {
		t.Fatal("own proof refused")
	}
	pub2, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if VerifyProof(proof, k.Secret, other, k.HubKey) || VerifyProof(proof, k.Secret, exporter, pub2) ||
		VerifyProof(proof, []byte("another secret!!"), exporter, k.HubKey) || VerifyProof(nil, k.Secret, exporter, k.HubKey) {
		t.Fatal("proof accepted elsewhere")
	}
}

func TestRules(t *testing.T) {
	facts := protocol.Facts{Serial: "RVN-0042", Hostname: "gw-oslo-1"}
	from := netip.MustParseAddr("::ffff:192.0.2.7")
	for _, c := range []struct {
		name string
		rule Rule
		want bool
	}{
		{"zero rule", Rule{}, true},
		{"serial", Rule{Serials: []string{"xx", "rvn-*"}}, true},
		{"other serial", Rule{Serials: []string{"rvn-1*"}}, false},
		{"host and network", Rule{Hostnames: []string{"gw-*"}, Networks: []string{"192.0.2.0/24"}}, true},
		{"host but not network", Rule{Hostnames: []string{"gw-*"}, Networks: []string{"198.51.100.0/24"}}, false},
		{"address", Rule{Networks: []string{"192.0.2.7"}}, true},
	} {
		if err := c.rule.Validate(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := c.rule.Matches(facts, from); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	all := Rule{Serials: []string{"*"}}
	if all.Matches(protocol.Facts{}, from) {
		t.Error("a device without a serial matched a pattern of serials")
	}
	for _, r := range []Rule{{Serials: []string{"[a"}}, {Networks: []string{"192.0.2.0/40"}}, {Hostnames: []string{""}}} {
		if err := r.Validate(); !errors.Is(err, ErrRule) {
			t.Errorf("%+v: %v, want ErrRule", r, err)
		}
	}
}

func TestTellingSerials(t *testing.T) {
	for serial, want := range map[string]bool{
		"RVN-0042": true, "10000000abcdef01": true, "To Be Filled By O.E.M.": false, "": false, "0000-0000": false, " None ": false,
	} {
		if got := Telling(serial); got != want {
			t.Errorf("Telling(%q) = %v", serial, got)
		}
	}
}

func TestKeyRefusal(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		key  EnrolmentKey
		want protocol.Code
	}{
		{EnrolmentKey{}, 0},
		{EnrolmentKey{Uses: 2, Used: 1, Expires: now.Unix() + 1}, 0},
		{EnrolmentKey{Uses: 2, Used: 2}, protocol.CodeKeyUsed},
		{EnrolmentKey{Expires: now.Unix()}, protocol.CodeKeyExpired},
	} {
		err := c.key.Refusal(now)
		if (err == nil) != (c.want == 0) || (err != nil && protocol.CodeOf(err) != c.want) {
			t.Errorf("%+v: %v, want code %v", c.key, err, c.want)
		}
	}
}

func BenchmarkPairingCode(b *testing.B) {
	pub := testKey().HubKey
	for b.Loop() {
		PairingCode(pub)
	}
}
