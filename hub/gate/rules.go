package gate

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// rules are settings in the form in which they are asked.
type rules struct {
	Settings
	people, devices, proxies networks
}

// networks is a list of them. Empty: all.
type networks []netip.Prefix

func (n networks) admit(a netip.Addr) bool { return len(n) == 0 || n.contains(a) }

func (n networks) contains(a netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}

// compile checks settings and fills in the defaults.
func compile(s Settings) (r rules, err error) {
	for _, l := range []struct {
		name string
		from []string
		to   *networks
		text *[]string
	}{{"people", s.People, &r.people, &s.People}, {"devices", s.Devices, &r.devices, &s.Devices}, {"trusted_proxies", s.TrustedProxies, &r.proxies, &s.TrustedProxies}} {
		if *l.to, err = parse(l.name, l.from); err != nil {
			return r, err
		}
		*l.text = nil
		for _, p := range *l.to {
			*l.text = append(*l.text, p.String())
		}
	}
	if s.RequestsPerSecond == 0 {
		s.RequestsPerSecond = DefaultRate
	}
	if s.Burst == 0 {
		s.Burst = max(DefaultBurst, s.RequestsPerSecond)
	}
	if s.RequestsPerSecond > maxRate || s.Burst > maxRate {
		return r, &FieldError{"requests_per_second", fmt.Errorf("limit of requests %w: at most %d", ErrInvalid, maxRate)}
	}
	r.Settings = s
	return r, nil
}

// FieldError says which of the settings an error is about.
type FieldError struct {
	// Field is people, devices, trusted_proxies or requests_per_second.
	Field string
	Err   error
}

// Error implements error.
func (e *FieldError) Error() string { return e.Err.Error() }

// Unwrap gives the error itself.
func (e *FieldError) Unwrap() error { return e.Err }

// parse reads networks and single addresses. IPv4 in the form of IPv6 becomes IPv4.
func parse(name string, list []string) (out networks, err error) {
	if len(list) > maxList {
		return nil, &FieldError{name, fmt.Errorf("list %s %w: %d networks, at most %d", name, ErrInvalid, len(list), maxList)}
	}
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil {
				p = netip.PrefixFrom(a.WithZone(""), a.BitLen())
			}
		}
		if err != nil {
			return nil, &FieldError{name, fmt.Errorf("network %.60q %w: want such as 192.0.2.0/24, 2001:db8::/32 or a single address", text, ErrInvalid)}
		}
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		if p = p.Masked(); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// addrOf is the address of a connection's other end: IPv4 as such, without a zone. The zero value: there is none.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		addr, _ := netip.AddrFromSlice(t.IP)
		return addr.Unmap()
	}
	if a == nil {
		return netip.Addr{}
	}
	return addrIn(a.String())
}

// addrIn reads an address with or without a port.
func addrIn(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, _ := netip.ParseAddr(text) // what is none is the zero value
	return a.Unmap().WithZone("")
}
