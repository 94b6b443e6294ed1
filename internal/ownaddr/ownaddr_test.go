package ownaddr

import (
	"net/netip"
	"testing"
)

func TestTheMachinesOwnAddressesAreKnownInEachForm(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"::1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "fd20:ce::254",
		"::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
	} {
		if !Is(netip.MustParseAddr(text)) {
			t.Errorf("%s is taken for another machine's", text)
		}
	}
	for _, text := range []string{"10.0.0.1", "192.168.1.1", "172.16.0.1", "140.82.112.3", "100.64.0.1", "fd12::1", "2606:50c0:8000::64", "64:ff9b::8c52:7003"} {
		if Is(netip.MustParseAddr(text)) {
			t.Errorf("%s is refused", text)
		}
	}
}
