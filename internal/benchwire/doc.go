// Package benchwire measures what the protocol costs, on the wire and in memory, and writes it beside the targets into
// docs/bench/data.md. `make bench` runs it; it is all tests, behind the build tag "bench", and needs Linux and root.
//
// It owns a laboratory of two network namespaces joined by one virtual cable, with a counter of IP packets on it. The
// real hub listens in one, real agents dial from the other: what is counted is what a network operator would count.
// It never touches an interface of the machine, and leaves nothing behind: the namespaces have no name and end with
// the process. It bends no measurement: where a day is reckoned from minutes, both are shown.
//
// Its tests run one after another. The counter has one goroutine; everything else belongs to the test.
package benchwire
