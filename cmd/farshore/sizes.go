package main

import (
	"fmt"
	"strconv"
	"strings"
)

// bytesFlag is a number of bytes as people write it: 5MB, 200kB, 1.5GB, decimal, in capitals or not, or 5000000.
type bytesFlag uint64

// Set implements pflag.Value.
func (b *bytesFlag) Set(text string) error {
	n, err := parseSize(text)
	*b = bytesFlag(n)
	return err
}

// String implements pflag.Value.
func (b *bytesFlag) String() string {
	if *b == 0 {
		return ""
	}
	return size(uint64(*b))
}

// Type implements pflag.Value.
func (b *bytesFlag) Type() string { return "SIZE" }

// parseSize reads a number of bytes, exactly.
func parseSize(text string) (uint64, error) {
	wrong := fmt.Errorf("size %.40q: want whole bytes such as 200kB, 5MB, 1.5GB or 5000000; units are decimal: B, kB, MB, GB, TB", text)
	number, zeros := strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(text)), "B"), 0
	for i, unit := range []string{"K", "M", "G", "T"} {
		if n, ok := strings.CutSuffix(number, unit); ok {
			number, zeros = n, 3*(i+1)
			break
		}
	}
	whole, part, point := strings.Cut(strings.TrimSpace(number), ".")
	digits := strings.Trim(whole+part, "0123456789") == "" && whole != "" && (part != "") == point
	if !digits || len(part) > zeros {
		return 0, wrong
	}
	n, err := strconv.ParseUint(whole+part+strings.Repeat("0", zeros-len(part)), 10, 63)
	if err != nil {
		return 0, wrong
	}
	return n, nil
}
