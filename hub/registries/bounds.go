package registries

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/farshore/farshore/internal/ownaddr"
)

// Addresses that are not asked.
var (
	errLocal   = errors.New("is of the hub's own machine or link")
	errPrivate = errors.New("is of a private network")
)

func reaches(a netip.Addr) error {
	if ownaddr.Is(a) {
		return fmt.Errorf("%s %w", a, errLocal)
	}
	return nil
}

// bounds are where one look at a registry may connect to. Each address is checked as it was resolved, just before it is
// connected to: neither what a name resolves to the next time nor what a registry answers leads past it.
type bounds struct {
	reaches func(netip.Addr) error
	// outside: private networks are not for this look, since the registry is not in the book, or is on the internet.
	outside atomic.Bool
}

func (b *bounds) check(a netip.Addr) error {
	if err := b.reaches(a); err != nil {
		return err
	}
	if b.outside.Load() && ownaddr.Private(a) {
		return fmt.Errorf("%s %w", a, errPrivate)
	}
	return nil
}

// met notes where a connection leads.
func (b *bounds) met(a net.Addr) {
	if tcp, ok := a.(*net.TCPAddr); ok && !ownaddr.Private(tcp.AddrPort().Addr()) {
		b.outside.Store(true)
	}
}
