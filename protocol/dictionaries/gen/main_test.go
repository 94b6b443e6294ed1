package main

import (
	"bytes"
	"os"
	"testing"
)

// TestDictionaryIsFrozen holds the embedded file to its generator: a released dictionary must not change with it.
func TestDictionaryIsFrozen(t *testing.T) {
	want, err := os.ReadFile("../1.bin")
	if err != nil {
		t.Fatal(err)
	}
	got, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the generator makes %d bytes that are not those of dictionaries/1.bin (%d bytes); a better dictionary needs a number of its own", len(got), len(want))
	}
}
