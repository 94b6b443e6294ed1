// Package wirelab gives tests a device's side and a hub's side with a wire between them on which every IP packet is
// seen: two network namespaces, a TUN device in each, and a relay that passes packets from one to the other, counts
// them with their headers, and delays, loses, slows or stops them as a test wishes.
//
// It owns the namespaces, the TUN devices and the relay. They have no name on the machine and end with the test, however
// it ends; no interface, route or rule of the machine is touched. It knows nothing of the product: it sees packets, TCP
// connections and the sizes of TLS records. It needs Linux and root; elsewhere tests that ask for it are skipped.
//
// The relay has two goroutines for each direction, which New's test ends. All methods may be used from several goroutines.
package wirelab
