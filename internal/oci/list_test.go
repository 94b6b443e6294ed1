package oci_test

import (
	"strings"
	"testing"

	"github.com/farshore/farshore/internal/oci"
)

func TestListIsReadToItsBound(t *testing.T) {
	for text, want := range map[string]int{`[]`: 0, `[1,2,3]`: 3} {
		if got, err := oci.List[int]([]byte(text), 3); err != nil || got == nil || len(got) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := oci.List[int]([]byte(`null`), 3); err != nil || got != nil {
		t.Errorf("null: %v, %v", got, err)
	}
	for text, says := range map[string]string{`[1,2,3,4]`: "more than 3", `{}`: "is none", `["a"]`: "string", `[1,`: "EOF"} {
		if got, err := oci.List[int]([]byte(text), 3); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
