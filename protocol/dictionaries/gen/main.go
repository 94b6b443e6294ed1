// Command gen writes built-in dictionary 1: typical compose files and typical snapshots in their wire encoding, so that
// the first snapshot of a device and the first copy of a compose file cost little. Equal builds write equal bytes:
//
//	go run ./protocol/dictionaries/gen protocol/dictionaries/1.bin
//
// It is raw dictionary content for zstd (no entropy tables), at most 16 kB. What is needed most stands at the end, where
// a reference to it is shortest. A dictionary that was released never changes; a better one gets another number. All of
// its text was written for it.
package main

import (
	"fmt"
	"os"

	"github.com/farshore/farshore/protocol"
)

// maxSize is the most bytes of a dictionary.
const maxSize = 16 << 10

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(2)
	}
	b, err := build()
	if err == nil {
		err = os.WriteFile(os.Args[1], b, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d bytes\n", os.Args[1], len(b))
}

// build returns the dictionary.
func build() ([]byte, error) {
	out := []byte(composeFiles)
	for _, s := range snapshots() {
		b, err := protocol.Marshal(s)
		if err != nil {
			return nil, fmt.Errorf("encode a typical snapshot: %w", err)
		}
		out = append(out, b...)
	}
	if len(out) > maxSize {
		return nil, fmt.Errorf("the dictionary has %d bytes, at most %d", len(out), maxSize)
	}
	return out, nil
}
