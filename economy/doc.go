// Package economy is the vocabulary of what a link may carry: billing cycles, stages of spending, times of contact,
// and what being in contact costs. It is pure: the same arithmetic holds on the hub, which says what will be, and on the
// device, which keeps to it.
//
// All amounts are bytes on the wire, IP headers included, both directions together, unless said otherwise. All functions
// are safe for concurrent use.
package economy
