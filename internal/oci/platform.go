package oci

import (
	"errors"
	"fmt"
	"strings"
)

// MaxEntries is how many images an index may name, and layers a manifest.
const MaxEntries = 512

// ErrNoPlatform is wrapped where an index has nothing for a platform.
var ErrNoPlatform = errors.New("is not made for the platform")

// Platform is what an image runs on, as the OCI image specification writes it.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

// String is as linux/arm/v7.
func (p Platform) String() string {
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

// ReadPlatform reads one such as linux/arm64 or linux/arm/v7.
func ReadPlatform(text string) (Platform, error) {
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return Platform{}, fmt.Errorf("the platform %.60q is not one such as linux/arm64", text)
	}
	p := Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// baseline is the variant of a processor of which none is said.
var baseline = map[string]string{"amd64": "v1", "arm64": "v8", "arm": "v7"}

// normal gives names that mean the same the same form, with the variant said.
func (p Platform) normal() Platform {
	p = Platform{strings.ToLower(p.OS), strings.ToLower(p.Architecture), strings.ToLower(p.Variant)}
	switch p.Architecture {
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "i386", "i486", "i586", "i686", "x86":
		p.Architecture = "386"
	case "aarch64":
		p.Architecture = "arm64"
	case "armhf", "armv7l", "armv7":
		p.Architecture, p.Variant = "arm", "v7"
	case "armel", "armv6l", "armv6":
		p.Architecture, p.Variant = "arm", "v6"
	}
	base := baseline[p.Architecture]
	switch {
	case p.Variant == "":
		p.Variant = base
	case base != "" && p.Variant[0] >= '0' && p.Variant[0] <= '9':
		p.Variant = "v" + p.Variant
	}
	return p
}

// fit says how well what is made for one platform runs on another: 0 for not at all. What was made for an older variant
// of a processor runs on a newer one, and the newest of those runs best.
func fit(made, on Platform) int {
	made, on = made.normal(), on.normal()
	if made.OS != on.OS || made.Architecture != on.Architecture {
		return 0
	}
	switch {
	case made.Variant == on.Variant:
		return 100
	case baseline[on.Architecture] == "" && made.Variant == "":
		return 1
	case baseline[on.Architecture] != "" && level(made.Variant) > 0 && level(made.Variant) < level(on.Variant):
		return level(made.Variant)
	}
	return 0
}

// level of a variant such as v7 or v8.2: 70, 82. 0: it has none.
func level(variant string) int {
	number, ok := strings.CutPrefix(variant, "v")
	whole, part, _ := strings.Cut(number, ".")
	if !ok || len(whole) != 1 || len(part) > 1 || whole < "1" || whole > "9" || part != "" && (part < "0" || part > "9") {
		return 0
	}
	n := int(whole[0]-'0') * 10
	if part != "" {
		n += int(part[0] - '0')
	}
	return n
}

// Choose picks which entry of an index a device gets: the one that fits its platform best, the first of those that fit as well.
// Entries without a platform are nil. The error wraps ErrNoPlatform where there is none.
func Choose(index []*Platform, on Platform) (int, error) {
	best, at := 0, 0
	var there []string
	for i, p := range index {
		if p == nil || p.OS == "unknown" { // what attests to an image is no image
			continue
		}
		if n := fit(*p, on); n > best {
			best, at = n, i
		}
		if len(there) < 8 {
			there = append(there, p.String())
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("it %w %.60s, only for %.200s", ErrNoPlatform, on, strings.Join(there, ", "))
	}
	return at, nil
}
