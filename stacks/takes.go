package stacks

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Take is something of a device that only one can have, and that a service takes: host ports or the name of a container.
type Take struct {
	// Service is the compose service that takes it.
	Service string `cbor:"1,keyasint"`
	// Container is the fixed name of a container. "": it takes ports.
	Container string `cbor:"2,keyasint,omitempty"`
	// Port is the first host port, Last the last. 0 as Last: it is one.
	Port uint16 `cbor:"3,keyasint,omitempty"`
	Last uint16 `cbor:"4,keyasint,omitempty"`
	// Protocol is tcp, udp or sctp.
	Protocol string `cbor:"5,keyasint,omitempty"`
	// Address of the host. "", 0.0.0.0 and :: are all of its addresses.
	Address string `cbor:"6,keyasint,omitempty"`
}

// String says it to people: "host port 8080/tcp", "host ports 127.0.0.1:8000-8003/udp", "container name web".
func (t Take) String() string {
	if t.Container != "" {
		return "container name " + t.Container
	}
	word, ports := "host port ", strconv.Itoa(int(t.Port))
	if t.last() > t.Port {
		word, ports = "host ports ", fmt.Sprintf("%d-%d", t.Port, t.Last)
	}
	if !t.everywhere() {
		address := t.Address
		if strings.Contains(address, ":") {
			address = "[" + address + "]"
		}
		ports = address + ":" + ports
	}
	return word + ports + "/" + t.Protocol
}

// Clash finds something that both a and b take, as a takes it and no more of it than both do.
func Clash(a, b []Take) (Take, bool) {
	for _, x := range a {
		for _, y := range b {
			if both, clash := x.and(y); clash {
				return both, true
			}
		}
	}
	return Take{}, false
}

// and is what both take.
func (t Take) and(o Take) (Take, bool) {
	if t.Container != "" || o.Container != "" {
		return t, t.Container == o.Container
	}
	if t.Protocol != o.Protocol || t.Address != o.Address && !t.everywhere() && !o.everywhere() {
		return Take{}, false
	}
	first, last := max(t.Port, o.Port), min(t.last(), o.last())
	if first > last {
		return Take{}, false
	}
	if t.everywhere() {
		t.Address = o.Address
	}
	t.Port, t.Last = first, 0
	if last > first {
		t.Last = last
	}
	return t, true
}

func (t Take) last() uint16 { return max(t.Port, t.Last) }

func (t Take) everywhere() bool {
	address, err := netip.ParseAddr(t.Address)
	return t.Address == "" || err == nil && address.IsUnspecified()
}
