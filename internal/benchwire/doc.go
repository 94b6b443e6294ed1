// Package benchwire measures what the protocol costs, on the wire and in memory, and writes it beside the targets into
// docs/bench/data.md. `make bench` runs it; it is all tests, behind the build tag "bench", and needs Linux and root.
//
// The real hub listens on one side of a lab (internal/wirelab), real agents dial from the other: what is counted is what a
// network operator would count. It bends no measurement: where a day is reckoned from minutes, both are shown.
//
// Its tests run one after another, and everything in them belongs to the test.
package benchwire
