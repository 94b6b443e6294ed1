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
