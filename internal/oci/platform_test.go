package oci_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/farshore/farshore/internal/oci"
)

// Which image of an index a device gets, for hub and agent alike.
func TestChoose(t *testing.T) {
	for _, c := range []struct{ on, index, gets string }{
		{"linux/amd64", "linux/arm64 linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64", "linux/amd64"},
		{"linux/amd64", "linux/x86-64", "linux/x86-64"},
		{"linux/amd64", "linux/amd64/v3 linux/amd64/v1", "linux/amd64/v1"},
		{"linux/amd64/v3", "linux/amd64 linux/amd64/v4 linux/amd64/v2", "linux/amd64/v2"},
		{"linux/amd64", "linux/amd64/v2", ""},
		{"linux/aarch64", "linux/arm64/v8", "linux/arm64/v8"},
		{"linux/arm64", "linux/arm64/v9 linux/arm64/8", "linux/arm64/8"},
		{"linux/arm64/v8", "linux/arm64", "linux/arm64"},
		{"linux/arm64/v9", "linux/arm64 linux/arm64/v8.2", "linux/arm64/v8.2"},
		{"linux/arm64", "linux/arm64/v8.2", ""},
		{"linux/arm", "linux/arm/v6 linux/arm/v7", "linux/arm/v7"},
		{"linux/arm/v7", "linux/arm/v5 linux/arm/v6", "linux/arm/v6"},
		{"linux/arm/v7", "linux/arm", "linux/arm"},
		{"linux/arm/v6", "linux/arm linux/arm/v5 linux/arm/v7", "linux/arm/v5"},
		{"linux/armhf", "linux/armel linux/arm/v7", "linux/arm/v7"},
		{"linux/armel", "linux/arm/v7 linux/arm/v6", "linux/arm/v6"},
		{"linux/arm/v6", "linux/arm/v7", ""},
		{"linux/arm/v7", "linux/arm/hard", ""},
		{"linux/arm64", "linux/arm/v7", ""},
		{"linux/386", "linux/amd64 linux/i686", "linux/i686"},
		{"linux/riscv64", "linux/riscv64", "linux/riscv64"},
		{"linux/riscv64", "linux/riscv64/rva22", ""},
		{"linux/mips64le/hardfloat", "linux/mips64le", "linux/mips64le"},
		{"linux/mips64le/hardfloat", "linux/mips64le/softfloat linux/mips64le/hardfloat", "linux/mips64le/hardfloat"},
		{"linux/amd64", "windows/amd64", ""},
		{"linux/amd64", "unknown/unknown linux/amd64", "linux/amd64"},
		{"Linux/AMD64", "- linux/amd64", "linux/amd64"},
		{"linux/amd64", "-", ""},
		{"linux/amd64", "", ""},
	} {
		names := strings.Fields(c.index)
		var index []*oci.Platform
		for _, name := range names {
			if name == "-" { // an entry without a platform
				index = append(index, nil)
				continue
			}
			p, err := oci.ReadPlatform(name)
			if err != nil {
				t.Fatal(err)
			}
			index = append(index, &p)
		}
		on, err := oci.ReadPlatform(c.on)
		if err != nil {
			t.Fatal(err)
		}
		at, err := oci.Choose(index, on)
		if c.gets == "" {
			if !errors.Is(err, oci.ErrNoPlatform) {
				t.Errorf("%s of %s: %d, %v, want that there is none", c.on, c.index, at, err)
			}
			continue
		}
		if err != nil || names[at] != c.gets {
			t.Errorf("%s of %s: %s, %v, want %s", c.on, c.index, names[at], err, c.gets)
		}
	}
	for _, text := range []string{"", "linux", "linux/", "/arm64", "a/b/c/d"} {
		if p, err := oci.ReadPlatform(text); err == nil {
			t.Errorf("%q is read as %s", text, p)
		}
	}
}
