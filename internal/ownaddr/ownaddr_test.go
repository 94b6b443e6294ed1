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

func TestPrivateNetworksAreKnownInEachForm(t *testing.T) {
	for _, text := range []string{
		"10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "192.0.0.8", "198.19.0.1", "255.255.255.255", "fd12::1", "fc00::1", "fec0::1",
		"::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::a00:1", "2002:a00:1::",
	} {
		if !Private(netip.MustParseAddr(text)) {
			t.Errorf("%s is taken for one of the internet", text)
		}
	}
	for _, text := range []string{"140.82.112.3", "172.32.0.1", "100.128.0.1", "2606:50c0:8000::64", "64:ff9b::8c52:7003"} {
		if Private(netip.MustParseAddr(text)) {
			t.Errorf("%s is taken for a private one", text)
		}
	}
}
