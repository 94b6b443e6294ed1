package stacks

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/farshore/farshore/protocol"
)

func TestBundleRefusals(t *testing.T) {
	tooMany := map[string][]byte{}
	for i := range protocol.MaxBundleFiles + 1 {
		tooMany[strings.Repeat("a", i/26+1)+string(rune('a'+i%26))] = nil
	}
	huge := make([]byte, protocol.MaxBlob)
	for name, c := range map[string]struct {
		bundle map[string][]byte
		says   string
	}{
		"no files":     {nil, "no files"},
		"too many":     {tooMany, "at most 1024"},
		"leaves":       {map[string][]byte{"../x": nil}, "inside the bundle"},
		"absolute":     {map[string][]byte{"/etc/passwd": nil}, "inside the bundle"},
		"file too big": {map[string][]byte{"data.bin": append(huge, 1)}, "data.bin"},
		"all too big": {
			map[string][]byte{"a": huge, "b": huge, "c": huge, "d": huge, "e": {1}},
			"move large data to an image",
		},
		"file and folder": {map[string][]byte{"conf": nil, "conf/sub/x": nil}, `"conf" is both a file and the folder`},
		"not UTF-8":       {map[string][]byte{"a\xff": nil}, "rename it"},
	} {
		_, err := BundleFiles(c.bundle)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
	}
	if _, err := BundleFiles(map[string][]byte{"a": huge, "b": huge, "c": huge, "d": huge}); err != nil {
		t.Errorf("a bundle of just the limit: %v", err)
	}
}

func TestCheckEnvNeverNamesValues(t *testing.T) {
	for _, env := range []map[string]string{
		{"1X": "hunter2"},
		{"FARSHORE_X": "hunter2"},
		{"X": "hunter2\x00"},
		{"X": "hunter2\xff"},
		{"X": "hunter2" + strings.Repeat("a", MaxEnv)},
	} {
		err := CheckEnv(env)
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("accepted %.20q", env)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error shows a value: %v", err)
		}
	}
	if err := CheckEnv(map[string]string{"_A1": "ü"}); err != nil {
		t.Error(err)
	}
}

func TestDeviceEnvGivesOnlyWhatIsMentioned(t *testing.T) {
	bundle := map[string][]byte{
		"compose.yml": []byte("image: x:${FARSHORE_LABEL_FARSHORE_IO_ARCH}\nname: $FARSHORE_DEVICE_NAME ${FARSHORE_LABEL_LINE:-1}"),
		"readme.md":   []byte("FARSHORE_DEVICE_ID is not used here"),
	}
	got := DeviceEnv("abcdefghijklmnop", Target{Name: "crane 1", Labels: map[string]string{
		"farshore.io/arch": "arm64", "site": "oslo",
	}}, Mentions(bundle))
	want := map[string]string{"FARSHORE_LABEL_FARSHORE_IO_ARCH": "arm64", "FARSHORE_DEVICE_NAME": "crane 1"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whatever state a device is in, a removal ends at removed and an update can end at running.
func TestEveryStateLeadsToRunningAndRemoved(t *testing.T) {
	for from := protocol.StackPending; from <= protocol.StackRolledBack; from++ {
		seen := map[protocol.StackState]bool{}
		queue := []protocol.StackState{from}
		for len(queue) > 0 {
			s := queue[0]
			queue = queue[1:]
			for _, n := range Next(s) {
				if !seen[n] {
					seen[n] = true
					queue = append(queue, n)
				}
			}
		}
		if !seen[protocol.StackRunning] || !seen[protocol.StackRemoved] {
			t.Errorf("from %s: running %v, removed %v", from, seen[protocol.StackRunning], seen[protocol.StackRemoved])
		}
	}
	if Legal(protocol.StackRemoved, protocol.StackRunning) || Legal(0, 0) || !Legal(protocol.StackFailed, protocol.StackFailed) {
		t.Error("the table allows what it must not, or forbids a repeated state")
	}
}
