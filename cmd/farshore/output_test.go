package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// What a device says of itself must not reach the terminal as it is, in any form of output.
func TestDevicesCannotMoveTheCursor(t *testing.T) {
	const evil = "evil\x1b[2J\nroot\u202e\u009b1m\x7f\U000e0001"
	for _, format := range []string{formatTable, formatJSON, formatYAML} {
		var out bytes.Buffer
		a := &app{out: &out, format: format}
		if err := a.print(map[string]string{"name": evil}, func() *table { return &table{rows: [][]string{{evil, "ok"}}} }); err != nil {
			t.Fatal(err)
		}
		if s := out.String(); strings.ContainsAny(s, "\x1b\u202e\u009b\x7f\U000e0001") || !strings.Contains(s, "evil") {
			t.Errorf("%s: %q", format, s)
		}
		var back map[string]string
		if format == formatJSON && (json.Unmarshal(out.Bytes(), &back) != nil || back["name"] != evil) {
			t.Errorf("JSON gives back %q", back["name"])
		}
		if format == formatYAML && (yaml.Unmarshal(out.Bytes(), &back) != nil || back["name"] != evil) {
			t.Errorf("YAML gives back %q", back["name"])
		}
		if format == formatTable && out.String() != `evil\x1b[2J\nroot\u202e\u009b1m\x7f\U000e0001  ok`+"\n" {
			t.Errorf("table %q", out.String())
		}
	}
	if s := plainLines("a\x1b[1;31mred\x1b[0m\nb\r\nc\rd\x1b]0;title\a\te"); s != "ared\nb\nc\\rd\\x1b]0;title\\a\te" {
		t.Errorf("log %q", s)
	}
}

func TestYAMLKeepsNamesOrderAndTypes(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out, format: formatYAML}
	err := a.print(struct {
		Zulu  string `json:"zulu_name"`
		Alpha int64  `json:"alpha"`
		Yes   string `json:"yes"`
	}{"x", 1_700_000_000_000_001, "true"}, nil)
	if want := "zulu_name: x\nalpha: 1700000000000001\nyes: \"true\"\n"; err != nil || out.String() != want {
		t.Errorf("%v, got %q, want %q", err, out.String(), want)
	}
}

func TestBundles(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, size int) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one/My Stack.yaml", 10)
	files, err := readBundle(filepath.Join(dir, "one/My Stack.yaml"))
	if err != nil || len(files) != 1 || files["compose.yml"] == nil {
		t.Errorf("a file by another name: %v, %v", files, err)
	}
	put("big/compose.yml", 10)
	put("big/data.bin", protocol.MaxBlob+1)
	if _, err := readBundle(filepath.Join(dir, "big")); err == nil || !strings.Contains(err.Error(), "data.bin") {
		t.Errorf("a file that is too large: %v", err)
	}
	put("link/compose.yml", 10)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link/x")); err != nil {
		t.Fatal(err)
	}
	if _, err := readBundle(filepath.Join(dir, "link")); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("a link out of the folder: %v", err)
	}
	put("empty/.git/x", 1)
	if _, err := readBundle(filepath.Join(dir, "empty")); err == nil || !strings.Contains(err.Error(), "compose.yml") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 720 * time.Hour, "90s": 90 * time.Second, "1h30m": 90 * time.Minute} {
		if got, err := duration(text); err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "30", "99999999d"} {
		if got, err := duration(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

func TestUnusableKeysStandOut(t *testing.T) {
	show := func(keys ...resource.Key) string {
		t.Helper()
		var out bytes.Buffer
		if err := keyTable(keys).write(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	good, bad := resource.Key{Name: "good"}, resource.Key{Name: "bad", Unusable: "secrets.key was lost"}
	if s := show(good); strings.Contains(s, "UNUSABLE") {
		t.Errorf("all can be used:\n%s", s)
	}
	if s := show(good, bad); !strings.Contains(s, "UNUSABLE") || strings.Count(s, bad.Unusable) != 1 {
		t.Errorf("one cannot be used:\n%s", s)
	}
}

func TestAStackThatIsRemovedHasNoVersion(t *testing.T) {
	for want, s := range map[string]resource.DeviceStack{
		"removing awaiting-contact the device has not said yet": {State: "removing", Code: "awaiting-contact", Detail: "the device has not said yet"},
		"running, version 3": {State: "running", Version: 3},
	} {
		if got := stackOnDevice(s); got != want {
			t.Errorf("devices show says %q, want %q", got, want)
		}
	}
}
