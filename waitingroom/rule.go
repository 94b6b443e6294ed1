package waitingroom

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"github.com/farshore/farshore/protocol"
)

// ErrRule is wrapped by errors about an automatic approval rule.
var ErrRule = errors.New("automatic approval rule")

// Rule names the devices that an enrolment key lets in by itself. Each list that is not empty must have a match; the zero
// rule matches every device. What it looks at, but for the address, are claims.
type Rule struct {
	// Serials and Hostnames are patterns with * and ? and [a-z]; letter case does not matter.
	Serials   []string `cbor:"1,keyasint,omitempty" json:"serials,omitempty"`
	Hostnames []string `cbor:"2,keyasint,omitempty" json:"hostnames,omitempty"`
	// Networks are addresses or CIDR prefixes of the sender as the hub sees it.
	Networks []string `cbor:"3,keyasint,omitempty" json:"networks,omitempty"`
}

// Validate says with ErrRule which pattern or network is not valid.
func (r *Rule) Validate() error {
	for _, p := range append(append([]string(nil), r.Serials...), r.Hostnames...) {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return fmt.Errorf("%w: pattern %.100q: want text with * for any characters, ? for one, [a-z] for one of a range", ErrRule, p)
		}
	}
	for _, n := range r.Networks {
		if _, err := parseNetwork(n); err != nil {
			return fmt.Errorf("%w: network %.100q: want an address or a prefix such as 192.0.2.0/24", ErrRule, n)
		}
	}
	return nil
}

// Matches tells whether a device with these claims, knocking from remote, comes in by the rule. Patterns that are not
// valid match nothing.
func (r *Rule) Matches(facts protocol.Facts, remote netip.Addr) bool {
	return matchesAny(r.Serials, facts.Serial) && matchesAny(r.Hostnames, facts.Hostname) && inAny(r.Networks, remote)
}

func matchesAny(patterns []string, value string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(strings.ToLower(p), strings.ToLower(value)); err == nil && ok && value != "" {
			return true
		}
	}
	return len(patterns) == 0
}

func inAny(networks []string, remote netip.Addr) bool {
	for _, n := range networks {
		if p, err := parseNetwork(n); err == nil && p.Contains(remote.Unmap().WithZone("")) {
			return true
		}
	}
	return len(networks) == 0
}

func parseNetwork(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		return a.Unmap().WithZone("").Prefix(a.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// placeholders are serial numbers that makers leave in many machines alike. They tell nothing apart.
var placeholders = map[string]struct{}{
	"": {}, "0": {}, "1": {}, "none": {}, "n/a": {}, "na": {}, "unknown": {}, "empty": {}, "default string": {},
	"system serial number": {}, "to be filled by o.e.m.": {}, "to be filled by o.e.m": {}, "not specified": {},
	"not applicable": {}, "not available": {}, "serial number": {}, "chassis serial number": {}, "o.e.m.": {},
	"123456789": {}, "0123456789": {}, "00000000": {}, "0000000000000000": {}, "invalid": {}, "standard": {},
}

// Telling reports whether a serial number or machine id can tell one machine from another, which placeholders such as "To
// be filled by O.E.M." cannot.
func Telling(serial string) bool {
	_, bad := placeholders[strings.ToLower(strings.TrimSpace(serial))]
	return !bad && strings.Trim(serial, "0 -.xX") != ""
}
