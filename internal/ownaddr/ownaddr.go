// Package ownaddr says which addresses the hub does not connect to where somebody else chose the address: its own
// machine's, those of its link, and those at which clouds tell a machine its secrets; and which are of networks that the
// internet does not reach, where not everybody may send it either.
//
// It resolves nothing, and keeps no state: ask it when a connection is made, with the address that it is made to.
package ownaddr

import (
	"net/netip"
	"slices"
)

// Is reports whether an address is one of those, also where it is written as an IPv6 address that leads to one.
func Is(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if v4, ok := inside(a); ok {
		a = v4
	}
	return a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsMulticast() || a.IsUnspecified() ||
		slices.ContainsFunc(told(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// Private reports whether an address is of a network that the internet does not reach, also where it is written as an IPv6
// address that leads to one. What Is says is not repeated.
func Private(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if v4, ok := inside(a); ok {
		a = v4
	}
	return a.IsPrivate() || slices.ContainsFunc(within(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// within are the blocks beside RFC 1918 and RFC 4193 that are nobody's on the internet (RFC 6890): of carriers, of
// protocols, of benchmarks, reserved, and the site-local ones of old.
func within() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("fec0::/10"),
	}
}

// told are 0.0.0.0/8, which is the machine itself, and where clouds answer beside their link-local addresses.
func told() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("fd20:ce::254/128"),
		netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.0.0.192/32"),
	}
}

// inside gives the IPv4 address that some IPv6 addresses stand for: by NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), and
// the compatible ones of RFC 4291.
func inside(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return a, false
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("64:ff9b:1::/48").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:])), true
	case netip.MustParsePrefix("::/96").Contains(a) && !a.IsLoopback() && !a.IsUnspecified():
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return a, false
}
