package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// composeFile is a bundle's main file of about 4 kB, as people write them.
func composeFile() string {
	var b strings.Builder
	b.WriteString("name: line7\nservices:\n")
	names := []string{"broker", "historian", "gateway", "opcua", "dashboard", "alarms", "camera", "modbus", "uplink"}
	for i, n := range names {
		fmt.Fprintf(&b, `  %s:
    image: registry.plant.example/%s:1.%d.%d
    restart: unless-stopped
    environment:
      LOG_LEVEL: info
      SITE: ${FARSHORE_LABEL_SITE:-unknown}
      %s_PORT: "%d"
    ports:
      - "%d:%d"
    volumes:
      - %s-data:/var/lib/%s
    healthcheck:
      test: ["CMD", "/usr/bin/check", "--port", "%d"]
      interval: %ds
      timeout: 5s
      retries: 3
`, n, n, i, i*7%10, strings.ToUpper(n), 8000+i*13, 8000+i*13, 80+i, n, n, 80+i, 10+i*5)
	}
	b.WriteString("volumes:\n")
	for _, n := range names {
		fmt.Fprintf(&b, "  %s-data: {}\n", n)
	}
	return b.String()
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	text := []byte(composeFile())
	large := random(3 << 20)
	changed := bytes.Clone(large)
	changed[2<<20] ^= 1
	full := random(8 << 20)
	for name, c := range map[string]struct{ blob, base []byte }{
		"empty": {}, "empty from base": {nil, text}, "1": {random(1), nil}, "255": {random(255), nil},
		"256": {random(256), nil}, "stored": {random(StoreBelow - 1), nil}, "packed": {random(StoreBelow), nil},
		"text": {text, nil}, "unrelated": {random(900), text}, "tiny base": {text, []byte("x")},
		"large": {changed, large}, "largest": {full, full[1:]},
	} {
		p, err := Pack(c.blob, c.base)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := Unpack(p, c.base, len(c.blob))
		if err != nil || !bytes.Equal(got, c.blob) {
			t.Errorf("%s: %d bytes back of %d, error %v", name, len(got), len(c.blob), err)
		}
		again, _ := Pack(c.blob, c.base)
		if !bytes.Equal(p, again) {
			t.Errorf("%s: packing twice gives two results; a transfer could not be resumed", name)
		}
		if len(c.blob) > 0 {
			if _, err := Unpack(p, c.base, len(c.blob)-1); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: beyond the limit: %v", name, err)
			}
		}
	}
	if p, _ := Pack(changed, large); len(p) > 1000 {
		t.Errorf("one changed byte of 3 MB costs %d B", len(p))
	}
}

func TestOneLineChangeIsSmall(t *testing.T) {
	old := composeFile()
	for name, next := range map[string]string{
		"value": strings.Replace(old, "LOG_LEVEL: info", "LOG_LEVEL: debug", 1),
		"image": strings.Replace(old, "camera:1.6.2", "camera:1.7.0", 1),
		"line":  strings.Replace(old, "    restart: unless-stopped\n", "    restart: unless-stopped\n    read_only: true\n", 1),
	} {
		if next == old {
			t.Fatalf("%s: nothing was changed", name)
		}
		p, err := Pack([]byte(next), []byte(old))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d B of %d B", name, len(p), len(next))
		if len(p) > 100 {
			t.Errorf("%s: a one-line change of a %d B file costs %d B, want at most 100", name, len(next), len(p))
		}
	}
}

func TestWrongBaseIsNoticed(t *testing.T) {
	old := []byte(composeFile())
	p, err := Pack(bytes.Replace(old, []byte("info"), []byte("debug"), 3), old)
	if err != nil {
		t.Fatal(err)
	}
	for name, base := range map[string][]byte{"none": nil, "other": old[1:]} {
		if _, err := Unpack(p, base, 1<<20); !errors.Is(err, ErrDamaged) {
			t.Errorf("base %s: %v", name, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	base := []byte(composeFile())
	for _, blob := range [][]byte{nil, base[:100], base} {
		p, _ := Pack(blob, nil)
		f.Add(p)
		p, _ = Pack(blob, base)
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, b := range [][]byte{nil, base} {
			if got, err := Unpack(p, b, 1<<16); err == nil && len(got) > 1<<16 {
				t.Errorf("%d bytes beyond the limit", len(got))
			}
		}
	})
}
