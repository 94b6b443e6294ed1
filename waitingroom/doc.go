// Package waitingroom owns the words of joining: the edge key that an operator hands to an agent, the pairing code that
// is shown on both ends, the proof of an enrolment key, and the records of enrolment keys and of devices that wait.
//
// It does no I/O and decides nothing: package waitingroom/admission is the hub's half, package waitingroom/knock the
// agent's. Everything here is a pure function or a plain value, safe for concurrent use.
package waitingroom
