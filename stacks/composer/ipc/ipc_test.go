package ipc

import (
	"errors"
	"strings"
	"testing"
)

func TestReadEvents(t *testing.T) {
	steps := 0
	final, err := ReadEvents(strings.NewReader(`noise
{"kind":"step","service":"a","text":"created"}
{"kind":"unheard-of"}
{"kind":"failed","code":"exited","detail":"x"}
`), func(Event) { steps++ })
	if err != nil || final.Code != CodeExited || steps != 1 {
		t.Errorf("got %+v, %v after %d steps", final, err, steps)
	}
	// What a process that was killed leaves: no result, or half a line of it.
	for _, out := range []string{"", `{"kind":"step"}` + "\n" + `{"kind":"done","te`} {
		if final, err := ReadEvents(strings.NewReader(out), nil); !errors.Is(err, ErrNoResult) {
			t.Errorf("%q: got %+v, %v; want ErrNoResult", out, final, err)
		}
	}
	if _, err := ReadEvents(strings.NewReader(strings.Repeat("x", maxLine+1)), nil); err == nil {
		t.Error("a line without end was read whole")
	}
}

func TestTagsOfPinnedImagesAreKept(t *testing.T) {
	hex, other := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	for ref, kept := range map[string]bool{
		"app:sha256-" + hex:                                true,
		"registry.example:5000/plant/app:sha256-" + hex:    true,
		"app:sha256-" + hex + "@sha256:" + other:           true, // an engine may give it the tag as well
		"app:sha256-" + hex + ".sig":                       false,
		"app@sha256:" + hex:                                false,
		"registry.example:5000/plant/app:1@sha256:" + hex:  false,
		"registry.example:5000/sha256-" + hex + "/app:new": false,
	} {
		if IsPinned(ref) != kept {
			t.Errorf("%s: kept is %v", ref, !kept)
		}
	}
}
